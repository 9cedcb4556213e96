//! Budgets that keep executions from claims.

use ff_core::partition::PartitionConfig;
use ff_core::state::{BlockingReason, EligibilityState};
use ff_core::types::{BudgetId, ExecutionId};

use crate::engine::Rule;
use crate::records::{Budget, Execution};
use crate::session::Session;
use crate::store::Tx;

impl Budget {
    /// Whether one of its hard limits is reached (BUD-045).
    pub(crate) fn is_exhausted(&self) -> bool {
        let limits = self.definition.iter().flat_map(|definition| &definition.limits);
        limits.into_iter().any(|(name, limits)| limits.hard > 0 && self.used(name) >= limits.hard)
    }
}

/// The first of the execution's budgets that is exhausted.
pub(crate) async fn exhausted<T: Tx>(
    tx: &mut Session<T>,
    partitions: &PartitionConfig,
    execution: &Execution,
) -> Rule<Option<BudgetId>> {
    let ids = execution.policy.as_ref().map_or(&[][..], |policy| &policy.budget_ids);
    if ids.is_empty() {
        return Ok(None);
    }
    let budgets: Vec<_> = ids.iter().map(|id| Budget::named(id, partitions)).collect();
    let found = tx.get(budgets).await?.into_iter().flatten();
    let mut exhausted = found.filter(Budget::is_exhausted);
    Ok(exhausted.next().map(|budget| budget.id))
}

/// BUDGET, if that is still so (BUD-046).
pub(crate) async fn deny<T: Tx>(
    tx: &mut Session<T>,
    partitions: &PartitionConfig,
    id: &ExecutionId,
) -> Rule<()> {
    let Some(mut execution) = tx.lock(Execution::at(id)).await? else {
        return Ok(());
    };
    let is_open = execution.is_claimable() || execution.is_resumable();
    if is_open && let Some(budget) = exhausted(tx, partitions, &execution).await? {
        let (state, reason) = (EligibilityState::BlockedByBudget, BlockingReason::WaitingForBudget);
        execution.block(state, reason, &budget.to_string(), tx.now().await?);
        execution.denied_by = Some(budget);
        tx.put(&execution);
    }
    Ok(())
}
