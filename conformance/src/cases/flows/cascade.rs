//! An end counted on everything that depends on it.

use ff_core::backend::{CancelFlowPolicy, CancelFlowWait};
use ff_core::contracts::{CascadeOutcome, EdgeDependencyPolicy, EdgeGroupState, OnSatisfied};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::state::TerminalOutcome;
use ff_core::types::ExecutionId;
use futures_util::future::join_all;

use crate::play::within;
use crate::stage::{
    BLOCKED, Failure, Graph, Nemesis, READY, SKIPPED, Verdict, World, cancellation, case,
};

const NOTHING: [usize; 2] = [0, 0];

/// Asserts what a cascade returns: edges resolved, members skipped.
fn expect_outcome(outcome: CascadeOutcome, [resolved, skipped]: [usize; 2], why: &str) -> Verdict {
    expect_eq!(outcome, CascadeOutcome::synchronous(resolved, skipped), "{why}");
    Ok(())
}

/// Executions that have nothing to tell.
#[case(DEP_020, needs(passive))]
async fn nothing(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let (up, down) = (graph.member().await?, graph.member().await?);
    graph.depend(&up, &down).await?;
    expect_outcome(graph.cascade(&up).await?, NOTHING, "it has not ended")?;
    let handle = graph.claim(&up).await?;
    expect_outcome(graph.cascade(&up).await?, NOTHING, "it is active")?;
    world.complete(&handle, None).await?;
    let mut without = graph.completion(&up);
    without.flow_id = None;
    let outcome = world.cascade_completion(&without).await?;
    expect_outcome(outcome, NOTHING, "no flow is named")?;
    let other = Graph::new(&world).await?;
    for flow in [other.flow, world.flow_id()] {
        let foreign = graph.completion(&up).with_flow_id(flow);
        let outcome = world.cascade_completion(&foreign).await?;
        expect_outcome(outcome, NOTHING, "it is not a member of the flow")?;
    }
    for unknown in [world.execution_id(), graph.execution().args().execution_id] {
        expect_outcome(graph.cascade(&unknown).await?, NOTHING, "it is unknown")?;
    }
    graph.expect_state(&down, BLOCKED).await?;
    expect_outcome(graph.cascade(&up).await?, [1, 0], "now it counts")?;
    graph.expect_state(&down, READY).await
}

/// The stored outcome counts, whatever the completion says.
#[case(DEP_020, DEP_006)]
async fn stored_outcome(world: World) -> Verdict {
    for (outcome, told, state, count) in [
        (TerminalOutcome::Success, "failed", READY, [1, 0]),
        (TerminalOutcome::Failed, "success", SKIPPED, [0, 1]),
        (TerminalOutcome::Cancelled, "nonsense", SKIPPED, [0, 1]),
    ] {
        let fan = Graph::fan_in(&world, 1, EdgeDependencyPolicy::AllOf).await?;
        fan.graph.end(fan.upstream(0), outcome).await?;
        let mut completion = fan.graph.completion(fan.upstream(0));
        told.clone_into(&mut completion.outcome);
        world.cascade_completion(&completion).await?;
        fan.expect_state(state).await?;
        let group = fan.graph.group(&fan.downstream).await?;
        expect_eq!([group.satisfied_count, group.failed_count], count, "{outcome:?}");
    }
    Ok(())
}

/// Every applied edge that leaves the member, and no other.
#[case(DEP_021, DEP_008, needs(passive))]
async fn every_edge(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let (before, up) = (graph.member().await?, graph.member().await?);
    let staged = graph.member().await?;
    let mut after = Vec::new();
    graph.depend(&before, &up).await?;
    for _ in 0..3 {
        let member = graph.member().await?;
        graph.depend(&up, &member).await?;
        after.push(member);
    }
    let edge = graph.stage(&up, &staged).await?;
    graph.end_and_cascade(&before, TerminalOutcome::Success).await?;
    let outcome = graph.end_and_cascade(&up, TerminalOutcome::Success).await?;
    expect_outcome(outcome, [3, 0], "three edges are applied")?;
    for member in &after {
        graph.expect_state(member, READY).await?;
    }
    let group = graph.group(&staged).await?;
    expect_eq!(group.total_deps, 0, "a staged edge counts for nothing");
    graph.apply(&edge).await?;
    graph.expect_state(&staged, BLOCKED).await
}

/// Edges between the same members count one by one.
#[case(DEP_021, GRA_007, needs(passive))]
async fn parallel_edges(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let (up, down) = (graph.member().await?, graph.member().await?);
    let policy = EdgeDependencyPolicy::quorum(2, OnSatisfied::LetRun);
    graph.policy(&down, policy).await?;
    for _ in 0..3 {
        graph.depend(&up, &down).await?;
    }
    let outcome = graph.end_and_cascade(&up, TerminalOutcome::Success).await?;
    expect_outcome(outcome, [3, 0], "three edges")?;
    let group = graph.group(&down).await?;
    expect_eq!(group.satisfied_count, 3, "each of them");
    graph.expect_state(&down, READY).await
}

/// A skip travels down a chain of 200.
#[case(DEP_022)]
async fn chain(world: World) -> Verdict {
    const LENGTH: usize = 200;
    let mut graph = Graph::new(&world).await?;
    let first = graph.member().await?;
    let mut members = vec![first.clone()];
    for at in 0..LENGTH {
        let member = graph.member().await?;
        graph.depend(&members[at], &member).await?;
        members.push(member);
    }
    let outcome = graph.end_and_cascade(&first, TerminalOutcome::Failed).await?;
    expect_outcome(outcome, [LENGTH, LENGTH], "all of it")?;
    for member in &members[1..] {
        graph.expect_state(member, SKIPPED).await?;
    }
    let groups = world.described_flow(&graph.flow).await?.edge_groups;
    let lost = |count: u32, group: &ff_core::contracts::EdgeGroupSnapshot| {
        count + group.failed_count + group.skipped_count
    };
    let told = (
        groups.iter().fold(0, lost),
        groups.iter().filter(|group| group.failed_count == 1).count(),
    );
    expect_eq!(told, (200, 1), "one upstream failed, the others were skipped");
    Ok(())
}

/// A skip travels through a graph that branches and joins.
#[case(DEP_022)]
async fn lattice(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let root = graph.member().await?;
    let spare = graph.member().await?;
    let mut layer = vec![root.clone()];
    let mut skipped = Vec::new();
    for _ in 0..4 {
        let mut next = Vec::new();
        for _ in 0..3 {
            let member = graph.member().await?;
            for upstream in &layer {
                graph.depend(upstream, &member).await?;
            }
            next.push(member);
        }
        skipped.extend(next.clone());
        layer = next;
    }
    let survivor = graph.member().await?;
    let policy = EdgeDependencyPolicy::any_of(OnSatisfied::LetRun);
    graph.policy(&survivor, policy).await?;
    graph.depend(&layer[0], &survivor).await?;
    graph.depend(&spare, &survivor).await?;
    let outcome = graph.end_and_cascade(&root, TerminalOutcome::Failed).await?;
    expect_outcome(outcome, [3 + 3 * 9 + 1, 12], "each edge and each member once")?;
    for member in &skipped {
        graph.expect_state(member, SKIPPED).await?;
    }
    graph.expect_state(&survivor, BLOCKED).await?;
    graph.end_and_cascade(&spare, TerminalOutcome::Success).await?;
    graph.expect_state(&survivor, READY).await
}

/// It goes no further than the skipped.
#[case(DEP_022)]
async fn stops(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let (up, middle) = (graph.member().await?, graph.member().await?);
    let last = graph.member().await?;
    graph.depend(&up, &middle).await?;
    graph.depend(&middle, &last).await?;
    let outcome = graph.end_and_cascade(&up, TerminalOutcome::Success).await?;
    expect_outcome(outcome, [1, 0], "the middle one has yet to run")?;
    graph.expect_state(&middle, READY).await?;
    graph.expect_state(&last, BLOCKED).await
}

/// A repetition counts nothing.
#[case(DEP_021, DEP_024, needs(passive))]
async fn again(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let (up, down) = (graph.member().await?, graph.member().await?);
    let last = graph.member().await?;
    graph.depend(&up, &down).await?;
    graph.depend(&down, &last).await?;
    let outcome = graph.end_and_cascade(&up, TerminalOutcome::Failed).await?;
    expect_outcome(outcome, [2, 2], "the first time")?;
    let before = world.described_flow(&graph.flow).await?;
    let member = world.observe(&last).await?;
    for ended in [&up, &down, &last] {
        expect_outcome(graph.cascade(ended).await?, NOTHING, "a repetition")?;
    }
    expect_eq!(world.described_flow(&graph.flow).await?, before, "the flow");
    expect_eq!(world.observe(&last).await?, member, "the member");
    Ok(())
}

/// An edge applied after its upstream ended is caught up with.
#[case(GRA_015, DEP_024, needs(passive))]
async fn late_edge(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let (up, early) = (graph.member().await?, graph.member().await?);
    graph.depend(&up, &early).await?;
    graph.end_and_cascade(&up, TerminalOutcome::Success).await?;
    let late = graph.member().await?;
    graph.depend(&up, &late).await?;
    graph.expect_state(&late, BLOCKED).await?;
    let group = graph.group(&late).await?;
    expect_eq!(group.running_count, 1, "it is unresolved");
    expect_outcome(graph.cascade(&up).await?, [1, 0], "the late one only")?;
    graph.expect_state(&late, READY).await
}

/// The members of a cancelled flow tell those that were kept.
#[case(DEP_009)]
async fn cancelled(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let up = graph.member().await?;
    let (held, waiting) = (graph.member().await?, graph.member().await?);
    let handle = graph.claim(&held).await?;
    graph.depend(&up, &held).await?;
    graph.depend(&up, &waiting).await?;
    world.cancel_flow(&graph.flow, CancelFlowPolicy::CancelPending, CancelFlowWait::NoWait).await?;
    let before = world.observe(&waiting).await?;
    expect_outcome(graph.cascade(&up).await?, [2, 1], "the held one is lost")?;
    graph.expect_state(&held, SKIPPED).await?;
    expect_eq!(world.observe(&waiting).await?, before, "it was cancelled");
    let group = graph.group(&waiting).await?;
    expect_eq!(group.group_state, EdgeGroupState::Impossible);
    let code = "contention.execution_not_active";
    expect_refused!(world.complete(&handle, None).await, code);
    Ok(())
}

/// All upstreams of one member tell it at once, several times each.
#[case(DEP_021, DEP_012, DEP_005, needs(passive, concurrency))]
async fn concurrent(world: World) -> Verdict {
    const UPSTREAMS: usize = 12;
    let fan = Graph::fan_in(&world, UPSTREAMS, EdgeDependencyPolicy::AllOf).await?;
    let upstreams: Vec<&ExecutionId> = (0..UPSTREAMS).map(|at| fan.upstream(at)).collect();
    for upstream in &upstreams {
        fan.graph.end(upstream, TerminalOutcome::Success).await?;
    }
    let calls = upstreams.iter().flat_map(|upstream| {
        let completion = fan.graph.completion(upstream);
        vec![completion; 3]
    });
    let calls = calls.map(|completion| {
        let world = world.clone();
        tokio::spawn(async move { world.cascade_completion(&completion).await })
    });
    let mut resolved = 0;
    for call in join_all(calls).await {
        let outcome = call.map_err(|error| Failure::new(error.to_string()))??;
        resolved += outcome.resolved;
    }
    expect_eq!(resolved, UPSTREAMS, "each edge is counted by one of them");
    let counts = [u32::try_from(UPSTREAMS).unwrap_or(u32::MAX), 0, 0, 0];
    fan.expect_group(counts, EdgeGroupState::Satisfied, "all of them").await?;
    fan.expect_state(READY).await
}

/// More steps than a cascade has.
const STEPS: usize = 10_000;

/// A member that has failed, and all that this dooms: two of a chain, another one, and one that needs
/// either. One more waits for somebody else as well.
struct Doomed {
    graph: Graph,
    failed: ExecutionId,
    lost: Vec<ExecutionId>,
    spared: ExecutionId,
}

const ALL: CascadeOutcome = CascadeOutcome::synchronous(6, 4);
const NONE: CascadeOutcome = CascadeOutcome::synchronous(0, 0);

impl Doomed {
    async fn new(world: &World) -> Result<Self, Failure> {
        let mut graph = Graph::new(world).await?;
        let (failed, other) = (graph.member().await?, graph.member().await?);
        let mut lost = Vec::new();
        for _ in 0..4 {
            lost.push(graph.member().await?);
        }
        let spared = graph.member().await?;
        let any_of = EdgeDependencyPolicy::any_of(OnSatisfied::LetRun);
        graph.policy(&lost[3], any_of).await?;
        graph.policy(&spared, any_of).await?;
        for (upstream, downstream) in [
            (&failed, &lost[0]),
            (&failed, &lost[2]),
            (&lost[0], &lost[1]),
            (&lost[1], &lost[3]),
            (&lost[2], &lost[3]),
            (&lost[3], &spared),
            (&other, &spared),
        ] {
            graph.depend(upstream, downstream).await?;
        }
        graph.end(&failed, TerminalOutcome::Failed).await?;
        Ok(Self { graph, failed, lost, spared })
    }

    async fn cascade(&self) -> Result<CascadeOutcome, EngineError> {
        self.graph.cascade(&self.failed).await
    }

    /// Asserts that a repeated cascade has found everything to do or nothing, and that it is done now.
    async fn expect_done(&self, again: &CascadeOutcome, when: &str) -> Verdict {
        expect!(
            [ALL, NONE].contains(again),
            "{when}, the first cascade has happened or not, and the next finds nothing or all: {again:?}"
        );
        for member in &self.lost {
            self.graph.expect_state(member, SKIPPED).await?;
        }
        self.graph.expect_state(&self.spared, BLOCKED).await?;
        let group = self.graph.group(&self.spared).await?;
        expect_eq!((group.skipped_count, group.running_count), (1, 1), "{when}");
        Ok(())
    }
}

/// A cascade is given up wherever it can be, and made again.
#[case(DEP_024, needs(passive))]
async fn given_up(world: World) -> Verdict {
    for steps in 1..STEPS {
        let doomed = Doomed::new(&world).await?;
        let first = within(steps, doomed.cascade()).await.transpose()?;
        let when = format!("given up after {steps} steps");
        if let Some(outcome) = &first {
            expect_eq!(*outcome, ALL, "it had not to be given up");
        }
        let again = doomed.cascade().await?;
        doomed.expect_done(&again, &when).await?;
        if first.is_some() {
            return Ok(());
        }
    }
    Err(Failure::new(format!("a cascade has less than {STEPS} steps")))
}

/// The connection is lost with any of a cascade's requests or answers, and it is made again.
#[case(DEP_024, needs(nemesis))]
async fn cut_off(world: World) -> Verdict {
    lose_each(&world, "request", |nemesis, after| {
        nemesis.lose_request(after);
    })
    .await?;
    lose_each(&world, "answer", |nemesis, after| {
        nemesis.lose_answer(after);
    })
    .await
}

/// Loses each of the messages that a cascade takes, one at a time.
async fn lose_each(world: &World, message: &str, lose: fn(&dyn Nemesis, usize)) -> Verdict {
    let nemesis = world.nemesis();
    for number in 0..STEPS {
        let doomed = Doomed::new(world).await?;
        lose(nemesis, number);
        let first = doomed.cascade().await;
        if nemesis.spare() {
            expect_eq!(first, Ok(ALL), "nothing was lost");
            return Ok(());
        }
        let when = format!("{message} {number} is lost");
        let is_plausible = match &first {
            Ok(outcome) => [ALL, NONE].contains(outcome),
            Err(error) => matches!(error, EngineError::Transport { .. }),
        };
        expect!(is_plausible, "{when}: {first:?}");
        world.reconnect().await?;
        let again = doomed.cascade().await?;
        doomed.expect_done(&again, &when).await?;
    }
    Err(Failure::new(format!("a cascade has less than {STEPS} {message}s")))
}

/// However a member ends, what depends on it learns of it by a cascade alone.
#[case(DEP_049)]
async fn only_by_cascade(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let outcomes = [
        TerminalOutcome::Success,
        TerminalOutcome::Failed,
        TerminalOutcome::Cancelled,
        TerminalOutcome::None,
    ];
    let mut waiting = Vec::new();
    for outcome in outcomes {
        let (up, down) = (graph.member().await?, graph.member().await?);
        graph.depend(&up, &down).await?;
        if outcome == TerminalOutcome::None {
            world.cancel_execution(cancellation(&up)).await?;
        } else {
            graph.end(&up, outcome).await?;
        }
        waiting.push((up, down));
    }
    for (up, down) in &waiting {
        graph.expect_state(down, BLOCKED).await?;
        expect_eq!(graph.group(down).await?.running_count, 1, "{up} has ended, and has not told");
    }
    let (up, down) = (graph.member().await?, graph.member().await?);
    graph.depend(&up, &down).await?;
    let (policy, wait) = (CancelFlowPolicy::CancelAll, CancelFlowWait::NoWait);
    world.cancel_flow(&graph.flow, policy, wait).await?;
    expect_eq!(graph.group(&down).await?.running_count, 1, "the flow is cancelled");
    Ok(())
}
