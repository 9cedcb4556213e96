//! Admission blocks: an execution in WAIT is kept from every claim until somebody lifts the block.

use ff_core::contracts::{
    BlockExecutionForAdmissionArgs, BlockExecutionForAdmissionOutcome, BlockRouteArgs,
    BlockRouteOutcome, BlockingReason as Denial,
};
use ff_core::engine_error::{ContentionKind, EngineError};
use ff_core::state::{BlockingReason, EligibilityState};
use ff_core::types::{ExecutionId, LaneId};

use crate::engine::Rule;
use crate::records::Execution;
use crate::session::Session;
use crate::store::Tx;

/// Whether it is blocked, or why not (SCH-009).
type Blocked = Result<(), &'static str>;

/// For the reason that the caller gives (SCH-007, SCH-008, SCH-010).
pub(crate) async fn block_for_admission<T: Tx>(
    tx: &mut Session<T>,
    args: &BlockExecutionForAdmissionArgs,
) -> Rule<BlockExecutionForAdmissionOutcome> {
    let detail = args.reason_detail.as_deref().unwrap_or_default();
    let (execution_id, reason) = (args.execution_id.clone(), args.reason);
    Ok(match block(tx, &execution_id, &args.lane_id, reason, detail).await? {
        Ok(()) => BlockExecutionForAdmissionOutcome::Blocked { execution_id, reason },
        Err(why) => BlockExecutionForAdmissionOutcome::Rejected { message: why.to_owned() },
    })
}

/// Until a worker comes that qualifies (SCH-007, SCH-008, SCH-010).
pub(crate) async fn block_route<T: Tx>(
    tx: &mut Session<T>,
    args: &BlockRouteArgs,
) -> Rule<BlockRouteOutcome> {
    let execution_id = args.execution_id.clone();
    let (lane, detail) = (&args.lane_id, &args.reason_detail);
    Ok(match block(tx, &execution_id, lane, Denial::WaitingForCapableWorker, detail).await? {
        Ok(()) => BlockRouteOutcome::Blocked { execution_id },
        Err(why) => BlockRouteOutcome::Rejected { message: why.to_owned() },
    })
}

async fn block<T: Tx>(
    tx: &mut Session<T>,
    id: &ExecutionId,
    lane: &LaneId,
    denial: Denial,
    detail: &str,
) -> Rule<Blocked> {
    let Some(mut execution) = tx.lock(Execution::at(id)).await? else {
        return Ok(Err("execution_not_found"));
    };
    let (eligibility, reason) = shown_as(denial);
    let is_again = execution.is_blocked() && execution.blocking_reason == reason;
    if execution.is_terminal() {
        return Ok(Err("execution_not_active"));
    }
    if !execution.is_eligible() && !is_again {
        return Ok(Err("execution_not_eligible"));
    }
    if execution.lane != *lane {
        return Ok(Err("execution_not_in_eligible_set"));
    }
    if !is_again {
        execution.block(eligibility, reason, detail, tx.now().await?);
        tx.put(&execution);
    }
    Ok(Ok(()))
}

/// How a blocked execution shows what it waits for.
fn shown_as(denial: Denial) -> (EligibilityState, BlockingReason) {
    match denial {
        Denial::WaitingForBudget => {
            (EligibilityState::BlockedByBudget, BlockingReason::WaitingForBudget)
        }
        Denial::WaitingForQuota => {
            (EligibilityState::BlockedByQuota, BlockingReason::WaitingForQuota)
        }
        _ => (EligibilityState::BlockedByRoute, BlockingReason::WaitingForCapableWorker),
    }
}

/// Lifts the block that the caller expects (SCH-012, SCH-013).
pub(crate) async fn unblock<T: Tx>(
    tx: &mut Session<T>,
    id: &ExecutionId,
    expected: &str,
) -> Rule<()> {
    let Some(mut execution) = tx.lock(Execution::at(id)).await? else {
        return Ok(());
    };
    if !execution.is_blocked() || execution.blocking_reason.as_str() != expected {
        return Err(EngineError::Contention(ContentionKind::ExecutionNotEligible).into());
    }
    execution.make_eligible(tx.now().await?);
    tx.put(&execution);
    Ok(())
}
