//! Deviants that break the clauses under "Leases".

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ff_core::backend::LeaseRenewal;
use ff_core::call::{Call, Method, Reply};
use ff_core::contracts::{CompleteExecutionResult, RenewLeaseResult};
use ff_core::engine_error::{ContentionKind, EngineError, StateKind};
use ff_core::state::{OwnershipState, PublicState};
use ff_core::types::{
    AttemptIndex, CancelSource, ExecutionId, LeaseEpoch, LeaseFence, TimestampMs,
};

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::executions::frees;
use crate::deviants::fault::{
    Fault, answer, call, instead, marks_repetitions_of, payload_of, write,
};

deviant!("epoch-per-attempt", LSE_001,
    "Begins to count epochs with each attempt." => write(|before, after| {
    if before.is_some_and(|before| before.lease.is_none()) && after.lease.is_some() {
        after.epoch = LeaseEpoch::new(1);
    }
}));

around!("believes-the-ttl", LSE_017, "Renews for as long as the handle says.", |subject, call| {
    let answer = subject.ask(call.clone()).await;
    if let (Err(EngineError::State(StateKind::StaleLease)), Call::Renew { .. }, Some(held)) =
        (&answer, &call, payload_of(&call))
    {
        let lease = subject.field(&held.execution_id, "current_lease_id").await;
        if lease == Some(held.fence.lease_id.to_string()) {
            let until = subject.clock.now().0.unsigned_abs() + held.lease_ttl_ms;
            return Ok(Reply::Renew(LeaseRenewal::new(until, 1)));
        }
    }
    answer
});

around!(
    "fence-before-expiry",
    LSE_018,
    "Compares the fence before it looks at the clock.",
    |subject, call| {
        let answer = subject.ask(call.clone()).await;
        if let (Err(EngineError::State(StateKind::LeaseExpired)), Some(payload)) =
            (&answer, payload_of(&call))
        {
            let epoch = subject.field(&payload.execution_id, "current_lease_epoch").await;
            if epoch != Some(payload.fence.lease_epoch.to_string()) {
                return Err(EngineError::State(StateKind::StaleLease));
            }
        }
        answer
    }
);

deviant!("stale-for-nobody", LSE_002,
    "Takes a handle of what is not there for a stale one." => answer(|call, answer| {
    if payload_of(call).is_some() && matches!(answer, Err(EngineError::NotFound { .. })) {
        *answer = Err(EngineError::State(StateKind::StaleLease));
    }
}));

deviant!("conflict-for-all", LSE_003, "Has one word for every lost lease." => answer(|_, answer| {
    if matches!(
        answer,
        Err(EngineError::Contention(ContentionKind::ExecutionNotActive { .. }))
    ) {
        *answer = Err(EngineError::Contention(ContentionKind::LeaseConflict));
    }
}));

deviant!("terse", LSE_004, "Does not say what the last epoch was." => answer(|_, answer| {
    if let Err(EngineError::Contention(ContentionKind::ExecutionNotActive {
        lease_epoch,
        ..
    })) = answer
    {
        lease_epoch.clear();
    }
}));

deviant!("refuses-unmarked", LSE_005, "Refuses on a due lease, but does not mark it." =>
    refuses_unmarked());

around!("late-progress-counts", LSE_008, "Lets a stale worker leave its mark.", |subject, call| {
    let answer = subject.ask(call.clone()).await;
    if let (Err(EngineError::State(StateKind::StaleLease)), Call::Progress { .. }, Some(payload)) =
        (&answer, &call, payload_of(&call))
    {
        subject.leave_trace(&payload.execution_id).await;
    }
    answer
});

deviant!("adds-to-expiry", LSE_009,
    "Counts a renewal from the last expiry." => write(|before, after| {
    let old = before.and_then(|before| before.lease.as_ref());
    let now = after.last_mutation_at;
    if let (Some(old), Some(new)) = (old, &mut after.lease)
        && new.renewed_at == Some(now)
        && old.renewed_at != new.renewed_at
    {
        new.expires_at = TimestampMs(old.expires_at.0 + new.expires_at.0 - now.0);
    }
}));

deviant!("revives", LSE_011, "Renews a lapsed lease." => answer(|call, answer| {
    if let (Call::Renew { .. }, Err(EngineError::State(StateKind::LeaseExpired))) =
        (call, &answer)
    {
        *answer = Ok(Reply::Renew(LeaseRenewal::new(1, 1)));
    }
}));

deviant!("frees-the-lapsed", LSE_012, "Puts a lapsed execution back among the waiting." =>
    frees(OwnershipState::LeaseExpiredReclaimable));

deviant!("keeps-the-worker", LSE_013,
    "Keeps showing the worker after the end." => write(|before, after| {
    if let (Some(before), None) = (before, &after.lease) {
        after.lease.clone_from(&before.lease);
    }
}));

deviant!("renews-anything", LSE_014, "Renews what is long over." => answer(|call, answer| {
    if let (Call::Renew { .. }, Err(EngineError::State(StateKind::StaleLease))) =
        (call, &answer)
    {
        *answer = Ok(Reply::Renew(LeaseRenewal::new(1, 1)));
    }
}));

deviant!("undated-lapse", LSE_015, "Does not say when a lease lapsed." =>
    write(|_, after| after.lease_expired_at = None));

around!("marks-complain", LSE_016, "Refuses to mark what is not due.", |subject, call| {
    let answer = subject.ask(call.clone()).await;
    if let Call::MarkLeaseExpiredIfDue { execution_id, .. } = &call
        && subject.field(execution_id, "lease_expired_at").await.is_none()
    {
        return Err(EngineError::Contention(ContentionKind::NoActiveLease));
    }
    answer
});

deviant!("lapse-again", LSE_016, "Leaves a mark on a lease that has lapsed already." =>
    marks_repetitions_of(Method::MarkLeaseExpiredIfDue));

/// Only the hook marks.
fn refuses_unmarked() -> Fault {
    let hook = Arc::new(AtomicBool::new(false));
    let by_hook = Arc::clone(&hook);
    call(move |call| {
        let marks = matches!(call, Call::MarkLeaseExpiredIfDue { .. });
        hook.store(marks, Ordering::SeqCst);
    })
    .write(move |before, after| {
        if let Some(before) = before
            && before.ownership == OwnershipState::Leased
            && after.ownership == OwnershipState::LeaseExpiredReclaimable
            && !by_hook.load(Ordering::SeqCst)
        {
            after.clone_from(before);
        }
    })
}

deviant!("suspended-is-inactive", LSE_019, "Says of a suspended execution that it is not active." =>
instead(&SUSPENDABLE, "contention.lease_conflict", |_, _| {
    Err(EngineError::Contention(ContentionKind::NoActiveLease))
}));

const SUSPENDABLE: [Method; 3] = [Method::Renew, Method::Complete, Method::Suspend];

around!(
    "compares-epochs-alone",
    LSE_001,
    "Believes whoever knows the epoch.",
    |subject, mut call| {
        if let Some((id, Some(fence))) = named(&mut call) {
            let epoch = subject.field(id, "current_lease_epoch").await;
            if epoch == Some(fence.lease_epoch.to_string()) {
                let lease = subject.field(id, "current_lease_id").await;
                let attempt = subject.field(id, "current_attempt_id").await;
                if let (Some(Ok(lease)), Some(Ok(attempt))) =
                    (lease.map(|id| id.parse()), attempt.map(|id| id.parse()))
                {
                    (fence.lease_id, fence.attempt_id) = (lease, attempt);
                }
            }
        }
        subject.ask(call).await
    }
);

/// The execution and the fence of a call that names its lease.
fn named(call: &mut Call) -> Option<(&ExecutionId, &mut Option<LeaseFence>)> {
    match call {
        Call::RenewLease { args } => Some((&args.execution_id, &mut args.fence)),
        Call::CompleteExecution { args } => Some((&args.execution_id, &mut args.fence)),
        Call::FailExecution { args } => Some((&args.execution_id, &mut args.fence)),
        _ => None,
    }
}

deviant!("everyone-overrides", LSE_006, "Takes everybody without a fence for an operator." =>
call(|call| match call {
    Call::CompleteExecution { args } if args.fence.is_none() => {
        args.source = CancelSource::OperatorOverride;
    }
    Call::FailExecution { args } if args.fence.is_none() => {
        args.source = CancelSource::OperatorOverride;
    }
    _ => {}
}));

deviant!("operators-end-the-lapsed", LSE_006, "Lets operators end what has lapsed." =>
instead(&[Method::CompleteExecution], "state.lease_expired", |call, refused| match call {
    Call::CompleteExecution { args } if args.fence.is_none() => {
        let (execution_id, public_state) = (args.execution_id.clone(), PublicState::Completed);
        let completed = CompleteExecutionResult::Completed { execution_id, public_state };
        Ok(Reply::CompleteExecution(completed))
    }
    _ => Err(refused),
}));

around!(
    "looks-before-it-asks",
    LSE_020,
    "Looks for the execution before it asks for a fence.",
    |subject, mut call| {
        if let Some((id, None)) = named(&mut call).map(|(id, fence)| (id, fence.as_ref()))
            && subject.field(id, "lane_id").await.is_none()
        {
            return Err(EngineError::NotFound { entity: "execution" });
        }
        subject.ask(call).await
    }
);

deviant!("any-attempt", LSE_007, "Does not look at the attempt that is named." => call(|call| match call {
    Call::RenewLease { args } => args.attempt_index = AttemptIndex::new(0),
    Call::CompleteExecution { args } => args.attempt_index = AttemptIndex::new(0),
    Call::FailExecution { args } => args.attempt_index = AttemptIndex::new(0),
    _ => {}
}));

reply!("tells-a-later-expiry", LSE_010, "Says of a renewed lease that it lasts a millisecond longer.",
    RenewLease(RenewLeaseResult::Renewed { expires_at }) => expires_at.0 += 1);

deviant!("renewals-change-handles", LSE_010,
    "Lets a renewal without a handle decide what its handle is good for." => write(|_, after| {
    if let Some(lease) = &mut after.lease
        && let Some(renewed_at) = lease.renewed_at
    {
        lease.ttl_ms = (lease.expires_at.0 - renewed_at.0).unsigned_abs();
    }
}));

request!("renews-for-no-time", LSE_021, "Takes a renewal for 0 ms for one of 1 ms.",
    RenewLease { args } if args.lease_ttl_ms == 0 => args.lease_ttl_ms = 1);

deviant!("revives-by-name", LSE_011, "Renews a lapsed lease for whoever names it." =>
instead(&[Method::RenewLease], "state.lease_expired", |_, _| {
    let expires_at = TimestampMs(1);
    Ok(Reply::RenewLease(RenewLeaseResult::Renewed { expires_at }))
}));

deviant!("revoked-is-stale", LSE_022, "Says of a revoked lease that another is the current one." => answer(|_, answer| {
    if *answer == Err(EngineError::State(StateKind::LeaseRevoked)) {
        *answer = Err(EngineError::State(StateKind::StaleLease));
    }
}));

around!(
    "due-before-revoked",
    LSE_018,
    "Says of a lease that was revoked and is due that it is due.",
    |subject, call| {
        let answer = subject.ask(call.clone()).await;
        if let (Err(EngineError::State(StateKind::LeaseRevoked)), Some(payload)) =
            (&answer, payload_of(&call))
        {
            let until = subject.field(&payload.execution_id, "lease_expires_at").await;
            let until = until.and_then(|until| until.parse().ok());
            if until.is_some_and(|until: i64| until <= subject.clock.now().0) {
                return Err(EngineError::State(StateKind::LeaseExpired));
            }
        }
        answer
    }
);
