//! Ends that nobody has told those that depend on them.

use ff_core::call::Call;
use ff_core::contracts::EdgeDependencyPolicy;
use ff_core::engine_backend::EngineBackend;
use ff_core::state::TerminalOutcome;

use super::times::named;
use crate::stage::{BLOCKED, Failure, Graph, READY, SKIPPED, Verdict, World, case};

/// An end is listed until a cascade has counted it.
#[case(HSK_003, needs(housekeeping))]
async fn untold(world: World) -> Verdict {
    let alone = world.claimed().await?;
    world.complete(&alone.1, None).await?;
    expect_eq!(world.due_names().await?, [], "an end outside flows");
    let fan = Graph::fan_in(&world, 2, EdgeDependencyPolicy::AllOf).await?;
    for at in 0..2 {
        expect_eq!(world.due_names().await?, [], "nothing has ended since");
        let upstream = fan.upstream(at);
        fan.graph.end(upstream, TerminalOutcome::Success).await?;
        let due = world.due().await?;
        let Some(Call::CascadeCompletion { payload }) = due.first() else {
            return Err(Failure::new(format!("{due:?} is one cascade")));
        };
        expect_eq!(due.len(), 1, "one end");
        expect_eq!(payload.execution_id, *upstream);
        expect_eq!(payload.flow_id, Some(fan.graph.flow));
        expect_eq!(payload.outcome, "success");
        world.cascade_completion(payload).await?;
    }
    expect_eq!(world.due_names().await?, [], "both are counted");
    fan.expect_state(READY).await
}

/// A dependency on what has ended already.
#[case(HSK_003, needs(housekeeping))]
async fn late_edges(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let (up, down) = (graph.member().await?, graph.member().await?);
    graph.end(&up, TerminalOutcome::Failed).await?;
    expect_eq!(world.settle().await?, 1, "its end");
    let edge = graph.stage(&up, &down).await?;
    expect_eq!(world.due_names().await?, [], "a staged edge has no effect");
    graph.apply(&edge).await?;
    expect_eq!(world.due_names().await?, [named("cascade_completion", &up)], "an applied one");
    graph.expect_state(&down, BLOCKED).await?;
    world.settle().await?;
    graph.expect_state(&down, SKIPPED).await?;
    expect_eq!(world.due_names().await?, [], "counted, on to the end of the graph");
    Ok(())
}

/// Every outcome runs down a chain.
#[case(HSK_003, HSK_007, needs(housekeeping))]
async fn chain(world: World) -> Verdict {
    for (outcome, state) in [
        (TerminalOutcome::Success, READY),
        (TerminalOutcome::Failed, SKIPPED),
        (TerminalOutcome::Cancelled, SKIPPED),
    ] {
        let mut graph = Graph::new(&world).await?;
        let mut members = Vec::new();
        for _ in 0..4 {
            members.push(graph.member().await?);
        }
        for pair in members.windows(2) {
            graph.depend(&pair[0], &pair[1]).await?;
        }
        graph.end(&members[0], outcome).await?;
        world.settle().await?;
        graph.expect_state(&members[1], state).await?;
        if state == SKIPPED {
            graph.expect_state(&members[3], SKIPPED).await?;
        } else {
            graph.expect_state(&members[3], BLOCKED).await?;
        }
        expect_eq!(world.settle().await?, 0, "nothing is left");
    }
    Ok(())
}
