//! Going on with an interrupted attempt, by a grant.

use ff_core::backend::{BackendTag, Handle, HandleKind, HandlePayload, ResumeToken};
use ff_core::contracts::{
    ClaimResumedExecutionArgs, ClaimResumedExecutionResult, ClaimedResumedExecution,
};
use ff_core::engine_error::{ContentionKind, EngineError};
use ff_core::types::TimestampMs;

use crate::engine::Rule;
use crate::executions::{self, begin, existing, found, mint_lease};
use crate::records::{Execution, Lease, PastLease};
use crate::session::Session;
use crate::store::Tx;

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
        return Err(executions::had(&execution.id, &args.lease_id));
    }
    let holder = (&args.worker_id, &args.worker_instance_id);
    let lease = Lease::new(args.lease_id, holder, args.lease_ttl_ms, now);
    let expires_at = lease.expires_at;
    let payload = begin(tx, execution, None, lease, args.remaining_attempt_timeout_ms)?;
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
    let holder = (&token.worker_id, &token.worker_instance_id);
    let lease = Lease::new(mint_lease(tx, &execution), holder, token.lease_ttl_ms.into(), now);
    let payload = begin(tx, execution, None, lease, None)?;
    Ok(Some(payload.seal(tag, HandleKind::Resumed)))
}
