//! The ends that time brings: of an attempt, and of the whole execution.

use ff_core::engine_backend::ExpirePhase;
use ff_core::state::{AttemptLifecycle, TerminalOutcome};
use ff_core::types::ExecutionId;

use super::end;
use super::leases::emit;
use super::retries::retry_at;
use crate::engine::Rule;
use crate::flows::interrupt;
use crate::records::{CloseReason, Execution, LeaseEventKind};
use crate::session::Session;
use crate::store::Tx;

/// Both are failures of this category.
const CATEGORY: &str = "timeout";

/// Does what is due to be done, or nothing (ATT-025 to ATT-027, ATT-039).
pub(crate) async fn expire<T: Tx>(
    tx: &mut Session<T>,
    id: &ExecutionId,
    phase: ExpirePhase,
) -> Rule<()> {
    let Some(mut execution) = tx.lock(Execution::at(id)).await? else {
        return Ok(());
    };
    let now = tx.now().await?;
    let limit = match phase {
        ExpirePhase::AttemptTimeout => execution.attempt_limit(),
        ExpirePhase::ExecutionDeadline => execution.deadline(),
    };
    if limit.is_none_or(|limit| limit > now) {
        return Ok(());
    }
    execution.failure_reason = Some(phase.as_str().to_owned());
    execution.failure_category = Some(CATEGORY.to_owned());
    if execution.is_held() {
        emit(tx, &execution, LeaseEventKind::Expired, now);
    }
    let (ended, reason) = (AttemptLifecycle::EndedFailure, Some(CloseReason::Expired));
    interrupt(tx, &mut execution, ended, reason, now);
    let retry_at = match phase {
        ExpirePhase::AttemptTimeout => retry_at(&execution, None, CATEGORY, now),
        ExpirePhase::ExecutionDeadline => None,
    };
    match retry_at {
        Some(until) => {
            execution.retry(until, now);
            tx.put(&execution);
        }
        None => end(tx, &mut execution, TerminalOutcome::Expired, now),
    }
    Ok(())
}
