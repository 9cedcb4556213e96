//! Ending executions over their holders' heads.

use ff_core::backend::{CancelFlowPolicy, FailureClass, Handle};
use ff_core::contracts::{CancelExecutionArgs, CancelExecutionResult};
use ff_core::engine_backend::EngineBackend;
use ff_core::state::PublicState;
use ff_core::types::{AttemptId, CancelSource, ExecutionId, LeaseEpoch, LeaseId};

use crate::stage::{Failure, Verdict, World, cancellation, case};

fn cancelled(id: &ExecutionId) -> CancelExecutionResult {
    CancelExecutionResult::Cancelled {
        execution_id: id.clone(),
        public_state: PublicState::Cancelled,
    }
}

/// Executions in every state but a terminal one, each with the handle of its last lease.
async fn every_living(world: &World) -> Result<Vec<(ExecutionId, Option<Handle>)>, Failure> {
    let waiting = world.execution().create().await?;
    let delayed = world.execution().delay_until(world.in_ms(500)).create().await?;
    let on = |lane: &str| world.execution().lane(lane).retries(3, 500);
    let claimed = async |lane: &str, ttl: u32| {
        let id = on(lane).create().await?;
        let handle = world.worker().lane(lane).ttl(ttl).claim().await?;
        Ok::<_, Failure>((id, handle))
    };
    let (lapsed, lapsed_handle) = claimed("lapsed", 50).await?;
    let (due, due_handle) = claimed("due", 50).await?;
    world.pass_ms(50).await?;
    world.mark_lapsed(&lapsed).await?;
    let (active, active_handle) = claimed("active", 30_000).await?;
    let (retrying, retrying_handle) = claimed("retrying", 30_000).await?;
    world.fail_with(&retrying_handle, FailureClass::Transient).await?;
    let (blocked, blocked_handle) = claimed("blocked", 30_000).await?;
    world.wait_children(&blocked_handle).await?;
    Ok(vec![
        (waiting, None),
        (delayed, None),
        (lapsed, Some(lapsed_handle)),
        (due, Some(due_handle)),
        (active, Some(active_handle)),
        (retrying, Some(retrying_handle)),
        (blocked, Some(blocked_handle)),
    ])
}

/// From every state but a terminal one.
#[case(OPS_001, SYS_016)]
async fn every_state(world: World) -> Verdict {
    let unknown = cancellation(&world.execution_id());
    expect_refused!(world.cancel_execution(unknown).await, "not_found.execution");
    for (id, handle) in every_living(&world).await? {
        world.pass_ms(5).await?;
        expect_eq!(world.cancel_execution(cancellation(&id)).await?, cancelled(&id));
        let attempt_state = if handle.is_some() { "attempt_terminal" } else { "none" };
        let now = world.now().to_string();
        let expected = [
            ("lifecycle_phase", "terminal"),
            ("terminal_outcome", "cancelled"),
            ("public_state", "cancelled"),
            ("attempt_state", attempt_state),
            ("cancellation_reason", "why"),
            ("completed_at", &*now),
            ("last_mutation_at", &*now),
        ];
        world.expect_fields(&id, expected).await?;
    }
    Ok(())
}

/// Who cancelled, in the words of each way to do it.
#[case(EXE_051)]
async fn authors(world: World) -> Verdict {
    let author = async |id: &ExecutionId| world.field(id, "cancelled_by").await;
    let (held, handle) = world.claimed().await?;
    world.cancel(&handle, "why").await?;
    expect_eq!(author(&held).await?.as_deref(), Some("worker"));
    for (source, name) in [
        (CancelSource::OperatorOverride, "operator_override"),
        (CancelSource::FlowCascade, "flow_cascade"),
        (CancelSource::SystemTimeout, "system_timeout"),
    ] {
        let id = world.execution().create().await?;
        let args = CancelExecutionArgs { source, ..cancellation(&id) };
        world.cancel_execution(args).await?;
        expect_eq!(author(&id).await?.as_deref(), Some(name));
    }
    let flow = world.flow().await?;
    let member = world.member(&flow).await?;
    let (policy, wait) = (CancelFlowPolicy::CancelAll, world.longest_wait());
    world.cancel_flow(&flow, policy, wait).await?;
    expect_eq!(author(&member).await?.as_deref(), Some("cancel_flow"));
    let reason = world.field(&member, "cancellation_reason").await?;
    expect_eq!(reason.as_deref(), Some("flow_cancelled"));
    Ok(())
}

/// No lease, no delay, no place in a queue.
#[case(OPS_002)]
async fn nothing_remains(world: World) -> Verdict {
    for (id, handle) in every_living(&world).await? {
        world.cancel_execution(cancellation(&id)).await?;
        let nothing = [
            "current_lease_id",
            "current_worker_id",
            "current_worker_instance_id",
            "lease_expires_at",
            "lease_expired_at",
            "delay_until",
            "blocking_reason",
        ];
        world.expect_fields(&id, nothing.map(|name| (name, None::<&str>))).await?;
        let described = world.describe_execution(&id).await?;
        let lease = described.and_then(|described| described.current_lease);
        expect_eq!(lease, None, "no lease is shown");
        if let Some(handle) = handle {
            let refused = "contention.execution_not_active";
            expect_refused!(world.renew(&handle).await, refused);
            expect_refused!(world.complete(&handle, None).await, refused);
            expect_refused!(world.wait_children(&handle).await, refused, "a repetition");
            expect_refused!(world.fail_with(&handle, FailureClass::Transient).await, refused);
        }
    }
    world.pass_ms(500).await?;
    for lane in ["default", "lapsed", "due", "active", "retrying", "blocked"] {
        let claimed = world.worker().lane(lane).try_claim().await?;
        expect!(claimed.is_none(), "nothing waits on {lane}");
    }
    Ok(())
}

/// Who needs a lease, and which.
#[case(OPS_003)]
async fn authority(world: World) -> Verdict {
    let workers = [CancelSource::LeaseHolder, CancelSource::Custom("tool".to_owned())];
    let authorities =
        [CancelSource::OperatorOverride, CancelSource::FlowCascade, CancelSource::SystemTimeout];
    for source in authorities.iter().chain(&workers) {
        let from =
            |id: &ExecutionId| CancelExecutionArgs { source: source.clone(), ..cancellation(id) };
        let waiting = world.execution().create().await?;
        expect_eq!(world.cancel_execution(from(&waiting)).await?, cancelled(&waiting));
        world.expect_fields(&waiting, [("cancelled_by", source.as_str())]).await?;

        let id = world.execution().create().await?;
        let handle = world.worker().claim().await?;
        let stale = CancelExecutionArgs {
            lease_id: Some(LeaseId::from_uuid(world.uuid())),
            lease_epoch: Some(LeaseEpoch(1)),
            attempt_id: Some(AttemptId::from_uuid(world.uuid())),
            ..from(&id)
        };
        if authorities.contains(source) {
            expect_eq!(world.cancel_execution(stale).await?, cancelled(&id), "{source:?}");
            continue;
        }
        let before = world.observe(&id).await?;
        let invalid = "validation.invalid_input";
        expect_refused!(world.cancel_execution(from(&id)).await, invalid, "no lease");
        let part = |change: fn(&mut CancelExecutionArgs)| {
            let mut args = stale.clone();
            change(&mut args);
            args
        };
        for args in [
            part(|args| args.lease_id = None),
            part(|args| args.lease_epoch = None),
            part(|args| args.attempt_id = None),
        ] {
            expect_refused!(world.cancel_execution(args).await, invalid, "a part of one");
        }
        expect_refused!(world.cancel_execution(stale.clone()).await, "state.stale_lease");
        expect_eq!(world.observe(&id).await?, before, "nothing has changed");

        let own = world.own_lease(&id, from(&id)).await?;
        for other in [1, 2, 3] {
            let mut args = own.clone();
            match other {
                1 => args.lease_id = stale.lease_id,
                2 => args.lease_epoch = Some(LeaseEpoch(2)),
                _ => args.attempt_id = stale.attempt_id,
            }
            expect_refused!(world.cancel_execution(args).await, "state.stale_lease", "{other}");
        }
        expect_eq!(world.cancel_execution(own).await?, cancelled(&id), "its own lease");
        expect_refused!(world.renew(&handle).await, "contention.execution_not_active");

        let id = world.execution().create().await?;
        let _handle = world.worker().ttl(300).claim().await?;
        let own = world.own_lease(&id, from(&id)).await?;
        world.pass_ms(300).await?;
        for found in ["due", "lapsed"] {
            let late = world.cancel_execution(own.clone()).await;
            expect_refused!(late, "state.lease_expired", "{found}");
            let lapsed = [("ownership_state", "lease_expired_reclaimable")];
            world.expect_fields(&id, lapsed).await?;
        }
    }
    Ok(())
}

impl World {
    /// The cancellation under the lease that is shown.
    async fn own_lease(
        &self,
        id: &ExecutionId,
        args: CancelExecutionArgs,
    ) -> Result<CancelExecutionArgs, Failure> {
        let shown = self.describe_execution(id).await?;
        let shown = shown.ok_or_else(|| Failure::new("the execution is described"))?;
        let lease = shown.current_lease;
        Ok(CancelExecutionArgs {
            lease_id: lease.as_ref().map(|lease| lease.lease_id),
            lease_epoch: lease.map(|lease| lease.lease_epoch),
            attempt_id: shown.current_attempt.map(|attempt| attempt.attempt_id),
            ..args
        })
    }
}

/// What has ended already.
#[case(OPS_004)]
async fn ended(world: World) -> Verdict {
    let (succeeded, handle) = world.claimed().await?;
    world.complete(&handle, Some(b"done".to_vec())).await?;
    let (failed, handle) = world.claimed().await?;
    world.fail_with(&handle, FailureClass::Permanent).await?;
    let (given_up, handle) = world.claimed().await?;
    world.cancel(&handle, "no more").await?;
    for source in [CancelSource::OperatorOverride, CancelSource::LeaseHolder] {
        let again =
            |id: &ExecutionId| CancelExecutionArgs { source: source.clone(), ..cancellation(id) };
        for id in [&succeeded, &failed] {
            let before = world.observe(id).await?;
            expect_refused!(world.cancel_execution(again(id)).await, "state.terminal");
            expect_eq!(world.observe(id).await?, before, "it ended otherwise");
        }
        let before = world.observe(&given_up).await?;
        expect_eq!(world.cancel_execution(again(&given_up)).await?, cancelled(&given_up));
        expect_eq!(world.observe(&given_up).await?, before, "the first counts");
    }
    Ok(())
}
