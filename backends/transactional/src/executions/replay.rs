//! Running again what has ended.

use ff_core::contracts::ReplayExecutionResult;
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::policy::ExecutionPolicy;
use ff_core::state::TerminalOutcome;
use ff_core::types::ExecutionId;

use super::existing;
use crate::engine::Rule;
use crate::flows;
use crate::records::ExecutionResult;
use crate::session::Session;
use crate::store::Tx;

/// Makes a terminal execution runnable again, in the order of checks of OPS-012. A skipped member waits
/// for its dependencies anew (DEP-037, DEP-038).
pub(crate) async fn replay<T: Tx>(
    tx: &mut Session<T>,
    id: &ExecutionId,
) -> Rule<ReplayExecutionResult> {
    let flow = flows::lock_flow_of(tx, id).await?;
    let mut execution = existing(tx, id).await?;
    flows::still_of(&execution, flow)?;
    if !execution.is_terminal() {
        return Err(EngineError::State(StateKind::ExecutionNotTerminal).into());
    }
    let policy = execution.policy.as_ref();
    let limit = policy
        .map_or(ExecutionPolicy::default().max_replay_count, |policy| policy.max_replay_count);
    if execution.replay_count >= limit {
        return Err(EngineError::State(StateKind::MaxReplaysExhausted).into());
    }
    let now = tx.now().await?;
    let skipped = execution.outcome == TerminalOutcome::Skipped;
    execution.replay(now);
    if let Some(flow) = flow {
        flows::forget_cancellation(tx, &flow, id).await?;
        if skipped && flows::reopen(tx, &flow, id).await? {
            execution.block_by_dependencies(now);
        }
    }
    tx.put(&execution);
    tx.remove(ExecutionResult::at(id));
    Ok(ReplayExecutionResult::Replayed { public_state: execution.public_state() })
}
