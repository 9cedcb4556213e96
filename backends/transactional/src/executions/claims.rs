//! Claiming fresh work.

use std::collections::BTreeSet;

use ff_core::backend::{CapabilitySet, ClaimPolicy, Handle, HandleKind, HandlePayload};
use ff_core::state::{AttemptState, AttemptType};
use ff_core::types::{AttemptId, AttemptIndex, LaneId, LeaseId};

use super::leases::emit;
use crate::engine::{Rule, Settings, Stop};
use crate::metering::exhausted;
use crate::records::{CurrentAttempt, Execution, Lease, LeaseEventKind, PastAttempt, PastLease};
use crate::session::Session;
use crate::store::{Minted, Queues, StoreError, Tx};

/// Takes the first execution of the lane that the worker qualifies for (CLM-001, CLM-002), but for
/// what calls that overlap this are about (CLM-009).
pub(crate) async fn claim<T: Tx>(
    tx: &mut Session<T>,
    settings: Settings,
    lane: &LaneId,
    capabilities: &CapabilitySet,
    policy: &ClaimPolicy,
) -> Rule<Option<Handle>> {
    let offered: BTreeSet<String> = capabilities.tokens.iter().cloned().collect();
    let first = tx.first_in(Queues::Fresh, lane, &offered).await?;
    if tx.has_grant_run_out().await? {
        return Err(Stop::GrantRunOut);
    }
    let Some(execution) = first else {
        return Ok(None);
    };
    if exhausted(tx, &settings.partitions, &execution).await?.is_some() {
        return Err(Stop::Denied(execution.id));
    }
    let now = tx.now().await?;
    let holder = (&policy.worker_id, &policy.worker_instance_id);
    let lease = Lease::new(mint_lease(tx, &execution), holder, policy.lease_ttl_ms.into(), now);
    let attempt = mint_attempt(tx, &execution);
    let started = start(tx, execution, attempt, lease, None)?;
    Ok(Some(started.seal(settings.tag, HandleKind::Fresh)))
}

pub(crate) fn mint_lease<T: Tx>(tx: &mut Session<T>, of: &Execution) -> LeaseId {
    LeaseId::from_uuid(tx.mint(&of.id, Minted::Lease, of.epoch.next().0))
}

pub(super) fn mint_attempt<T: Tx>(tx: &mut Session<T>, of: &Execution) -> AttemptId {
    AttemptId::from_uuid(tx.mint(&of.id, Minted::Attempt, of.total_attempts.into()))
}

/// Starts a new attempt under a new lease (CLM-005), for as long as is given or its policy says (ATT-024).
pub(super) fn start<T: Tx>(
    tx: &mut Session<T>,
    execution: Execution,
    id: AttemptId,
    lease: Lease,
    given: Option<u64>,
) -> Rule<HandlePayload> {
    let kind = kind_of(&execution);
    if let Some(CurrentAttempt { id, index, .. }) = execution.attempt {
        tx.put(&PastAttempt { execution: execution.id.clone(), id, index });
    }
    let index = AttemptIndex::new(execution.total_attempts);
    let attempt = CurrentAttempt { id, index, kind, started_at: lease.acquired_at };
    let timeouts = execution.policy.as_ref().and_then(|policy| policy.timeout_policy.as_ref());
    let limit = given.or_else(|| timeouts?.attempt_timeout_ms);
    begin(tx, execution, Some(attempt), lease, limit)
}

/// What the next attempt is.
pub(super) fn kind_of(execution: &Execution) -> AttemptType {
    match execution.attempt_state {
        _ if execution.is_reclaimable() => AttemptType::Reclaim,
        AttemptState::PendingRetryAttempt => AttemptType::Retry,
        AttemptState::PendingReplayAttempt => AttemptType::Replay,
        _ => AttemptType::Initial,
    }
}

/// Begins a lease, for this attempt or for the one that goes on, for so many milliseconds at most; returns what
/// its handle stands for.
pub(crate) fn begin<T: Tx>(
    tx: &mut Session<T>,
    mut execution: Execution,
    attempt: Option<CurrentAttempt>,
    lease: Lease,
    limit: Option<u64>,
) -> Rule<HandlePayload> {
    if let Some(id) = execution.last_lease {
        tx.put(&PastLease { execution: execution.id.clone(), id, epoch: execution.epoch });
    }
    let event = match attempt {
        Some(CurrentAttempt { kind: AttemptType::Reclaim, .. }) => LeaseEventKind::Reclaimed,
        _ => LeaseEventKind::Acquired,
    };
    let now = lease.acquired_at;
    match attempt {
        Some(attempt) => execution.start_attempt(attempt, lease, limit),
        None => execution.go_on(lease, limit),
    }
    tx.put(&execution);
    emit(tx, &execution, event, now);
    Ok(execution.handle_payload().ok_or_else(|| {
        let detail = "it is active without an attempt".to_owned();
        StoreError::Corrupt { record: "execution", detail }
    })?)
}
