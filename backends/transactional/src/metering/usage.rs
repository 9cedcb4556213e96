//! Counting usage against a budget, and its limits.

use std::collections::BTreeMap;

use ff_core::backend::UsageDimensions;
use ff_core::contracts::{RecordSpendArgs, ReportUsageAdminArgs, ReportUsageResult};
use ff_core::engine_error::EngineError;
use ff_core::partition::PartitionConfig;
use ff_core::types::{BudgetId, ExecutionId, MAX_INTEGER};

use super::digest;
use crate::engine::Rule;
use crate::executions::later;
use crate::records::{Breach, Budget, Spend, UsageKey};
use crate::session::Session;
use crate::store::Tx;

/// For how long a key is kept, in milliseconds (BUD-040).
const KEPT_MS: u64 = 86_400_000;

/// Dimensions of a budget that are ever counted (BUD-041).
const MAX_COUNTED: usize = 1_024;

/// The built-in counters of a report (BUD-007).
pub(crate) fn built_in(of: &UsageDimensions) -> [(&'static str, u64); 3] {
    [
        ("input_tokens", of.input_tokens),
        ("output_tokens", of.output_tokens),
        ("wall_ms", of.wall_ms.unwrap_or(0)),
    ]
}

/// What is to be counted.
pub(crate) struct Report<'a> {
    pub(crate) budget: BudgetId,
    /// By dimension.
    pub(crate) deltas: BTreeMap<&'a str, u64>,
    pub(crate) key: Option<&'a str>,
    /// In whose name.
    pub(crate) execution: Option<&'a ExecutionId>,
}

impl<'a> Report<'a> {
    /// BUD-007.
    pub(crate) fn of_attempt(
        budget: &BudgetId,
        dimensions: &'a UsageDimensions,
        execution: &'a ExecutionId,
    ) -> Self {
        let custom = dimensions.custom.iter().map(|(name, delta)| (name.as_str(), *delta));
        let built_in = built_in(dimensions).into_iter().filter(|(_, delta)| *delta > 0);
        Self {
            budget: *budget,
            deltas: custom.chain(built_in).collect(),
            key: dimensions.dedup_key.as_deref(),
            execution: Some(execution),
        }
    }

    /// BUD-037.
    pub(crate) fn of_operator(budget: &BudgetId, args: &'a ReportUsageAdminArgs) -> Self {
        let names = args.dimensions.iter().map(String::as_str);
        Self {
            budget: *budget,
            deltas: names.zip(args.deltas.iter().copied()).collect(),
            key: args.dedup_key.as_deref(),
            execution: None,
        }
    }

    /// BUD-017.
    pub(crate) fn of_spend(args: &'a RecordSpendArgs) -> Self {
        Self {
            budget: args.budget_id,
            deltas: args.deltas.iter().map(|(name, delta)| (name.as_str(), *delta)).collect(),
            key: Some(&args.idempotency_key),
            execution: Some(&args.execution_id),
        }
    }
}

/// Counts all of a report or nothing (BUD-010, BUD-011, BUD-014).
pub(crate) async fn report<T: Tx>(
    tx: &mut Session<T>,
    partitions: &PartitionConfig,
    report: Report<'_>,
) -> Rule<ReportUsageResult> {
    let key = report.key.filter(|key| !key.is_empty()).map(digest);
    let keys: Vec<_> = key.iter().map(|key| UsageKey::at(&report.budget, key)).collect();
    let spends: Vec<_> =
        report.execution.iter().map(|execution| Spend::at(&report.budget, execution)).collect();
    let at = Budget::named(&report.budget, partitions);
    let (known, keys, spends) = tx.lock((at, keys, spends)).await?;
    let now = tx.now().await?;
    if keys.into_iter().flatten().any(|key| key.expires_at > now) {
        return Ok(ReportUsageResult::AlreadyApplied);
    }
    let mut budget = known.unwrap_or_else(|| Budget::new(report.budget, partitions));
    if let Some(breach) = hard_breach(&budget, &report.deltas) {
        budget.breach_count += 1;
        if let ReportUsageResult::HardBreach { dimension, .. } = &breach {
            budget.last_breach = Some(Breach { dimension: dimension.clone(), at: now });
        }
        tx.put(&budget);
        return Ok(breach);
    }
    count(&mut budget, &report.deltas)?;
    let breach = soft_breach(&budget, &report.deltas);
    budget.soft_breach_count += u64::from(breach.is_some());
    tx.put(&budget);
    if let Some(execution) = report.execution {
        let spend = spends.into_iter().flatten().next();
        tx.put(&attributed(spend, &budget, execution, &report.deltas));
    }
    if let Some(digest) = key {
        let expires_at = later(now, KEPT_MS);
        tx.put(&UsageKey { budget: report.budget, digest, expires_at });
    }
    Ok(breach.unwrap_or(ReportUsageResult::Ok))
}

/// The first dimension that the report would take beyond its hard limit (BUD-010, BUD-039).
fn hard_breach(budget: &Budget, deltas: &BTreeMap<&str, u64>) -> Option<ReportUsageResult> {
    deltas.iter().find_map(|(name, delta)| {
        let (used, hard_limit) = (budget.used(name), budget.limits(name).hard);
        (hard_limit > 0 && used + delta > hard_limit).then(|| ReportUsageResult::HardBreach {
            current_usage: used,
            dimension: (*name).to_owned(),
            hard_limit,
        })
    })
}

/// The first that it has left beyond its soft limit (BUD-011, BUD-039).
fn soft_breach(budget: &Budget, deltas: &BTreeMap<&str, u64>) -> Option<ReportUsageResult> {
    deltas.keys().find_map(|name| {
        let (used, soft_limit) = (budget.used(name), budget.limits(name).soft);
        (soft_limit > 0 && used > soft_limit).then(|| ReportUsageResult::SoftBreach {
            current_usage: used,
            dimension: (*name).to_owned(),
            soft_limit,
        })
    })
}

/// BUD-041.
fn count(budget: &mut Budget, deltas: &BTreeMap<&str, u64>) -> Result<(), EngineError> {
    for (name, delta) in deltas {
        let used = budget.usage.entry((*name).to_owned()).or_default();
        *used += delta;
        if *used > MAX_INTEGER {
            let why = format!("{name}: {used} is beyond 2^53 - 1");
            return Err(EngineError::invalid_input(why));
        }
    }
    if budget.usage.len() <= MAX_COUNTED {
        return Ok(());
    }
    let count = budget.usage.len();
    Err(EngineError::invalid_input(format!("{count} dimensions, at most {MAX_COUNTED}")))
}

/// What is counted in the execution's name with this report; nothing from before a reset (BUD-021).
fn attributed(
    known: Option<Spend>,
    budget: &Budget,
    execution: &ExecutionId,
    deltas: &BTreeMap<&str, u64>,
) -> Spend {
    let counts = |known: &Spend| known.reset_count == budget.reset_count;
    let mut spend = known.filter(counts).unwrap_or_else(|| Spend {
        budget: budget.id,
        execution: execution.clone(),
        amounts: BTreeMap::new(),
        reset_count: budget.reset_count,
    });
    for (name, delta) in deltas {
        *spend.amounts.entry((*name).to_owned()).or_default() += delta;
    }
    spend
}
