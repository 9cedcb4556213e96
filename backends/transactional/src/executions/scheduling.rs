//! Making delayed work claimable, and changing its place.

use ff_core::contracts::{ChangePriorityArgs, ChangePriorityResult};
use ff_core::engine_error::{ContentionKind, EngineError};
use ff_core::state::EligibilityState;
use ff_core::types::ExecutionId;

use super::{clamped, existing};
use crate::engine::Rule;
use crate::records::Execution;
use crate::session::Session;
use crate::store::Tx;

/// Makes a delayed execution claimable once its time is due (SCH-015), else does nothing
/// (SCH-016).
pub(crate) async fn promote_delayed<T: Tx>(tx: &mut Session<T>, id: &ExecutionId) -> Rule<()> {
    let Some(mut execution) = tx.lock(Execution::at(id)).await? else {
        return Ok(());
    };
    let now = tx.now().await?;
    let delayed = execution.eligibility == EligibilityState::NotEligibleUntilTime;
    if delayed && execution.delay_until.is_none_or(|until| until <= now) {
        execution.make_eligible(now);
        tx.put(&execution);
    }
    Ok(())
}

/// Gives an execution in WAIT the place of another priority (OPS-006, OPS-007).
pub(crate) async fn change_priority<T: Tx>(
    tx: &mut Session<T>,
    args: &ChangePriorityArgs,
) -> Rule<ChangePriorityResult> {
    let mut execution = existing(tx, &args.execution_id).await?;
    if !execution.is_eligible() {
        return Err(EngineError::Contention(ContentionKind::ExecutionNotEligible).into());
    }
    if !args.lane_id.as_str().is_empty() && args.lane_id != execution.lane {
        return Err(EngineError::Contention(ContentionKind::ExecutionNotInEligibleSet).into());
    }
    let priority = clamped(args.new_priority);
    if priority != execution.priority {
        execution.priority = priority;
        execution.touch(tx.now().await?);
        tx.put(&execution);
    }
    Ok(ChangePriorityResult::Changed { execution_id: execution.id })
}
