//! The ends of executions.

use ff_core::backend::FailureClass;
use ff_core::contracts::ReplayExecutionArgs;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_backend::ExpirePhase::ExecutionDeadline;
use ff_core::stream_events::{CompletionEvent, CompletionOutcome};
use ff_core::types::ExecutionId;

use crate::stage::{CALLERS_NOW, Failure, Following, Graph, Verdict, World, cancellation, case};

type Ends = Following<CompletionEvent>;

impl World {
    async fn expect_end(
        &self,
        ends: &mut Ends,
        id: &ExecutionId,
        outcome: CompletionOutcome,
    ) -> Verdict {
        let event = ends.next().await?;
        expect_eq!((&event.execution_id, &event.outcome), (id, &outcome), "the next end");
        Ok(())
    }
}

/// However it ends, within a flow and without; what does not end it; and a replay.
#[case(EVT_017)]
async fn every_end(world: World) -> Verdict {
    let mut ends = world.follow::<CompletionEvent>().await?;
    let (id, handle) = world.execution().retries(1, 0).claimed().await?;
    world.fail_with(&handle, FailureClass::Transient).await?;
    world.promote(&id).await?;
    let handle = world.worker().claim().await?;
    world.complete(&handle, None).await?;
    expect_eq!(ends.next().await?.execution_id, id, "after a retry");
    let suspended = world.suspended().await?;
    world.resume(&suspended.id).await?;
    world.cancel_execution(cancellation(&suspended.id)).await?;
    expect_eq!(ends.next().await?.execution_id, suspended.id, "after a suspension");
    let mut graph = Graph::new(&world).await?;
    let member = graph.member().await?;
    let handle = graph.claim(&member).await?;
    world.complete(&handle, None).await?;
    expect_eq!(ends.next().await?.execution_id, member, "in a flow");
    let (failed, handle) = world.claimed().await?;
    world.fail_with(&handle, FailureClass::Permanent).await?;
    expect_eq!(ends.next().await?.execution_id, failed, "a failure");
    let args = ReplayExecutionArgs { execution_id: failed.clone(), now: CALLERS_NOW };
    world.replay_execution(args).await?;
    let handle = world.worker().claim().await?;
    world.complete(&handle, None).await?;
    expect_eq!(ends.next().await?.execution_id, failed, "a replay");
    Ok(())
}

/// Of each kind that has a name.
#[case(EVT_018)]
async fn outcomes(world: World) -> Verdict {
    let mut ends = world.follow::<CompletionEvent>().await?;
    let (id, handle) = world.claimed().await?;
    world.complete(&handle, None).await?;
    world.expect_end(&mut ends, &id, CompletionOutcome::Success).await?;
    let (id, handle) = world.claimed().await?;
    world.fail_with(&handle, FailureClass::Permanent).await?;
    world.expect_end(&mut ends, &id, CompletionOutcome::Failure).await?;
    let (id, handle) = world.claimed().await?;
    world.cancel(&handle, "why").await?;
    world.expect_end(&mut ends, &id, CompletionOutcome::Cancelled).await?;
    let id = world.execution().create().await?;
    world.cancel_execution(cancellation(&id)).await?;
    world.expect_end(&mut ends, &id, CompletionOutcome::Cancelled).await
}

/// Out of time, and skipped; with the time.
#[case(EVT_026)]
async fn others(world: World) -> Verdict {
    let mut ends = world.follow::<CompletionEvent>().await?;
    let id = world.execution().deadline_at(world.in_ms(50)).create().await?;
    world.pass_ms(50).await?;
    world.time_out(&id, ExecutionDeadline).await?;
    let now = world.now();
    let event = ends.next().await?;
    let expired = CompletionOutcome::Other("expired".to_owned());
    expect_eq!((&event.execution_id, &event.outcome), (&id, &expired), "out of time");
    world.expect_time(event.at, now, "the end")?;
    let mut graph = Graph::new(&world).await?;
    let (first, second) = (graph.member().await?, graph.member().await?);
    graph.depend(&first, &second).await?;
    let handle = graph.claim(&first).await?;
    world.fail_with(&handle, FailureClass::Permanent).await?;
    world.expect_end(&mut ends, &first, CompletionOutcome::Failure).await?;
    graph.cascade(&first).await.map_err(Failure::setup_refused)?;
    let skipped = CompletionOutcome::Other("skipped".to_owned());
    world.expect_end(&mut ends, &second, skipped).await
}
