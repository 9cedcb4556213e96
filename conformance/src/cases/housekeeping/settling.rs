//! An engine that was gone for a while, and one that acts on an old list.

use ff_core::call::Call;
use ff_core::contracts::{EdgeDependencyPolicy, OnSatisfied};
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::state::TerminalOutcome;
use ff_core::types::ExecutionId;

use crate::stage::{
    BLOCKED, CALLERS_NOW, Failure, Graph, Observation, READY, Verdict, World, callers_now, case,
};

/// Delays, leases, ends and notes, all of them due after a minute.
async fn everything(world: &World) -> Result<(Graph, Vec<ExecutionId>), Failure> {
    let cancel = OnSatisfied::CancelRemaining;
    let mut fan = Graph::fan_in(world, 3, EdgeDependencyPolicy::any_of(cancel)).await?;
    let last = fan.graph.member().await?;
    fan.graph.depend(&fan.downstream, &last).await?;
    let other = fan.graph.member().await?;
    let second = fan.upstream(1).clone();
    fan.graph.depend(&second, &other).await?;
    let delayed = world.execution().delay_until(world.in_ms(50)).create().await?;
    let leased = world.execution().lane("leased").create().await?;
    let _handle = world.worker().lane("leased").ttl(50).claim().await?;
    fan.graph.end(fan.upstream(0), TerminalOutcome::Success).await?;
    world.pass_ms(60).await?;
    let mut all = vec![delayed, leased, fan.downstream.clone(), last, other];
    all.extend((0..3).map(|at| fan.upstream(at).clone()));
    Ok((fan.graph, all))
}

async fn observed(world: &World, ids: &[ExecutionId]) -> Result<Vec<Observation>, Failure> {
    let mut all = Vec::new();
    for id in ids {
        all.push(world.observe(id).await?);
    }
    Ok(all)
}

/// The calls without the time at which they were listed.
fn timeless(calls: &[Call]) -> Vec<Call> {
    let timeless = |call: &Call| {
        let mut call = call.clone();
        if let Some(now) = callers_now(&mut call) {
            *now = CALLERS_NOW;
        }
        call
    };
    calls.iter().map(timeless).collect()
}

/// Everything that can be due is due at once.
#[case(HSK_007, needs(housekeeping))]
async fn all(world: World) -> Verdict {
    let (graph, ids) = everything(&world).await?;
    let before = observed(&world, &ids).await?;
    let listed = world.due().await?;
    let again = world.due().await?;
    expect_eq!(timeless(&again), timeless(&listed), "listing again");
    expect_eq!(observed(&world, &ids).await?, before, "listing changes nothing");
    expect!(world.settle().await? >= listed.len(), "there was something to do");
    expect_eq!(world.due().await?, [], "nothing is due");
    let settled = observed(&world, &ids).await?;
    expect_eq!(world.settle().await?, 0);
    expect_eq!(observed(&world, &ids).await?, settled, "settled is settled");
    world.expect_fields(&ids[0], [("public_state", "waiting")]).await?;
    world.expect_fields(&ids[1], [("ownership_state", "lease_expired_reclaimable")]).await?;
    graph.expect_state(&ids[2], READY).await?;
    graph.expect_state(&ids[4], BLOCKED).await?;
    graph.expect_state(&ids[6], READY).await?;
    world.expect_fields(&ids[7], [("terminal_outcome", "cancelled")]).await?;
    Ok(())
}

async fn send(world: &World, calls: &[Call]) -> Verdict {
    for call in calls {
        match call.clone().send(&**world).await {
            Ok(_) | Err(EngineError::State(StateKind::Terminal)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Every listed call is sent three times, the last long after.
#[case(HSK_008, needs(housekeeping))]
async fn stale(world: World) -> Verdict {
    let (_, ids) = everything(&world).await?;
    let mut old = Vec::new();
    for _ in 0..4 {
        let due = world.due().await?;
        send(&world, &due).await?;
        let once = observed(&world, &ids).await?;
        send(&world, &due).await?;
        expect_eq!(observed(&world, &ids).await?, once, "sent twice");
        old.extend(due);
    }
    world.settle().await?;
    let settled = observed(&world, &ids).await?;
    world.pass_ms(100).await?;
    send(&world, &old).await?;
    expect_eq!(observed(&world, &ids).await?, settled, "sent long after");
    Ok(())
}
