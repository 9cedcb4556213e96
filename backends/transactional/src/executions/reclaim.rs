//! Taking over an execution whose lease has lapsed or was revoked, by a grant.

use ff_core::backend::{BackendTag, HandleKind, HandlePayload};
use ff_core::contracts::{
    IssueReclaimGrantArgs, IssueReclaimGrantOutcome, ReclaimExecutionArgs, ReclaimExecutionOutcome,
    ReclaimGrant,
};
use ff_core::engine_error::{ContentionKind, EngineError, StateKind};
use ff_core::policy::ExecutionPolicy;
use ff_core::state::{AttemptLifecycle, TerminalOutcome};

use super::attempts::end_attempt;
use super::claims::start;
use super::create::later;
use super::existing;
use super::grants::{check_capabilities, named};
use super::redeem::existing_for;
use crate::engine::Rule;
use crate::records::{Execution, Grant, Lease};
use crate::session::Session;
use crate::store::Tx;

/// Keeps an execution that nobody holds any more for a worker (LSE-023 to LSE-025, LSE-029).
pub(crate) async fn issue_reclaim_grant<T: Tx>(
    tx: &mut Session<T>,
    args: &IssueReclaimGrantArgs,
) -> Rule<IssueReclaimGrantOutcome> {
    let mut execution = existing(tx, &args.execution_id).await?;
    let execution_id = execution.id.clone();
    if !execution.is_reclaimable() {
        let detail = NOT_RECLAIMABLE.to_owned();
        return Ok(IssueReclaimGrantOutcome::NotReclaimable { detail, execution_id });
    }
    let reclaim_count = execution.reclaim_count;
    if reclaim_count >= cap(&execution, None) {
        return Ok(IssueReclaimGrantOutcome::ReclaimCapExceeded { execution_id, reclaim_count });
    }
    let now = tx.now().await?;
    if execution.is_granted(now) {
        return Err(EngineError::State(StateKind::GrantAlreadyExists).into());
    }
    if execution.lane != args.lane_id {
        return Err(EngineError::Contention(ContentionKind::ExecutionNotInEligibleSet).into());
    }
    check_capabilities(&execution, &args.worker_capabilities)?;
    let expires_at = later(now, args.grant_ttl_ms);
    execution.grant = Some(Grant {
        admission_summary: args.admission_summary.clone(),
        capability_hash: args.capability_hash.clone(),
        route_snapshot_json: args.route_snapshot_json.clone(),
        ..Grant::new((&args.worker_id, &args.worker_instance_id), expires_at)
    });
    tx.put(&execution);
    let (home, key) = named(&execution);
    let until = expires_at.0.unsigned_abs();
    let grant = ReclaimGrant::new(execution_id, home, key, until, execution.lane);
    Ok(IssueReclaimGrantOutcome::Granted(grant))
}

/// Starts a new attempt in place of the one that was left behind (LSE-026, LSE-028, LSE-030, LSE-031), or ends the
/// execution that was taken over too often (LSE-029).
pub(crate) async fn reclaim_execution<T: Tx>(
    tx: &mut Session<T>,
    tag: BackendTag,
    args: &ReclaimExecutionArgs,
) -> Rule<ReclaimExecutionOutcome> {
    let (mut execution, had) =
        existing_for(tx, &args.execution_id, args.lease_id, args.attempt_id).await?;
    let execution_id = execution.id.clone();
    if !execution.is_reclaimable() {
        let detail = NOT_RECLAIMABLE.to_owned();
        return Ok(ReclaimExecutionOutcome::NotReclaimable { detail, execution_id });
    }
    let now = tx.now().await?;
    let grant = execution.grant.as_ref();
    if !grant.is_some_and(|grant| grant.worker == args.worker_id && grant.expires_at > now) {
        return Ok(ReclaimExecutionOutcome::GrantNotFound { execution_id });
    }
    if execution.lane != args.lane_id {
        return Err(EngineError::Contention(ContentionKind::ExecutionNotInEligibleSet).into());
    }
    if let Some(had) = had {
        return Err(had);
    }
    let reclaim_count = execution.reclaim_count;
    if reclaim_count >= cap(&execution, args.max_reclaim_count) {
        execution.failure_reason = Some("max_reclaims_exceeded".to_owned());
        execution.failure_category = None;
        end_attempt(tx, &execution, AttemptLifecycle::EndedFailure, None, now);
        execution.lease = None;
        super::end(tx, &mut execution, TerminalOutcome::Failed, now);
        return Ok(ReclaimExecutionOutcome::ReclaimCapExceeded { execution_id, reclaim_count });
    }
    end_attempt(tx, &execution, AttemptLifecycle::InterruptedReclaimed, None, now);
    execution.reclaim_count += 1;
    let holder = (&args.worker_id, &args.worker_instance_id);
    let lease = Lease::new(args.lease_id, holder, args.lease_ttl_ms, now);
    Ok(reclaimed(tag, start(tx, execution, args.attempt_id, lease, None)?))
}

/// The answer to a takeover.
pub fn reclaimed(tag: BackendTag, payload: HandlePayload) -> ReclaimExecutionOutcome {
    ReclaimExecutionOutcome::Claimed(payload.seal(tag, HandleKind::Reclaimed))
}

const NOT_RECLAIMABLE: &str = "its lease has neither lapsed nor been revoked";

/// How often it may be taken over: as the caller says, or else its policy (LSE-029).
fn cap(execution: &Execution, given: Option<u32>) -> u32 {
    let default = || ExecutionPolicy::default().max_reclaim_count;
    let stored =
        || execution.policy.as_ref().map_or_else(default, |policy| policy.max_reclaim_count);
    given.unwrap_or_else(stored)
}
