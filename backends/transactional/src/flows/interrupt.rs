//! Ending a member over its holder's head.

use std::collections::BTreeMap;

use ff_core::state::{AttemptLifecycle, AttemptState};
use ff_core::types::TimestampMs;

use crate::executions::end_attempt;
use crate::records::{CloseReason, Execution, Lease, LeaseEventKind, LeaseRecord};
use crate::session::Session;
use crate::store::Tx;

/// Ends the attempt that is open, if there is one, like this, and forgets the lease; the live lease that was
/// taken away, if there was one.
pub(crate) fn interrupt<T: Tx>(
    tx: &mut Session<T>,
    member: &mut Execution,
    state: AttemptLifecycle,
    reason: Option<CloseReason>,
    now: TimestampMs,
) -> Option<Lease> {
    let open = [AttemptState::RunningAttempt, AttemptState::AttemptInterrupted];
    if open.contains(&member.attempt_state) {
        end_attempt(tx, member, state, reason, now);
    }
    member.closing = None;
    let lease = member.lease.take();
    lease.filter(|_| member.is_held())
}

/// Tells the outbox that a lease was taken away, or that there was none to take.
pub(crate) fn tell_revoked<T: Tx>(
    tx: &mut Session<T>,
    member: &Execution,
    lease: Option<Lease>,
    revoked_by: &'static str,
    now: TimestampMs,
) {
    let event = LeaseRecord {
        execution: member.id.clone(),
        namespace: member.namespace.clone(),
        kind: LeaseEventKind::Revoked,
        lease: lease.as_ref().map(|lease| lease.id),
        worker_instance: lease.map(|lease| lease.worker_instance),
        revoked_by: Some(revoked_by.to_owned()),
        at: now,
        tags: BTreeMap::new(),
    };
    tx.append(event);
}
