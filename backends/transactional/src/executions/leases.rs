//! Calls under a lease: the ladder of checks, renewal, and what happens when it lapses.

use std::collections::BTreeMap;

use ff_core::backend::{BackendTag, Handle, HandlePayload, LeaseRenewal};
use ff_core::contracts::{RenewLeaseArgs, RenewLeaseResult};
use ff_core::engine_error::{ContentionKind, EngineError, StateKind};
use ff_core::state::{LifecyclePhase, OwnershipState};
use ff_core::types::{AttemptIndex, ExecutionId, LeaseFence, TimestampMs};

use super::create::later;
use super::existing;
use crate::engine::{Rule, Stop};
use crate::records::{Execution, LeaseEventKind, LeaseRecord};
use crate::session::Session;
use crate::store::Tx;

/// Who calls under a lease: by its handle, by naming it, or as an operator without either.
pub(crate) struct Holder<'a> {
    pub(crate) execution: &'a ExecutionId,
    /// None if an operator calls (LSE-006).
    pub(crate) fence: Option<&'a LeaseFence>,
    told: Told<'a>,
}

/// What is said of the lease beside its fence.
enum Told<'a> {
    Nothing,
    Attempt(AttemptIndex),
    Handle(&'a HandlePayload),
}

impl<'a> Holder<'a> {
    pub(crate) fn of(handle: &'a HandlePayload) -> Self {
        let (execution, fence) = (&handle.execution_id, Some(&handle.fence));
        Self { execution, fence, told: Told::Handle(handle) }
    }

    pub(crate) fn named(execution: &'a ExecutionId, fence: &'a LeaseFence) -> Self {
        Self { execution, fence: Some(fence), told: Told::Nothing }
    }

    pub(crate) fn of_attempt(
        execution: &'a ExecutionId,
        fence: Option<&'a LeaseFence>,
        attempt: AttemptIndex,
    ) -> Self {
        Self { execution, fence, told: Told::Attempt(attempt) }
    }

    /// Whether all that the caller says of the lease agrees with the record (LSE-007, LSE-017).
    fn is_right(&self, execution: &Execution) -> bool {
        let attempt = execution.attempt.as_ref().map(|attempt| attempt.index);
        let fence = self.fence.is_none_or(|fence| execution.fence().as_ref() == Some(fence));
        fence
            && match self.told {
                Told::Nothing => true,
                Told::Attempt(index) => attempt == Some(index),
                Told::Handle(handle) => execution.lease.as_ref().is_some_and(|lease| {
                    attempt == Some(handle.attempt_index)
                        && execution.lane == handle.lane_id
                        && lease.worker_instance == handle.worker_instance_id
                        && lease.ttl_ms == handle.lease_ttl_ms
                }),
            }
    }
}

/// An execution whose current lease the caller holds, and the time at which that was found.
pub(crate) struct Held {
    pub(crate) execution: Execution,
    pub(crate) now: TimestampMs,
}

/// What a caller's lease is now.
pub(super) enum Standing {
    /// The lease is live and the caller's.
    Held(Box<Held>),
    /// The execution is not active; the call may still be a repetition (ATT-003).
    NotActive(Box<Execution>),
}

/// The ladder (LSE-002, LSE-018, LSE-022): it exists, it is active, its lease was not revoked and is not due, and the
/// lease is the caller's.
pub(super) async fn standing<T: Tx>(tx: &mut Session<T>, holder: &Holder<'_>) -> Rule<Standing> {
    let mut execution = existing(tx, holder.execution).await?;
    if execution.phase != LifecyclePhase::Active {
        return Ok(Standing::NotActive(Box::new(execution)));
    }
    let now = tx.now().await?;
    hold(tx, &mut execution, holder, now)?;
    Ok(Standing::Held(Box::new(Held { execution, now })))
}

/// The ladder on an active execution: its lease was not revoked, it is not due, and it is the caller's.
pub(crate) fn hold<T: Tx>(
    tx: &mut Session<T>,
    execution: &mut Execution,
    holder: &Holder<'_>,
    now: TimestampMs,
) -> Rule<()> {
    if execution.ownership == OwnershipState::LeaseRevoked {
        return Err(EngineError::State(StateKind::LeaseRevoked).into());
    }
    if execution.ownership == OwnershipState::LeaseExpiredReclaimable {
        return Err(EngineError::State(StateKind::LeaseExpired).into());
    }
    if is_due(execution, now) {
        lapse(tx, execution, now);
        return Err(Stop::Lapsed);
    }
    if !holder.is_right(execution) {
        return Err(EngineError::State(StateKind::StaleLease).into());
    }
    Ok(())
}

/// As [`standing`], for calls that no repetition excuses.
pub(crate) async fn held<T: Tx>(tx: &mut Session<T>, holder: &Holder<'_>) -> Rule<Held> {
    match standing(tx, holder).await? {
        Standing::Held(held) => Ok(*held),
        Standing::NotActive(execution) => Err(not_active(&execution)),
    }
}

/// What there is instead of a live lease (LSE-003, LSE-004, LSE-019).
pub(crate) fn not_active(execution: &Execution) -> Stop {
    if execution.phase == LifecyclePhase::Suspended {
        return EngineError::Contention(ContentionKind::LeaseConflict).into();
    }
    let attempt = execution.shown_attempt();
    let kind = ContentionKind::ExecutionNotActive {
        terminal_outcome: execution.outcome.as_str().to_owned(),
        lease_epoch: execution.epoch.to_string(),
        lifecycle_phase: execution.phase.as_str().to_owned(),
        attempt_id: attempt.map_or_else(String::new, |attempt| attempt.id.to_string()),
    };
    EngineError::Contention(kind).into()
}

/// Extends the lease to the clock plus the handle's TTL (LSE-009).
pub(crate) async fn renew<T: Tx>(
    tx: &mut Session<T>,
    tag: BackendTag,
    handle: &Handle,
) -> Rule<LeaseRenewal> {
    let payload = HandlePayload::open(tag, handle)?;
    let held = held(tx, &Holder::of(&payload)).await?;
    let epoch = held.execution.epoch;
    let expires_at = extend(tx, held, payload.lease_ttl_ms);
    Ok(LeaseRenewal::new(expires_at.0.unsigned_abs(), epoch.0))
}

/// The same without a handle, for as long as the caller says (LSE-010).
pub(crate) async fn renew_lease<T: Tx>(
    tx: &mut Session<T>,
    args: &RenewLeaseArgs,
) -> Rule<RenewLeaseResult> {
    let holder = Holder::of_attempt(&args.execution_id, args.fence.as_ref(), args.attempt_index);
    let held = held(tx, &holder).await?;
    Ok(RenewLeaseResult::Renewed { expires_at: extend(tx, held, args.lease_ttl_ms) })
}

fn extend<T: Tx>(tx: &mut Session<T>, held: Held, ttl_ms: u64) -> TimestampMs {
    let Held { mut execution, now } = held;
    let expires_at = later(now, ttl_ms);
    if let Some(lease) = &mut execution.lease {
        lease.expires_at = expires_at;
        lease.renewed_at = Some(now);
    }
    execution.touch(now);
    tx.put(&execution);
    emit(tx, &execution, LeaseEventKind::Renewed, now);
    expires_at
}

/// Marks a due lease as lapsed (LSE-015), else does nothing (LSE-016).
pub(crate) async fn mark_lease_expired_if_due<T: Tx>(
    tx: &mut Session<T>,
    id: &ExecutionId,
) -> Rule<()> {
    let Some(mut execution) = tx.lock(Execution::at(id)).await? else {
        return Ok(());
    };
    let now = tx.now().await?;
    if execution.ownership == OwnershipState::Leased && is_due(&execution, now) {
        lapse(tx, &mut execution, now);
    }
    Ok(())
}

/// Tells the outbox what happened to the lease that the record shows.
pub(crate) fn emit<T: Tx>(
    tx: &mut Session<T>,
    execution: &Execution,
    kind: LeaseEventKind,
    at: TimestampMs,
) {
    let lease = execution.lease.as_ref();
    let event = LeaseRecord {
        execution: execution.id.clone(),
        namespace: execution.namespace.clone(),
        kind,
        lease: lease.map(|lease| lease.id),
        worker_instance: lease.map(|lease| lease.worker_instance.clone()),
        revoked_by: None,
        at,
        tags: BTreeMap::new(),
    };
    tx.append(event);
}

/// Due as soon as the expiry equals the clock (SYS-007).
fn is_due(execution: &Execution, now: TimestampMs) -> bool {
    let lease = execution.lease.as_ref();
    lease.is_some_and(|lease| lease.expires_at <= now)
}

fn lapse<T: Tx>(tx: &mut Session<T>, execution: &mut Execution, now: TimestampMs) {
    execution.lapse(now);
    tx.put(execution);
    emit(tx, execution, LeaseEventKind::Expired, now);
}
