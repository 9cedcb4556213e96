//! Grants: an execution in WAIT is kept for a worker until it claims it, or until it is too late.

use std::collections::BTreeSet;

use ff_core::contracts::{IssueClaimGrantArgs, IssueClaimGrantOutcome};
use ff_core::engine_error::{ContentionKind, EngineError, StateKind, ValidationKind};
use ff_core::partition::{Partition, PartitionFamily, PartitionKey};
use ff_core::types::{LaneId, TimestampMs, WorkerId};

use super::create::later;
use super::existing;
use crate::engine::Rule;
use crate::records::{Execution, Grant};
use crate::session::Session;
use crate::store::Tx;

/// How many executions stand in their queues again by one transaction.
const MOST: usize = 128;

/// Keeps an execution for a worker, and changes nothing that is shown (CLM-013, CLM-018).
pub(crate) async fn issue_claim_grant<T: Tx>(
    tx: &mut Session<T>,
    args: &IssueClaimGrantArgs,
) -> Rule<IssueClaimGrantOutcome> {
    let mut execution = existing(tx, &args.execution_id).await?;
    let now = tx.now().await?;
    free(&execution, &args.lane_id, now)?;
    check_capabilities(&execution, &args.worker_capabilities)?;
    let holder = (&args.worker_id, &args.worker_instance_id);
    execution.grant = Some(Grant {
        admission_summary: args.admission_summary.clone(),
        capability_hash: args.capability_hash.clone(),
        route_snapshot_json: args.route_snapshot_json.clone(),
        ..Grant::new(holder, later(now, args.grant_ttl_ms))
    });
    tx.put(&execution);
    Ok(IssueClaimGrantOutcome::Granted { execution_id: execution.id })
}

/// Whether the execution is in WAIT, without a grant that lasts, and of this lane (CLM-019, CLM-029).
pub(super) fn free(
    execution: &Execution,
    lane: &LaneId,
    now: TimestampMs,
) -> Result<(), EngineError> {
    if !execution.is_eligible() {
        return Err(EngineError::Contention(ContentionKind::ExecutionNotEligible));
    }
    if execution.is_granted(now) {
        return Err(EngineError::State(StateKind::GrantAlreadyExists));
    }
    if execution.lane != *lane {
        return Err(EngineError::Contention(ContentionKind::ExecutionNotInEligibleSet));
    }
    Ok(())
}

/// Whether a worker that offers this qualifies (CLM-016, CLM-017).
pub(super) fn check_capabilities(
    execution: &Execution,
    offered: &BTreeSet<String>,
) -> Result<(), EngineError> {
    let missing = execution.requirements.difference(offered);
    let missing: Vec<&str> = missing.map(String::as_str).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(EngineError::validation(ValidationKind::CapabilityMismatch, missing.join(",")))
}

/// Where the execution is, and what a grant of it is called.
pub(super) fn named(execution: &Execution) -> (PartitionKey, String) {
    let home = Partition { family: PartitionFamily::Flow, index: execution.id.partition() };
    (PartitionKey::from(&home), format!("{}:{}", execution.id, execution.epoch))
}

/// Whether the worker may redeem a grant of the execution (CLM-022, SUS-038, SUS-051).
pub(crate) fn check(
    execution: &Execution,
    worker: &WorkerId,
    lane: &LaneId,
    now: TimestampMs,
) -> Result<(), EngineError> {
    let grant = execution.grant.as_ref().filter(|grant| grant.worker == *worker);
    match grant {
        None => Err(EngineError::Contention(ContentionKind::InvalidClaimGrant)),
        Some(grant) if grant.expires_at <= now => {
            Err(EngineError::Contention(ContentionKind::ClaimGrantExpired))
        }
        Some(_) if execution.lane != *lane => {
            Err(EngineError::Contention(ContentionKind::ExecutionNotInEligibleSet))
        }
        Some(_) => Ok(()),
    }
}

/// Executions whose grants have run out stand in their queues again (CLM-014).
pub(crate) async fn put_back<T: Tx>(tx: &mut Session<T>) -> Rule<()> {
    let now = tx.now().await?;
    let reserved = tx.lock(Execution::RESERVED.all().up_to(&now).limit(MOST)).await?;
    for mut execution in reserved {
        if let Some(grant) = &mut execution.grant {
            grant.is_over = true;
        }
        tx.put(&execution);
    }
    Ok(())
}
