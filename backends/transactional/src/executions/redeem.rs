//! Starting a new attempt of one execution: by a grant, or as an operator.

use std::fmt::Display;

use ff_core::backend::{BackendTag, HandleKind, HandlePayload};
use ff_core::contracts::{
    ClaimExecutionArgs, ClaimExecutionResult, ClaimGrantOutcome, ClaimedExecution,
    IssueGrantAndClaimArgs,
};
use ff_core::engine_error::{ContentionKind, EngineError};
use ff_core::state::AttemptType;
use ff_core::types::{AttemptId, ExecutionId, LeaseId, TimestampMs, WorkerId, WorkerInstanceId};

use super::claims::{begin, kind_of, mint_attempt, mint_lease, start};
use super::grants;
use super::{existing, found};
use crate::engine::{Rule, Stop};
use crate::records::{Execution, Lease, PastAttempt, PastLease};
use crate::session::Session;
use crate::store::Tx;

/// Who holds what an operator claims (CLM-030).
const OPERATOR: &str = "operator";

/// By a grant of the worker, under ids that the caller gives (CLM-020, CLM-022, CLM-023, CLM-025).
pub(crate) async fn claim_execution<T: Tx>(
    tx: &mut Session<T>,
    tag: BackendTag,
    args: &ClaimExecutionArgs,
) -> Rule<ClaimExecutionResult> {
    let (mut execution, had) =
        existing_for(tx, &args.execution_id, args.lease_id, args.attempt_id).await?;
    let refuse = |kind: ContentionKind| Err(EngineError::Contention(kind).into());
    if !execution.is_eligible() {
        return refuse(ContentionKind::ExecutionNotLeaseable);
    }
    if execution.is_interrupted() {
        return refuse(ContentionKind::UseClaimResumedExecution);
    }
    let now = tx.now().await?;
    grants::check(&execution, &args.worker_id, &args.lane_id, now)?;
    if execution.total_attempts != args.expected_attempt_index.0 {
        return refuse(ContentionKind::ExecutionNotLeaseable);
    }
    if let Some(had) = had {
        return Err(had);
    }
    if let Some(deadline) = args.execution_deadline_at {
        execution.deadline_at = Some(TimestampMs(deadline));
    }
    let holder = (&args.worker_id, &args.worker_instance_id);
    let lease = Lease::new(args.lease_id, holder, args.lease_ttl_ms, now);
    let (kind, expires_at) = (kind_of(&execution), lease.expires_at);
    let payload = start(tx, execution, args.attempt_id, lease, args.attempt_timeout_ms)?;
    Ok(claimed(tag, payload, kind, expires_at))
}

/// The answer to a claim under a lease that has begun, which ends at this time.
pub fn claimed(
    tag: BackendTag,
    payload: HandlePayload,
    kind: AttemptType,
    expires_at: TimestampMs,
) -> ClaimExecutionResult {
    ClaimExecutionResult::Claimed(ClaimedExecution::new(
        payload.execution_id.clone(),
        payload.fence.lease_id,
        payload.fence.lease_epoch,
        payload.attempt_index,
        payload.fence.attempt_id,
        kind,
        expires_at,
        payload.seal(tag, HandleKind::Fresh),
    ))
}

/// As an operator, whatever the execution requires: a new attempt, or the one that goes on (CLM-027, CLM-029).
pub(crate) async fn issue_grant_and_claim<T: Tx>(
    tx: &mut Session<T>,
    args: &IssueGrantAndClaimArgs,
) -> Rule<ClaimGrantOutcome> {
    let execution = existing(tx, &args.execution_id).await?;
    let now = tx.now().await?;
    grants::free(&execution, &args.lane_id, now)?;
    let (worker, instance) = (WorkerId::new(OPERATOR), WorkerInstanceId::new(OPERATOR));
    let holder = (&worker, &instance);
    let lease = Lease::new(mint_lease(tx, &execution), holder, args.lease_duration_ms, now);
    let payload = if execution.is_interrupted() {
        begin(tx, execution, None, lease, None)?
    } else {
        let attempt = mint_attempt(tx, &execution);
        start(tx, execution, attempt, lease, None)?
    };
    let fence = payload.fence;
    Ok(ClaimGrantOutcome::new(fence.lease_id, fence.lease_epoch, payload.attempt_index))
}

/// The execution, and the refusal for a caller's ids that it has had (CLM-025, LSE-031).
pub(super) async fn existing_for<T: Tx>(
    tx: &mut Session<T>,
    id: &ExecutionId,
    lease: LeaseId,
    attempt: AttemptId,
) -> Rule<(Execution, Option<Stop>)> {
    let asked = (Execution::at(id), PastLease::at(id, &lease), PastAttempt::at(id, &attempt));
    let (execution, past_lease, past_attempt) = tx.lock(asked).await?;
    let execution = found(execution)?;
    let current = execution.attempt.map(|current| current.id);
    let refusal = if past_lease.is_some() || execution.last_lease == Some(lease) {
        Some(had(id, &lease))
    } else if past_attempt.is_some() || current == Some(attempt) {
        Some(had(id, &attempt))
    } else {
        None
    };
    Ok((execution, refusal))
}

/// An id is used once (LSE-001, CLM-025).
pub(crate) fn had(execution: &ExecutionId, id: &impl Display) -> Stop {
    EngineError::invalid_input(format!("{execution} has had {id}")).into()
}
