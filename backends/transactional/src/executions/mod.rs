//! The chapter of executions: creation, reads, claims, leases, attempts.

mod attempt;
mod claim;
mod create;
mod fields;
mod lease;
mod list;
mod read;
mod replay;
mod tags;

pub(crate) use attempt::{cancel, complete, end_attempt, fail, wait_children};
pub(crate) use claim::{claim, promote_delayed};
pub(crate) use create::{create, later};
pub(crate) use fields::read_core_fields;
pub(crate) use lease::{mark_lease_expired_if_due, progress, renew};
pub(crate) use list::{list, list_lanes};
pub(crate) use read::{
    current_attempt, describe, get_namespace, get_result, read_context, read_info, read_state,
    total_attempts,
};
pub(crate) use replay::replay;
pub(crate) use tags::{get_tag, set_tag};

use ff_core::engine_error::EngineError;
use ff_core::state::TerminalOutcome;
use ff_core::types::{ExecutionId, TimestampMs};

use crate::engine::Rule;
use crate::record::{CompletionRecord, Execution};
use crate::store::Tx;

/// The execution, or the refusal that changes get (SYS-016).
pub(crate) async fn existing<T: Tx>(tx: &mut T, id: &ExecutionId) -> Rule<Execution> {
    let found = tx.execution(id).await?;
    Ok(found.ok_or(EngineError::NotFound {
        entity: "execution",
    })?)
}

/// Ends an execution and tells the outbox.
pub(crate) async fn end<T: Tx>(
    tx: &mut T,
    execution: &mut Execution,
    outcome: TerminalOutcome,
    now: TimestampMs,
) -> Rule<()> {
    execution.end(outcome, now);
    tx.update_execution(execution).await?;
    let completion = CompletionRecord {
        execution: execution.id.clone(),
        flow: execution.flow,
        namespace: execution.namespace.clone(),
        outcome,
        at: now,
    };
    Ok(tx.append_completion(&completion).await?)
}
