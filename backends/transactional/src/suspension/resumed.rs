//! Going on with an interrupted attempt, by a grant.

use ff_core::backend::{BackendTag, Handle, HandleKind, HandlePayload, ResumeToken};
use ff_core::contracts::{
    ClaimResumedExecutionArgs, ClaimResumedExecutionResult, ClaimedResumedExecution,
};
use ff_core::engine_error::{ContentionKind, EngineError};
use ff_core::types::{LeaseId, TimestampMs};

use crate::engine::Rule;
use crate::executions::{self, begin, existing, found, later};
use crate::records::{Execution, Lease, PastLease};
use crate::session::Session;
use crate::store::{Minted, Tx};

/// Under a lease whose id the caller gives (SUS-037, SUS-038, SUS-051).
pub(crate) async fn claim<T: Tx>(
    tx: &mut Session<T>,
    tag: BackendTag,
    args: &ClaimResumedExecutionArgs,
) -> Rule<ClaimResumedExecutionResult> {
    let asked =
        (Execution::at(&args.execution_id), PastLease::at(&args.execution_id, &args.lease_id));
    let (execution, past) = tx.lock(asked).await?;
    let execution = found(execution)?;
    let refuse = |kind: ContentionKind| Err(EngineError::Contention(kind).into());
    if !execution.is_eligible() {
        return refuse(ContentionKind::ExecutionNotLeaseable);
    }
    if !execution.is_interrupted() {
        return refuse(ContentionKind::NotAResumedExecution);
    }
    let current = execution.attempt.map(|attempt| attempt.index);
    if current != Some(args.current_attempt_index) {
        return refuse(ContentionKind::ExecutionNotLeaseable);
    }
    let now = tx.now().await?;
    executions::check_grant(&execution, &args.worker_id, &args.lane_id, now)?;
    if past.is_some() || execution.last_lease == Some(args.lease_id) {
        let why = format!("{} has had the lease {}", args.execution_id, args.lease_id);
        return Err(EngineError::invalid_input(why).into());
    }
    let lease = Lease {
        id: args.lease_id,
        worker: args.worker_id.clone(),
        worker_instance: args.worker_instance_id.clone(),
        acquired_at: now,
        renewed_at: None,
        expires_at: later(now, args.lease_ttl_ms),
    };
    let expires_at = lease.expires_at;
    let payload = begin(tx, execution, None, lease, args.lease_ttl_ms)?;
    Ok(claimed(tag, payload, expires_at))
}

/// The answer to a claim under a lease that has begun, which ends at this time.
pub fn claimed(
    tag: BackendTag,
    payload: HandlePayload,
    expires_at: TimestampMs,
) -> ClaimResumedExecutionResult {
    ClaimResumedExecutionResult::Claimed(ClaimedResumedExecution::new(
        payload.execution_id.clone(),
        payload.fence.lease_id,
        payload.fence.lease_epoch,
        payload.attempt_index,
        payload.fence.attempt_id,
        expires_at,
        payload.seal(tag, HandleKind::Resumed),
    ))
}

/// Under a lease of its own, if there is still something to go on with (SUS-052).
pub(crate) async fn claim_by_token<T: Tx>(
    tx: &mut Session<T>,
    tag: BackendTag,
    token: &ResumeToken,
) -> Rule<Option<Handle>> {
    let execution = existing(tx, &token.grant.execution_id).await?;
    if !execution.is_eligible() || !execution.is_interrupted() {
        return Ok(None);
    }
    let now = tx.now().await?;
    executions::check_grant(&execution, &token.worker_id, &token.grant.lane_id, now)?;
    let next = execution.epoch.next();
    let lease = Lease {
        id: LeaseId::from_uuid(tx.mint(&execution.id, Minted::Lease, next.0)),
        worker: token.worker_id.clone(),
        worker_instance: token.worker_instance_id.clone(),
        acquired_at: now,
        renewed_at: None,
        expires_at: later(now, token.lease_ttl_ms.into()),
    };
    let payload = begin(tx, execution, None, lease, token.lease_ttl_ms.into())?;
    Ok(Some(payload.seal(tag, HandleKind::Resumed)))
}
