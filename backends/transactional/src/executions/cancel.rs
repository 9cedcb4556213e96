//! Ending an execution over its holder's head.

use ff_core::contracts::{CancelExecutionArgs, CancelExecutionResult};
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::state::{AttemptLifecycle, LifecyclePhase, PublicState, TerminalOutcome};
use ff_core::types::{CancelSource, LeaseFence};

use super::leases::{Holder, hold};
use super::{end, existing};
use crate::engine::Rule;
use crate::flows::{interrupt, tell_revoked};
use crate::session::Session;
use crate::store::Tx;

/// Ends the execution on the source's authority (OPS-001 to OPS-004, EXE-051).
pub(crate) async fn cancel_execution<T: Tx>(
    tx: &mut Session<T>,
    args: &CancelExecutionArgs,
) -> Rule<CancelExecutionResult> {
    let mut execution = existing(tx, &args.execution_id).await?;
    if execution.is_terminal() {
        return match execution.outcome {
            TerminalOutcome::Cancelled => Ok(cancelled(args)),
            _ => Err(EngineError::State(StateKind::Terminal).into()),
        };
    }
    let now = tx.now().await?;
    if needs_fence(&args.source) && execution.phase == LifecyclePhase::Active {
        let fence = fence_of(args)?;
        hold(tx, &mut execution, &Holder::named(&args.execution_id, &fence), now)?;
    }
    if let Some(lease) = interrupt(tx, &mut execution, AttemptLifecycle::EndedCancelled, None, now)
    {
        tell_revoked(tx, &execution, Some(lease), "operator", now);
    }
    execution.cancellation_reason = Some(args.reason.clone());
    execution.cancelled_by = Some(args.source.as_str().to_owned());
    end(tx, &mut execution, TerminalOutcome::Cancelled, now);
    Ok(cancelled(args))
}

fn cancelled(args: &CancelExecutionArgs) -> CancelExecutionResult {
    CancelExecutionResult::Cancelled {
        execution_id: args.execution_id.clone(),
        public_state: PublicState::Cancelled,
    }
}

/// Whether the source stands for a worker, who has to hold the lease (OPS-003).
fn needs_fence(source: &CancelSource) -> bool {
    matches!(source, CancelSource::LeaseHolder | CancelSource::Custom(_))
}

fn fence_of(args: &CancelExecutionArgs) -> Result<LeaseFence, EngineError> {
    match (args.lease_id, args.lease_epoch, args.attempt_id) {
        (Some(lease_id), Some(lease_epoch), Some(attempt_id)) => {
            Ok(LeaseFence { lease_id, lease_epoch, attempt_id })
        }
        (None, None, None) => Err(EngineError::invalid_input("fence_required")),
        _ => Err(EngineError::invalid_input("partial_fence_triple")),
    }
}
