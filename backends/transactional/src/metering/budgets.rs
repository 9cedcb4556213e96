//! Budgets: their definitions, and what they show.

use std::collections::BTreeMap;

use ff_core::contracts::{
    BudgetStatus, BudgetUsageAndLimits, CreateBudgetArgs, CreateBudgetResult, ResetBudgetArgs,
    ResetBudgetResult,
};
use ff_core::engine_error::EngineError;
use ff_core::partition::{PartitionConfig, budget_partition};
use ff_core::types::{BudgetId, TimestampMs};

use crate::engine::Rule;
use crate::executions::later;
use crate::records::{At, Budget, BudgetDefinition, Limits};
use crate::session::Session;
use crate::store::Tx;

impl Budget {
    pub(crate) fn named(id: &BudgetId, partitions: &PartitionConfig) -> At<Self> {
        Self::at(&budget_partition(id, partitions).index, id)
    }

    /// Of which nothing is known.
    pub(super) fn new(id: BudgetId, partitions: &PartitionConfig) -> Self {
        Self {
            partition: budget_partition(&id, partitions).index,
            id,
            definition: None,
            usage: BTreeMap::new(),
            breach_count: 0,
            soft_breach_count: 0,
            last_breach: None,
            next_reset_at: None,
            reset_count: 0,
        }
    }

    pub(super) fn used(&self, dimension: &str) -> u64 {
        self.usage.get(dimension).copied().unwrap_or(0)
    }

    pub(super) fn limits(&self, dimension: &str) -> Limits {
        let limits = self.definition.as_ref().and_then(|known| known.limits.get(dimension));
        limits.copied().unwrap_or(Limits { hard: 0, soft: 0 })
    }

    /// Counts from here on until the next reset (BUD-031, BUD-033).
    fn start_interval(&mut self, now: TimestampMs) {
        let interval = self.definition.as_ref().map_or(0, |known| known.reset_interval_ms);
        self.next_reset_at = (interval > 0).then(|| later(now, interval));
    }
}

/// The definition, or the refusal that what needs one gets (BUD-034).
fn defined(budget: Option<&Budget>) -> Rule<&BudgetDefinition> {
    let defined = budget.and_then(|budget| budget.definition.as_ref());
    Ok(defined.ok_or(EngineError::NotFound { entity: "budget" })?)
}

/// BUD-004, BUD-005.
pub(crate) async fn create<T: Tx>(
    tx: &mut Session<T>,
    partitions: &PartitionConfig,
    args: &CreateBudgetArgs,
) -> Rule<CreateBudgetResult> {
    let budget_id = args.budget_id;
    let known = tx.lock(Budget::named(&budget_id, partitions)).await?;
    if known.as_ref().is_some_and(|known| known.definition.is_some()) {
        return Ok(CreateBudgetResult::AlreadySatisfied { budget_id });
    }
    let now = tx.now().await?;
    let limits = args.hard_limits.iter().zip(&args.soft_limits);
    let limits = limits.map(|(hard, soft)| Limits { hard: *hard, soft: *soft });
    let mut budget = known.unwrap_or_else(|| Budget::new(budget_id, partitions));
    budget.definition = Some(BudgetDefinition {
        scope_type: args.scope_type.clone(),
        scope_id: args.scope_id.clone(),
        enforcement_mode: args.enforcement_mode.clone(),
        on_hard_limit: args.on_hard_limit.clone(),
        on_soft_limit: args.on_soft_limit.clone(),
        reset_interval_ms: args.reset_interval_ms,
        limits: args.dimensions.iter().cloned().zip(limits).collect(),
        created_at: now,
    });
    budget.start_interval(now);
    tx.put(&budget);
    Ok(CreateBudgetResult::Created { budget_id })
}

/// BUD-020, BUD-032, BUD-033.
pub(crate) async fn reset<T: Tx>(
    tx: &mut Session<T>,
    partitions: &PartitionConfig,
    args: &ResetBudgetArgs,
) -> Rule<ResetBudgetResult> {
    let known = tx.lock(Budget::named(&args.budget_id, partitions)).await?;
    defined(known.as_ref())?;
    let now = tx.now().await?;
    let mut budget = known.unwrap_or_else(|| Budget::new(args.budget_id, partitions));
    budget.usage.values_mut().for_each(|used| *used = 0);
    budget.last_breach = None;
    budget.reset_count += 1;
    budget.start_interval(now);
    tx.put(&budget);
    Ok(ResetBudgetResult::Reset { next_reset_at: budget.next_reset_at.unwrap_or(TimestampMs(0)) })
}

/// BUD-023, BUD-030, BUD-031.
pub(crate) async fn status<T: Tx>(
    tx: &mut Session<T>,
    partitions: &PartitionConfig,
    id: &BudgetId,
) -> Rule<BudgetStatus> {
    let budget = tx.get(Budget::named(id, partitions)).await?;
    let definition = defined(budget.as_ref())?.clone();
    let budget = budget.unwrap_or_else(|| Budget::new(*id, partitions));
    let shown = |time: Option<TimestampMs>| time.map(|time| time.0.to_string());
    let limits = definition.limits.iter();
    Ok(BudgetStatus {
        breach_count: budget.breach_count,
        budget_id: id.to_string(),
        created_at: shown(Some(definition.created_at)),
        enforcement_mode: definition.enforcement_mode,
        hard_limits: limits.clone().map(|(name, limits)| (name.clone(), limits.hard)).collect(),
        last_breach_at: shown(budget.last_breach.as_ref().map(|breach| breach.at)),
        last_breach_dim: budget.last_breach.map(|breach| breach.dimension),
        next_reset_at: shown(budget.next_reset_at),
        scope_id: definition.scope_id,
        scope_type: definition.scope_type,
        soft_breach_count: budget.soft_breach_count,
        soft_limits: limits.map(|(name, limits)| (name.clone(), limits.soft)).collect(),
        usage: budget.usage.into_iter().collect(),
    })
}

/// BUD-024, BUD-035.
pub(crate) async fn limits<T: Tx>(
    tx: &mut Session<T>,
    partitions: &PartitionConfig,
    id: &BudgetId,
) -> Rule<BudgetUsageAndLimits> {
    let found = tx.get(Budget::named(id, partitions)).await?;
    let mut shown = BudgetUsageAndLimits::empty();
    let Some((definition, usage)) = found.and_then(|it| Some((it.definition?, it.usage))) else {
        return Ok(shown);
    };
    if definition.limits.is_empty() {
        return Ok(shown);
    }
    for (name, limits) in definition.limits {
        shown.limits.insert(format!("hard:{name}"), limits.hard.to_string());
        shown.limits.insert(format!("soft:{name}"), limits.soft.to_string());
        shown.usage.insert(name, 0);
    }
    shown.usage.extend(usage);
    Ok(shown)
}
