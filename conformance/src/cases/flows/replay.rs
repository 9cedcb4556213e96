//! Members that wait for others under way, and members that run again.

use ff_core::backend::{CancelFlowPolicy, CancelFlowWait};
use ff_core::contracts::{
    CancelFlowArgs, EdgeDependencyPolicy, EdgeGroupState, OnSatisfied,
    ReplayExecutionResult as Replay,
};
use ff_core::engine_backend::{EngineBackend, SiblingCancelReconcileAction};
use ff_core::state::{PublicState, TerminalOutcome};

use crate::stage::{BLOCKED, CALLERS_NOW, Graph, READY, SKIPPED, Verdict, World, case, lane_of};

fn replayed(public_state: PublicState) -> Replay {
    Replay::Replayed { public_state }
}

/// A skipped member waits anew for what it lost.
#[case(DEP_037, DEP_038)]
async fn skipped(world: World) -> Verdict {
    let fan = Graph::fan_in(&world, 4, EdgeDependencyPolicy::AllOf).await?;
    for (at, outcome) in ["success", "failed", "skipped"].into_iter().enumerate() {
        fan.resolve(at, outcome).await?;
    }
    fan.expect_group([1, 1, 1, 1], EdgeGroupState::Impossible, "skipped").await?;
    let answer = world.replay(&fan.downstream).await?;
    expect_eq!(answer, replayed(PublicState::WaitingChildren));
    fan.expect_group([1, 0, 0, 3], EdgeGroupState::Pending, "reopened").await?;
    fan.expect_state(BLOCKED).await?;
    let expected = [
        ("attempt_state", Some("pending_replay_attempt")),
        ("terminal_outcome", Some("none")),
        ("completed_at", None),
        ("replay_count", Some("1")),
    ];
    world.expect_fields(&fan.downstream, expected).await?;
    for at in 1..4 {
        fan.expect_state(BLOCKED).await?;
        fan.resolve(at, "success").await?;
    }
    fan.expect_group([4, 0, 0, 0], EdgeGroupState::Satisfied, "at last").await?;
    fan.expect_state(READY).await?;
    fan.graph.claim(&fan.downstream).await?;
    Ok(())
}

/// A skipped member that enough upstreams have satisfied since.
#[case(DEP_037, DEP_038, GRA_016)]
async fn satisfied_meanwhile(world: World) -> Verdict {
    let quorum = EdgeDependencyPolicy::quorum(2, OnSatisfied::LetRun);
    let mut fan = Graph::fan_in(&world, 2, quorum).await?;
    fan.resolve(0, "failed").await?;
    fan.expect_state(SKIPPED).await?;
    fan.resolve(1, "success").await?;
    let late = fan.graph.member().await?;
    let edge = fan.graph.depend(&late, &fan.downstream).await?;
    fan.graph.resolve(&edge, "success").await?;
    fan.expect_group([2, 1, 0, 0], EdgeGroupState::Impossible, "decided").await?;
    let answer = world.replay(&fan.downstream).await?;
    expect_eq!(answer, replayed(PublicState::Waiting));
    fan.expect_group([2, 0, 0, 1], EdgeGroupState::Satisfied, "it has two").await?;
    fan.expect_state(READY).await?;
    // A quorum that cannot be reached is pending until the next resolution says so.
    let quorum = EdgeDependencyPolicy::quorum(3, OnSatisfied::LetRun);
    let fan = Graph::fan_in(&world, 2, quorum).await?;
    fan.resolve(0, "success").await?;
    fan.expect_state(SKIPPED).await?;
    let answer = world.replay(&fan.downstream).await?;
    expect_eq!(answer, replayed(PublicState::WaitingChildren));
    fan.resolve(1, "success").await?;
    fan.expect_state(SKIPPED).await
}

/// Members that were not skipped change nothing around them.
#[case(DEP_039)]
async fn others(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let (up, middle, down) = (graph.member().await?, graph.member().await?, graph.member().await?);
    graph.depend(&up, &middle).await?;
    graph.depend(&middle, &down).await?;
    graph.end_and_cascade(&up, TerminalOutcome::Success).await?;
    graph.end_and_cascade(&middle, TerminalOutcome::Failed).await?;
    graph.expect_state(&down, SKIPPED).await?;
    let before = world.described_flow(&graph.flow).await?;
    let member = world.observe(&down).await?;
    for id in [&middle, &up] {
        expect_eq!(world.replay(id).await?, replayed(PublicState::Waiting));
        graph.end_and_cascade(id, TerminalOutcome::Success).await?;
    }
    expect_eq!(world.described_flow(&graph.flow).await?, before, "groups");
    expect_eq!(world.observe(&down).await?, member, "it stays skipped");
    Ok(())
}

/// The same upstream skips a member again, and a better one does not.
#[case(DEP_040)]
async fn counted_again(world: World) -> Verdict {
    let fan = Graph::fan_in(&world, 2, EdgeDependencyPolicy::AllOf).await?;
    let failing = fan.upstream(0).clone();
    let failed = TerminalOutcome::Failed;
    fan.graph.end_and_cascade(&failing, failed).await?;
    world.replay(&fan.downstream).await?;
    fan.expect_state(BLOCKED).await?;
    fan.graph.cascade(&failing).await?;
    fan.expect_group([0, 1, 0, 1], EdgeGroupState::Impossible, "again").await?;
    fan.expect_state(SKIPPED).await?;
    // Upstreams first, then the member.
    world.replay(&failing).await?;
    world.replay(&fan.downstream).await?;
    let success = TerminalOutcome::Success;
    for upstream in [&failing, fan.upstream(1)] {
        fan.expect_state(BLOCKED).await?;
        fan.graph.end_and_cascade(upstream, success).await?;
    }
    fan.expect_state(READY).await
}

/// Nobody is to cancel a member that runs again.
#[case(DEP_041)]
async fn cancellation_forgotten(world: World) -> Verdict {
    let any_of = EdgeDependencyPolicy::any_of(OnSatisfied::CancelRemaining);
    let fan = Graph::fan_in(&world, 2, any_of).await?;
    fan.resolve(0, "success").await?;
    let sibling = fan.upstream(1);
    fan.graph.end(sibling, TerminalOutcome::Cancelled).await?;
    world.replay(sibling).await?;
    let action = world
        .reconcile_sibling_cancel_group(fan.graph.partition(), &fan.graph.flow, &fan.downstream)
        .await?;
    let done = SiblingCancelReconcileAction::CompletedDrain;
    expect_eq!(action, done, "it is not waited for");
    let mut graph = Graph::new(&world).await?;
    let member = graph.member().await?;
    let handle = graph.claim(&member).await?;
    let header = CancelFlowArgs {
        flow_id: graph.flow,
        cancellation_policy: "cancel_all".to_owned(),
        reason: String::new(),
        now: CALLERS_NOW,
    };
    world.cancel_flow_header(header).await?;
    world.cancel(&handle, "with the flow").await?;
    let answer = world.replay(&member).await?;
    expect_eq!(answer, replayed(PublicState::Waiting), "on a cancelled flow");
    let at_once = CancelFlowWait::WaitTimeout(std::time::Duration::ZERO);
    world.cancel_flow(&graph.flow, CancelFlowPolicy::CancelAll, at_once).await?;
    graph.expect_state(&member, READY).await
}

/// Where a member is that can go on with its attempt.
const RESUMABLE: [&str; 3] = ["runnable", "eligible_now", "resumable"];

/// A member waits for children that it was given before, or afterwards.
#[case(DEP_034, DEP_035, ATT_022)]
async fn wait_children(world: World) -> Verdict {
    for early in [true, false] {
        let mut graph = Graph::new(&world).await?;
        let (parent, child) = (graph.member().await?, graph.member().await?);
        let handle = graph.claim(&parent).await?;
        let edge = graph.stage(&child, &parent).await?;
        if early {
            graph.apply(&edge).await?;
        }
        world.wait_children(&handle).await?;
        if !early {
            graph.apply(&edge).await?;
        }
        graph.expect_state(&parent, BLOCKED).await?;
        let interrupted = [("attempt_state", "attempt_interrupted")];
        world.expect_fields(&parent, interrupted).await?;
        graph.end_and_cascade(&child, TerminalOutcome::Success).await?;
        graph.expect_state(&parent, RESUMABLE).await?;
        world.expect_fields(&parent, interrupted).await?;
        let claimed = graph.worker(&parent).try_claim().await?;
        expect_eq!(claimed, None, "a claim starts no other attempt");
    }
    Ok(())
}

/// A claim takes what comes after a member that goes on with its attempt, never that.
#[case(CLM_012)]
async fn resumable(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let (parent, child) = (graph.member().await?, graph.member().await?);
    let handle = graph.claim(&parent).await?;
    graph.depend(&child, &parent).await?;
    world.wait_children(&handle).await?;
    graph.end_and_cascade(&child, TerminalOutcome::Success).await?;
    graph.expect_state(&parent, RESUMABLE).await?;
    let id = world.execution_id_in(parent.partition());
    let lane = lane_of(&parent);
    let other = world.execution().id(&id).lane(lane.as_str());
    other.priority(-1).create().await?;
    let worker = graph.worker(&parent);
    expect_eq!(worker.claims().await?, Some(id), "what is less urgent");
    expect_eq!(worker.claims().await?, None, "and nothing else");
    graph.expect_state(&parent, RESUMABLE).await
}

/// A member waits for children that are done.
#[case(DEP_034, EXE_019)]
async fn children_done(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let (parent, child) = (graph.member().await?, graph.member().await?);
    let handle = graph.claim(&parent).await?;
    graph.depend(&child, &parent).await?;
    graph.end_and_cascade(&child, TerminalOutcome::Success).await?;
    graph.expect_state(&parent, ["active", "not_applicable", "active"]).await?;
    world.wait_children(&handle).await?;
    graph.expect_state(&parent, RESUMABLE).await?;
    // Of a lost group, nothing is left to wait.
    let (parent, child) = (graph.member().await?, graph.member().await?);
    let handle = graph.claim(&parent).await?;
    graph.depend(&child, &parent).await?;
    graph.end_and_cascade(&child, TerminalOutcome::Failed).await?;
    let code = "contention.execution_not_active";
    expect_refused!(world.wait_children(&handle).await, code);
    graph.expect_state(&parent, SKIPPED).await
}
