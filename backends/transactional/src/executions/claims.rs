//! Claiming fresh work.

use std::collections::BTreeSet;

use ff_core::backend::{BackendTag, CapabilitySet, ClaimPolicy, Handle, HandleKind, HandlePayload};
use ff_core::state::{AttemptState, AttemptType};
use ff_core::types::{AttemptId, AttemptIndex, LaneId, LeaseFence, LeaseId};

use super::create::later;
use super::leases::emit;
use crate::engine::{Rule, Stop};
use crate::records::{CurrentAttempt, Execution, Lease, LeaseEventKind, PastLease};
use crate::session::Session;
use crate::store::{Minted, StoreError, Tx};

/// Takes the first execution of the lane that the worker qualifies for (CLM-001, CLM-002), but for
/// what calls that overlap this are about (CLM-009).
pub(crate) async fn claim<T: Tx>(
    tx: &mut Session<T>,
    tag: BackendTag,
    lane: &LaneId,
    capabilities: &CapabilitySet,
    policy: &ClaimPolicy,
) -> Rule<Option<Handle>> {
    let offered: BTreeSet<String> = capabilities.tokens.iter().cloned().collect();
    let first = tx.first_claimable(lane, &offered).await?;
    if tx.has_grant_run_out().await? {
        return Err(Stop::GrantRunOut);
    }
    match first {
        Some(execution) => start(tx, tag, execution, policy).await.map(Some),
        None => Ok(None),
    }
}

/// Starts a new attempt under a new lease (CLM-005).
async fn start<T: Tx>(
    tx: &mut Session<T>,
    tag: BackendTag,
    execution: Execution,
    policy: &ClaimPolicy,
) -> Rule<Handle> {
    let now = tx.now().await?;
    let kind = match execution.attempt_state {
        AttemptState::PendingRetryAttempt => AttemptType::Retry,
        AttemptState::PendingReplayAttempt => AttemptType::Replay,
        _ => AttemptType::Initial,
    };
    let (number, epoch) = (execution.total_attempts, execution.epoch.next());
    let attempt = CurrentAttempt {
        id: AttemptId::from_uuid(tx.mint(&execution.id, Minted::Attempt, number.into())),
        index: AttemptIndex::new(number),
        kind,
        started_at: now,
    };
    let lease = Lease {
        id: LeaseId::from_uuid(tx.mint(&execution.id, Minted::Lease, epoch.0)),
        worker: policy.worker_id.clone(),
        worker_instance: policy.worker_instance_id.clone(),
        acquired_at: now,
        renewed_at: None,
        expires_at: later(now, policy.lease_ttl_ms.into()),
    };
    let started = begin(tx, execution, Some(attempt), lease, policy.lease_ttl_ms.into())?;
    Ok(started.seal(tag, HandleKind::Fresh))
}

/// Begins a lease, for this attempt or for the one that goes on; returns what its handle stands for.
pub(crate) fn begin<T: Tx>(
    tx: &mut Session<T>,
    mut execution: Execution,
    attempt: Option<CurrentAttempt>,
    lease: Lease,
    lease_ttl_ms: u64,
) -> Rule<HandlePayload> {
    if let Some(id) = execution.last_lease {
        tx.put(&PastLease { execution: execution.id.clone(), id, epoch: execution.epoch });
    }
    match attempt {
        Some(attempt) => execution.start_attempt(attempt, lease.clone()),
        None => execution.go_on(lease.clone()),
    }
    tx.put(&execution);
    emit(tx, &execution, LeaseEventKind::Acquired, lease.acquired_at);
    let attempt = execution.attempt.ok_or_else(|| {
        let detail = "it is active without an attempt".to_owned();
        StoreError::Corrupt { record: "execution", detail }
    })?;
    Ok(HandlePayload {
        fence: LeaseFence {
            lease_id: lease.id,
            lease_epoch: execution.epoch,
            attempt_id: attempt.id,
        },
        attempt_index: attempt.index,
        lease_ttl_ms,
        lane_id: execution.lane,
        worker_instance_id: lease.worker_instance,
        execution_id: execution.id,
    })
}
