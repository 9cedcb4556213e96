//! An end counted on everything that depends on it.

use ff_core::backend::{CancelFlowPolicy, CancelFlowWait};
use ff_core::contracts::{CascadeOutcome, EdgeDependencyPolicy, EdgeGroupState, OnSatisfied};
use ff_core::engine_backend::EngineBackend;
use ff_core::state::TerminalOutcome;
use ff_core::types::ExecutionId;
use futures_util::future::join_all;

use crate::case::{Case, Verdict, case};
use crate::failure::Failure;
use crate::graph::{BLOCKED, Graph, READY, SKIPPED};
use crate::world::World;

pub(super) const CASES: &[Case] = &[
    case!("flows.cascade.nothing", ["DEP-020"], "Executions that have nothing to tell.", nothing),
    case!(
        "flows.cascade.stored-outcome",
        ["DEP-020", "DEP-006"],
        "The stored outcome counts, whatever the completion says.",
        stored_outcome
    ),
    case!(
        "flows.cascade.every-edge",
        ["DEP-021", "DEP-008"],
        "Every applied edge that leaves the member, and no other.",
        every_edge
    ),
    case!(
        "flows.cascade.parallel-edges",
        ["DEP-021", "GRA-007"],
        "Edges between the same members count one by one.",
        parallel_edges
    ),
    case!(
        "flows.cascade.chain",
        ["DEP-022", "DEP-017"],
        "A skip travels down a chain of 200.",
        chain
    ),
    case!(
        "flows.cascade.lattice",
        ["DEP-022", "DEP-007"],
        "A skip travels through a graph that branches and joins.",
        lattice
    ),
    case!("flows.cascade.stops", ["DEP-022"], "It goes no further than the skipped.", stops),
    case!("flows.cascade.again", ["DEP-021", "DEP-024"], "A repetition counts nothing.", again),
    case!(
        "flows.cascade.late-edge",
        ["GRA-015", "DEP-024"],
        "An edge applied after its upstream ended is caught up with.",
        late_edge
    ),
    case!(
        "flows.cascade.cancelled",
        ["DEP-009", "DEP-014", "CAN-015"],
        "The members of a cancelled flow tell those that were kept.",
        cancelled
    ),
    case!(
        "flows.cascade.concurrent",
        ["DEP-021", "DEP-012", "DEP-005"],
        "All upstreams of one member tell it at once, several times each.",
        concurrent,
        Concurrency
    ),
];

const NOTHING: [usize; 2] = [0, 0];

/// Demands what a cascade returns: edges resolved, members skipped.
fn expect_outcome(outcome: CascadeOutcome, [resolved, skipped]: [usize; 2], why: &str) -> Verdict {
    expect_eq!(outcome, CascadeOutcome::synchronous(resolved, skipped), "{why}");
    Ok(())
}

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
        expect_outcome(outcome, NOTHING, "it is no member of the flow")?;
    }
    for unknown in [world.execution_id(), graph.execution().args().execution_id] {
        expect_outcome(graph.cascade(&unknown).await?, NOTHING, "it is unknown")?;
    }
    graph.expect_state(&down, BLOCKED).await?;
    expect_outcome(graph.cascade(&up).await?, [1, 0], "now it counts")?;
    graph.expect_state(&down, READY).await
}

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
