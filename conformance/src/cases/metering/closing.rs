//! How streams are closed.

use ff_core::backend::{CancelFlowPolicy, CancelFlowWait, FailureClass, TimeoutBehavior};
use ff_core::contracts::StreamFrames;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_backend::ExpirePhase::{AttemptTimeout, ExecutionDeadline};
use ff_core::types::{ExecutionId, TimestampMs};

use crate::stage::{
    Failure, Graph, Tail, Verdict, World, cancellation, case, frame, payloads, revocation,
};

/// Longer than anything that is waited for.
const LONG: u32 = 600_000;

impl World {
    /// Asserts how the stream of an attempt is closed, and when, reads and tails alike.
    async fn expect_closed(
        &self,
        (id, attempt): (&ExecutionId, u32),
        reason: &str,
        closed_at: TimestampMs,
    ) -> Verdict {
        let found = self.stream(id, attempt).await?;
        expect_eq!(found.closed_reason.as_deref(), Some(reason), "why attempt {attempt} is closed");
        let Some(shown) = found.closed_at else {
            return Err(Failure::new("it says when it was closed".to_owned()));
        };
        self.expect_time(shown, closed_at, "when it was closed")
    }

    async fn expect_stream_open(&self, id: &ExecutionId, attempt: u32, what: &str) -> Verdict {
        let StreamFrames { closed_at, closed_reason, .. } = self.stream(id, attempt).await?;
        expect_eq!((closed_at, closed_reason), (None, None), "{what}");
        Ok(())
    }
}

/// By completion, without a frame and with one; and one that goes on.
#[case(STR_016)]
async fn ended(world: World) -> Verdict {
    let streams: [&[&str]; 2] = [&[], &["a"]];
    for texts in streams {
        let (id, handle) = world.claimed().await?;
        world.write(&handle, texts).await?;
        world.expect_stream_open(&id, 0, "it may go on").await?;
        world.complete(&handle, None).await?;
        let found = world.stream(&id, 0).await?;
        expect!(found.closed_at.is_some() && found.closed_reason.is_some(), "closed: {found:?}");
        expect_eq!(payloads(&found), texts, "what was appended");
        let tailed = world.tails(&id, Tail::all()).await?;
        expect_eq!(
            (tailed.closed_at, tailed.closed_reason),
            (found.closed_at, found.closed_reason)
        );
    }
    Ok(())
}

/// Suspended and resumed, delayed and gone on with: in one stream.
#[case(STR_016)]
async fn goes_on(world: World) -> Verdict {
    let (id, handle) = world.signing().await?;
    world.write(&handle, &["a"]).await?;
    let suspended = world.suspended_by((id.clone(), handle), world.plain_suspension()).await?;
    world.expect_stream_open(&id, 0, "while it is suspended").await?;
    world.resume(&suspended.id).await?;
    world.granted(&id).await?;
    let gone_on = world.go_on(world.going_on(&id)).await?;
    world.write(&gone_on.handle, &["b"]).await?;
    world.delay(&gone_on.handle, world.in_ms(50)).await?;
    world.expect_stream_open(&id, 0, "while it is delayed").await?;
    world.pass_ms(50).await?;
    world.promote(&id).await?;
    world.granted(&id).await?;
    let gone_on = world.go_on(world.going_on(&id)).await?;
    world.write(&gone_on.handle, &["c"]).await?;
    world.expect_stream_open(&id, 0, "when it goes on").await?;
    world.expect_stream(&id, &["a", "b", "c"], "one stream").await
}

/// A retry, a failure, and cancellations by everybody who can.
#[case(STR_038)]
async fn reasons(world: World) -> Verdict {
    let (id, handle) = world.execution().retries(1, 0).claimed().await?;
    world.fail_with(&handle, FailureClass::Transient).await?;
    let first = world.now();
    world.expect_closed((&id, 0), "attempt_failure", first).await?;
    world.pass_ms(5).await?;
    world.promote(&id).await?;
    let again = world.worker().claim().await?;
    world.expect_stream_open(&id, 1, "the next attempt").await?;
    world.fail_with(&again, FailureClass::Permanent).await?;
    world.expect_closed((&id, 1), "attempt_failure", world.now()).await?;
    world.expect_closed((&id, 0), "attempt_failure", first).await?;
    let (id, handle) = world.claimed().await?;
    world.complete(&handle, None).await?;
    world.expect_closed((&id, 0), "attempt_success", world.now()).await?;
    let (id, handle) = world.claimed().await?;
    world.cancel(&handle, "why").await?;
    world.expect_closed((&id, 0), "attempt_cancelled", world.now()).await?;
    let (id, _) = world.claimed().await?;
    world.cancel_execution(cancellation(&id)).await?;
    world.expect_closed((&id, 0), "attempt_cancelled", world.now()).await
}

/// With a flow, by an operator.
#[case(STR_038)]
async fn with_its_flow(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let id = graph.member().await?;
    graph.claim(&id).await?;
    let (policy, wait) = (CancelFlowPolicy::CancelAll, CancelFlowWait::NoWait);
    world.cancel_flow(&graph.flow, policy, wait).await?;
    world.expect_closed((&id, 0), "attempt_cancelled", world.now()).await
}

/// At the attempt's limit, at the execution's deadline, and by a suspension that lasted too long.
#[case(STR_038)]
async fn out_of_time(world: World) -> Verdict {
    let limited = world.execution().retries(1, 0).attempts_of_ms(50).create().await?;
    world.worker().ttl(LONG).claim().await?;
    let due = world.execution().deadline_at(world.in_ms(50)).create().await?;
    world.worker().ttl(LONG).claim().await?;
    world.pass_ms(50).await?;
    for (id, phase) in [(&limited, AttemptTimeout), (&due, ExecutionDeadline)] {
        world.time_out(id, phase).await?;
        world.expect_closed((id, 0), "expired", world.now()).await?;
    }
    let behaviors = [TimeoutBehavior::Fail, TimeoutBehavior::Cancel, TimeoutBehavior::Expire];
    for behavior in behaviors {
        let claimed = world.signing().await?;
        let mut args = world.plain_suspension();
        (args.timeout_at, args.timeout_behavior) = (Some(world.in_ms(50)), behavior);
        let id = world.suspended_by(claimed, args).await?.id;
        world.pass_ms(50).await?;
        world.expire(&id).await?;
        world.expect_closed((&id, 0), "suspension_timeout", world.now()).await?;
    }
    Ok(())
}

/// Found by a hook, and by its own holder; taken over, and ended before anybody could.
#[case(STR_039)]
async fn left_behind(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let handle = world.worker().ttl(50).claim().await?;
    world.write(&handle, &["a"]).await?;
    world.pass_ms(50).await?;
    world.expect_stream_open(&id, 0, "nobody has found it").await?;
    world.mark_lapsed(&id).await?;
    let lapsed = world.now();
    world.expect_closed((&id, 0), "lease_expired", lapsed).await?;
    world.pass_ms(50).await?;
    let handle = world.taken_over(&id).await?;
    world.expect_closed((&id, 0), "reclaimed", lapsed).await?;
    world.expect_stream_open(&id, 1, "the next attempt").await?;
    world.append_frame(&handle, frame("b")).await?;
    world.expect_stream(&id, &["a"], "the first attempt").await?;
    let ended = world.execution().create().await?;
    let handle = world.worker().ttl(50).claim().await?;
    world.pass_ms(50).await?;
    let late = world.append_frame(&handle, frame("late")).await;
    expect_refused!(late, "state.lease_expired", "it is due");
    let lapsed = world.now();
    world.pass_ms(5).await?;
    world.cancel_execution(cancellation(&ended)).await?;
    world.expect_closed((&ended, 0), "lease_expired", lapsed).await?;
    world.expect_stream(&ended, &[], "nothing came too late").await
}

/// Open until somebody takes it over.
#[case(STR_039)]
async fn revoked(world: World) -> Verdict {
    let (id, _) = world.claimed().await?;
    world.revoke_lease(revocation(&id)).await?;
    world.expect_stream_open(&id, 0, "nobody has taken it over").await?;
    world.pass_ms(50).await?;
    world.taken_over(&id).await?;
    world.expect_closed((&id, 0), "reclaimed", world.now()).await
}
