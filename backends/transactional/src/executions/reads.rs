//! Reading executions.

use ff_core::contracts::{
    AttemptSummary, ExecutionContext, ExecutionInfo, ExecutionSnapshot, LeaseSummary,
};
use ff_core::engine_error::EngineError;
use ff_core::state::{BlockingReason, OwnershipState, PublicState, TerminalOutcome};
use ff_core::types::{AttemptIndex, ExecutionId, TimestampMs};

use crate::engine::Rule;
use crate::records::{Execution, ExecutionResult, Payload, Tags};
use crate::session::Session;
use crate::store::{StoreError, Tx};

/// The execution at one instant (EXE-016 to EXE-019).
pub(crate) async fn describe<T: Tx>(
    tx: &mut Session<T>,
    id: &ExecutionId,
) -> Rule<Option<ExecutionSnapshot>> {
    let (Some(execution), tags) = tx.get((Execution::at(id), Tags::at(id))).await? else {
        return Ok(None);
    };
    let attempt = execution.shown_attempt();
    Ok(Some(ExecutionSnapshot::new(
        id.clone(),
        execution.flow,
        execution.lane.clone(),
        execution.namespace.clone(),
        execution.public_state(),
        blocking_reason(&execution),
        Some(execution.blocking_detail.clone()).filter(|detail| !detail.is_empty()),
        attempt.map(|attempt| AttemptSummary::new(attempt.id, attempt.index)),
        lease_summary(&execution),
        execution.suspended().map(|suspended| suspended.waitpoint),
        execution.created_at,
        execution.last_mutation_at,
        execution.total_attempts,
        tags.map(|found| found.tags).unwrap_or_default(),
    )))
}

/// The execution, for dashboards (EXE-020, EXE-048).
pub(crate) async fn read_info<T: Tx>(
    tx: &mut Session<T>,
    id: &ExecutionId,
) -> Rule<Option<ExecutionInfo>> {
    let Some(execution) = tx.get(Execution::at(id)).await? else {
        return Ok(None);
    };
    let text = |at: TimestampMs| at.to_string();
    let state_vector = execution.state_vector();
    Ok(Some(ExecutionInfo {
        execution_id: execution.id,
        namespace: execution.namespace.0,
        lane_id: execution.lane.0,
        priority: execution.priority,
        execution_kind: execution.kind,
        public_state: state_vector.public_state,
        state_vector,
        blocking_detail: execution.blocking_detail,
        current_attempt_index: execution.attempt.map_or(0, |attempt| attempt.index.0),
        flow_id: execution.flow.map(|flow| flow.to_string()),
        created_at: text(execution.created_at),
        started_at: execution.started_at.map(text),
        completed_at: execution.completed_at.map(text),
    }))
}

/// EXE-021.
pub(crate) async fn read_state<T: Tx>(
    tx: &mut Session<T>,
    id: &ExecutionId,
) -> Rule<Option<PublicState>> {
    let found = tx.get(Execution::at(id)).await?;
    Ok(found.map(|execution| execution.public_state()))
}

/// EXE-022.
pub(crate) async fn read_context<T: Tx>(
    tx: &mut Session<T>,
    id: &ExecutionId,
) -> Rule<ExecutionContext> {
    let asked = (Execution::at(id), Payload::at(id), Tags::at(id));
    let (execution, payload, tags) = tx.get(asked).await?;
    let execution = known(id, execution)?;
    let payload = payload.ok_or_else(|| StoreError::Corrupt {
        record: "payload",
        detail: format!("{id} has none"),
    })?;
    let tags = tags.map(|found| found.tags).unwrap_or_default();
    Ok(ExecutionContext::new(payload.bytes.into_vec(), execution.kind, tags.into_iter().collect()))
}

/// EXE-023.
pub(crate) async fn get_result<T: Tx>(
    tx: &mut Session<T>,
    id: &ExecutionId,
) -> Rule<Option<Vec<u8>>> {
    let (execution, result) = tx.get((Execution::at(id), ExecutionResult::at(id))).await?;
    let succeeded = |execution: Execution| execution.outcome == TerminalOutcome::Success;
    let result = result.filter(|_| execution.is_some_and(succeeded));
    Ok(result.map(|result| result.bytes.into_vec()))
}

/// EXE-024.
pub(crate) async fn get_namespace<T: Tx>(
    tx: &mut Session<T>,
    id: &ExecutionId,
) -> Rule<Option<String>> {
    let found = tx.get(Execution::at(id)).await?;
    Ok(found.map(|execution| execution.namespace.0))
}

/// ATT-001, ATT-002, ATT-030.
pub(crate) async fn current_attempt<T: Tx>(
    tx: &mut Session<T>,
    id: &ExecutionId,
) -> Rule<AttemptIndex> {
    let attempt = read_known(tx, id).await?.attempt;
    Ok(attempt.map_or(AttemptIndex::new(0), |attempt| attempt.index))
}

/// ATT-001, ATT-002, ATT-030.
pub(crate) async fn total_attempts<T: Tx>(
    tx: &mut Session<T>,
    id: &ExecutionId,
) -> Rule<AttemptIndex> {
    Ok(AttemptIndex::new(read_known(tx, id).await?.total_attempts))
}

/// The execution, or the refusal that reads without an empty answer give.
fn known(id: &ExecutionId, found: Option<Execution>) -> Rule<Execution> {
    Ok(found.ok_or_else(|| EngineError::invalid_input(format!("there is no execution {id}")))?)
}

async fn read_known<T: Tx>(tx: &mut Session<T>, id: &ExecutionId) -> Rule<Execution> {
    let found = tx.get(Execution::at(id)).await?;
    known(id, found)
}

/// EXE-018.
pub(super) fn blocking_reason(execution: &Execution) -> Option<String> {
    let reason = execution.blocking_reason;
    (reason != BlockingReason::None).then(|| reason.as_str().to_owned())
}

/// EXE-017.
fn lease_summary(execution: &Execution) -> Option<LeaseSummary> {
    if execution.ownership != OwnershipState::Leased {
        return None;
    }
    let lease = execution.lease.as_ref()?;
    let attempt = execution.attempt?;
    Some(
        LeaseSummary::new(execution.epoch, lease.worker_instance.clone(), lease.expires_at)
            .with_lease_id(lease.id)
            .with_attempt_index(attempt.index)
            .with_last_heartbeat_at(lease.renewed_at.unwrap_or(lease.acquired_at)),
    )
}
