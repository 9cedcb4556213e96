//! Claiming fresh work.

use std::collections::BTreeSet;

use ff_core::backend::{BackendTag, CapabilitySet, ClaimPolicy, Handle, HandleKind, HandlePayload};
use ff_core::state::{AttemptState, AttemptType};
use ff_core::types::{AttemptId, AttemptIndex, LaneId, LeaseFence, LeaseId};

use super::create::later;
use super::leases::emit;
use crate::engine::Rule;
use crate::records::{CurrentAttempt, Execution, Lease, LeaseEventKind};
use crate::session::Session;
use crate::store::{Minted, Tx};

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
    match tx.first_claimable(lane, &offered).await? {
        Some(execution) => start(tx, tag, execution, policy).await.map(Some),
        None => Ok(None),
    }
}

/// Starts a new attempt under a new lease (CLM-005).
async fn start<T: Tx>(
    tx: &mut Session<T>,
    tag: BackendTag,
    mut execution: Execution,
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
    execution.start_attempt(attempt, lease.clone());
    tx.put(&execution);
    emit(tx, &execution, LeaseEventKind::Acquired, now);
    let payload = HandlePayload {
        fence: LeaseFence {
            lease_id: lease.id,
            lease_epoch: execution.epoch,
            attempt_id: attempt.id,
        },
        attempt_index: attempt.index,
        lease_ttl_ms: policy.lease_ttl_ms.into(),
        lane_id: execution.lane,
        worker_instance_id: lease.worker_instance,
        execution_id: execution.id,
    };
    Ok(payload.seal(tag, HandleKind::Fresh))
}
