//! Whether an execution could run, as far as its dependencies go.

use ff_core::contracts::{EdgeGroupState, EvaluateFlowEligibilityResult};
use ff_core::state::{EligibilityState, LifecyclePhase, OwnershipState};
use ff_core::types::ExecutionId;

use crate::engine::Rule;
use crate::records::{EdgeGroup, Execution};
use crate::session::Session;
use crate::store::Tx;

/// Whether a member's dependencies let it run: the first that applies (DEP-032).
pub(crate) async fn evaluate_eligibility<T: Tx>(
    tx: &mut Session<T>,
    id: &ExecutionId,
) -> Rule<EvaluateFlowEligibilityResult> {
    let status =
        |status: &str| Ok(EvaluateFlowEligibilityResult::Status { status: status.to_owned() });
    let Some(execution) = tx.get(Execution::at(id)).await? else {
        return status("not_found");
    };
    if execution.phase != LifecyclePhase::Runnable {
        return status("not_runnable");
    }
    if execution.ownership != OwnershipState::Unowned {
        return status("owned");
    }
    let group = match execution.flow {
        Some(flow) => tx.get(EdgeGroup::at(&flow, id)).await?,
        None => None,
    };
    let in_state = |state| {
        let found = group.as_ref();
        found.is_some_and(|group| group.group_state == state)
    };
    let waits = group.as_ref().is_some_and(|group| group.running_count > 0);
    let blocked = execution.eligibility == EligibilityState::BlockedByDependencies;
    if in_state(EdgeGroupState::Impossible) {
        status("impossible")
    } else if blocked || (in_state(EdgeGroupState::Pending) && waits) {
        status("blocked_by_dependencies")
    } else {
        status("eligible")
    }
}
