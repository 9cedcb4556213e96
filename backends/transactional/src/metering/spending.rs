//! What was counted in an execution's name, and taking it back.

use ff_core::contracts::ReleaseBudgetArgs;
use ff_core::partition::PartitionConfig;

use crate::engine::Rule;
use crate::records::{Budget, Spend};
use crate::session::Session;
use crate::store::Tx;

/// BUD-018, BUD-019, BUD-021.
pub(crate) async fn release<T: Tx>(
    tx: &mut Session<T>,
    partitions: &PartitionConfig,
    args: &ReleaseBudgetArgs,
) -> Rule<()> {
    let budget = Budget::named(&args.budget_id, partitions);
    let spend = Spend::at(&args.budget_id, &args.execution_id);
    let (budget, spend) = tx.lock((budget, spend.clone())).await?;
    let (Some(mut budget), Some(spend)) = (budget, spend) else {
        return Ok(());
    };
    if spend.reset_count == budget.reset_count {
        for (name, amount) in &spend.amounts {
            if let Some(used) = budget.usage.get_mut(name) {
                *used = used.saturating_sub(*amount);
            }
        }
        tx.put(&budget);
    }
    tx.remove_all(vec![spend]);
    Ok(())
}
