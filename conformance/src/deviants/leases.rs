//! Deviants of scheduling, claims and leases.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ff_core::backend::LeaseRenewal;
use ff_core::call::{Call, Reply};
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::{ContentionKind, EngineError, StateKind};
use ff_core::state::OwnershipState;
use ff_core::types::{LeaseEpoch, TimestampMs};

use super::claims::frees_the_lapsed;
use super::tampering::{Tampering, answer, around, call, payload_of, write};
use super::{Deviant, deviant};

pub(super) const DEVIANTS: &[Deviant] = &[
    deviant!(
        "epoch-per-attempt",
        "LSE-001",
        "Begins to count epochs with each attempt.",
        write(|before, after| {
            if before.is_some_and(|before| before.lease.is_none()) && after.lease.is_some() {
                after.epoch = LeaseEpoch::new(1);
            }
        })
    ),
    deviant!(
        "believes-the-ttl",
        "LSE-017",
        "Renews for as long as the handle says.",
        around(|subject, call| Box::pin(async move {
            let answer = subject.model.dispatch(call.clone()).await;
            if let (
                Err(EngineError::State(StateKind::StaleLease)),
                Call::Renew { .. },
                Some(held),
            ) = (&answer, &call, payload_of(&call))
            {
                let lease = subject.field(&held.execution_id, "current_lease_id").await;
                if lease == Some(held.fence.lease_id.to_string()) {
                    let until = subject.clock.now().0.unsigned_abs() + held.lease_ttl_ms;
                    return Ok(Reply::Renew(LeaseRenewal::new(until, 1)));
                }
            }
            answer
        }))
    ),
    deviant!(
        "fence-before-expiry",
        "LSE-002",
        "Compares the fence before it looks at the clock.",
        around(|subject, call| Box::pin(async move {
            let answer = subject.model.dispatch(call.clone()).await;
            if let (Err(EngineError::State(StateKind::LeaseExpired)), Some(payload)) =
                (&answer, payload_of(&call))
            {
                let epoch = subject.field(&payload.execution_id, "current_lease_epoch").await;
                if epoch != Some(payload.fence.lease_epoch.to_string()) {
                    return Err(EngineError::State(StateKind::StaleLease));
                }
            }
            answer
        }))
    ),
    deviant!(
        "stale-for-nobody",
        "LSE-002",
        "Takes a handle of what is not there for a stale one.",
        answer(|call, answer| {
            if payload_of(call).is_some() && matches!(answer, Err(EngineError::NotFound { .. })) {
                *answer = Err(EngineError::State(StateKind::StaleLease));
            }
        })
    ),
    deviant!(
        "conflict-for-all",
        "LSE-003",
        "Has one word for every lost lease.",
        answer(|_, answer| {
            if matches!(
                answer,
                Err(EngineError::Contention(ContentionKind::ExecutionNotActive { .. }))
            ) {
                *answer = Err(EngineError::Contention(ContentionKind::LeaseConflict));
            }
        })
    ),
    deviant!(
        "terse",
        "LSE-004",
        "Does not say what the last epoch was.",
        answer(|_, answer| {
            if let Err(EngineError::Contention(ContentionKind::ExecutionNotActive {
                lease_epoch,
                ..
            })) = answer
            {
                lease_epoch.clear();
            }
        })
    ),
    deviant!(
        "refuses-unmarked",
        "LSE-005",
        "Refuses on a due lease, but does not mark it.",
        refuses_unmarked()
    ),
    deviant!(
        "late-progress-counts",
        "LSE-008",
        "Lets a stale worker leave its mark.",
        around(|subject, call| Box::pin(async move {
            let answer = subject.model.dispatch(call.clone()).await;
            if let (
                Err(EngineError::State(StateKind::StaleLease)),
                Call::Progress { .. },
                Some(payload),
            ) = (&answer, &call, payload_of(&call))
            {
                subject.leave_trace(&payload.execution_id).await;
            }
            answer
        }))
    ),
    deviant!(
        "adds-to-expiry",
        "LSE-009",
        "Counts a renewal from the last expiry.",
        write(|before, after| {
            let old = before.and_then(|before| before.lease.as_ref());
            let now = after.last_mutation_at;
            if let (Some(old), Some(new)) = (old, &mut after.lease)
                && new.renewed_at == Some(now)
                && old.renewed_at != new.renewed_at
            {
                new.expires_at = TimestampMs(old.expires_at.0 + new.expires_at.0 - now.0);
            }
        })
    ),
    deviant!(
        "revives",
        "LSE-011",
        "Renews a lapsed lease.",
        answer(|call, answer| {
            if let (Call::Renew { .. }, Err(EngineError::State(StateKind::LeaseExpired))) =
                (call, &answer)
            {
                *answer = Ok(Reply::Renew(LeaseRenewal::new(1, 1)));
            }
        })
    ),
    deviant!(
        "frees-the-lapsed",
        "LSE-012",
        "Puts a lapsed execution back among the waiting.",
        frees_the_lapsed()
    ),
    deviant!(
        "keeps-the-worker",
        "LSE-013",
        "Keeps showing the worker after the end.",
        write(|before, after| {
            if let (Some(before), None) = (before, &after.lease) {
                after.lease.clone_from(&before.lease);
            }
        })
    ),
    deviant!(
        "renews-anything",
        "LSE-014",
        "Renews what is long over.",
        answer(|call, answer| {
            if let (Call::Renew { .. }, Err(EngineError::State(StateKind::StaleLease))) =
                (call, &answer)
            {
                *answer = Ok(Reply::Renew(LeaseRenewal::new(1, 1)));
            }
        })
    ),
    deviant!(
        "undated-lapse",
        "LSE-015",
        "Does not say when a lease lapsed.",
        write(|_, after| after.lease_expired_at = None)
    ),
    deviant!(
        "marks-complain",
        "LSE-016",
        "Refuses to mark what is not due.",
        around(|subject, call| Box::pin(async move {
            let answer = subject.model.dispatch(call.clone()).await;
            if let Call::MarkLeaseExpiredIfDue { execution_id, .. } = &call
                && subject.field(execution_id, "lease_expired_at").await.is_none()
            {
                return Err(EngineError::Contention(ContentionKind::NoActiveLease));
            }
            answer
        }))
    ),
];

/// Only the hook marks.
fn refuses_unmarked() -> Tampering {
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
