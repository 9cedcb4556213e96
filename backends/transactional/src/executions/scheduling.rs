//! Making delayed work claimable.

use ff_core::state::EligibilityState;
use ff_core::types::ExecutionId;

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
