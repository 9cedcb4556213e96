//! Budgets that keep executions from claims: they are in partitions of their own, and are asked there.

use ff_core::call::Call;
use ff_core::engine_error::EngineError;
use ff_core::partition::{Partition, PartitionConfig, PartitionFamily, budget_partition};
use ff_core::types::{BudgetId, ExecutionId};
use serde::Deserialize;

use crate::everywhere::together;
use crate::server::{Fcall, Server, transport};
use crate::wire::Wire;

/// What a claim has to ask before it takes an execution.
#[derive(Deserialize)]
pub(crate) struct Asks {
    pub(crate) execution_id: ExecutionId,
    budget_ids: Vec<BudgetId>,
}

/// The budgets of a deployment.
pub(crate) struct Budgets<'s> {
    pub(crate) server: &'s Server,
    pub(crate) partitions: &'s PartitionConfig,
}

impl Budgets<'_> {
    /// Whether nothing keeps the execution from the claim; otherwise it is blocked (BUD-046).
    pub(crate) async fn admit(&self, asks: &Asks) -> Result<bool, EngineError> {
        let exhausted = self.exhausted(&asks.budget_ids).await?;
        let mut exhausted = asks.budget_ids.iter().zip(exhausted).filter(|(_, it)| *it);
        let Some((budget, _)) = exhausted.next() else {
            return Ok(true);
        };
        let arguments = Wire::map([
            ("execution_id", Wire::of(&asks.execution_id).map_err(transport)?),
            ("budget_id", Wire::of(budget).map_err(transport)?),
        ]);
        let home = asks.execution_id.partition();
        let deny = self.server.fcall("deny", false, home, &arguments, None)?;
        self.server.call(&deny).await.map(|_| false)
    }

    /// Which of these are exhausted, in one round trip.
    async fn exhausted(&self, budgets: &[BudgetId]) -> Result<Vec<bool>, EngineError> {
        let ask = |budget: &BudgetId| {
            let arguments = Wire::map([("budget_id", Wire::of(budget).map_err(transport)?)]);
            let home = budget_partition(budget, self.partitions);
            self.server.fcall("is_exhausted", true, home, &arguments, None)
        };
        let asked: Result<Vec<Fcall>, EngineError> = budgets.iter().map(ask).collect();
        let answers = together(self.server, &asked?).await?;
        let told = answers.into_iter().map(|told| told?.content.into().map_err(transport));
        told.collect()
    }

    /// The calls that lift the blocks in a partition for want of a budget which has room again, at most so many.
    pub(crate) async fn admit_again(
        &self,
        partition: u16,
        limit: usize,
    ) -> Result<Vec<Call>, EngineError> {
        let awaited =
            self.server.fcall("awaited_budgets", true, partition, &Wire::map([]), None)?;
        let awaited: Vec<BudgetId> = self.server.call(&awaited).await?.into().map_err(transport)?;
        let exhausted = self.exhausted(&awaited).await?;
        let mut calls: Vec<Call> = Vec::new();
        for (budget, _) in awaited.iter().zip(exhausted).filter(|(_, exhausted)| !exhausted) {
            let arguments = Wire::map([
                ("budget_id", Wire::of(budget).map_err(transport)?),
                ("limit", Wire::of(&(limit - calls.len())).map_err(transport)?),
            ]);
            let again = self.server.fcall("admit_again", true, partition, &arguments, None)?;
            let again: Vec<Call> = self.server.call(&again).await?.into().map_err(transport)?;
            calls.extend(again);
            if calls.len() == limit {
                break;
            }
        }
        Ok(calls)
    }

    /// What is due in a partition (HSK-001 to HSK-014).
    pub(crate) async fn due(
        &self,
        home: Partition,
        limit: usize,
    ) -> Result<Vec<Call>, EngineError> {
        let function = match home.family {
            PartitionFamily::Budget => "due_budgets",
            PartitionFamily::Quota => return Ok(Vec::new()),
            PartitionFamily::Flow | PartitionFamily::Execution => "due",
        };
        let arguments = Wire::map([("limit", Wire::of(&limit).map_err(transport)?)]);
        let fcall = self.server.fcall(function, true, home, &arguments, None)?;
        let mut calls: Vec<Call> = self.server.call(&fcall).await?.into().map_err(transport)?;
        if function == "due" && calls.len() < limit {
            calls.extend(self.admit_again(home.index, limit - calls.len()).await?);
        }
        Ok(calls)
    }
}
