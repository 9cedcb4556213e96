//! Budgets and what is spent against them.

use std::collections::{BTreeMap, HashMap};

use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};

use crate::types::{BudgetId, ExecutionId, TimestampMs};

/// A budget's definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct CreateBudgetArgs {
    /// The budget.
    pub budget_id: BudgetId,
    /// What is counted, by name.
    pub dimensions: Vec<String>,
    /// How limits are enforced, as given at creation.
    pub enforcement_mode: String,
    /// Limits that deny, by dimension or in the order of the dimensions.
    pub hard_limits: Vec<u64>,
    /// What a denied caller should do; recorded only.
    pub on_hard_limit: String,
    /// What a warned caller should do; recorded only.
    pub on_soft_limit: String,
    /// How often usage starts again from nothing, in milliseconds; 0 for never.
    pub reset_interval_ms: u64,
    /// Whom or what the budget is for.
    pub scope_id: String,
    /// What kind of thing that is.
    pub scope_type: String,
    /// Limits that warn, by dimension or in the order of the dimensions.
    pub soft_limits: Vec<u64>,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// Whether the budget is new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum CreateBudgetResult {
    AlreadySatisfied {
        /// The budget.
        budget_id: BudgetId,
    },
    Created {
        /// The budget.
        budget_id: BudgetId,
    },
}

/// A budget whose usage starts again from nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct ResetBudgetArgs {
    /// The budget.
    pub budget_id: BudgetId,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// When the budget resets next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum ResetBudgetResult {
    Reset {
        /// When usage starts again from nothing, in Unix milliseconds.
        next_reset_at: TimestampMs,
    },
}

/// A budget's definition, usage and breaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct BudgetStatus {
    /// How often a hard limit was hit.
    pub breach_count: u64,
    /// The budget.
    pub budget_id: String,
    /// When it was created, in Unix milliseconds.
    pub created_at: Option<String>,
    /// How limits are enforced, as given at creation.
    pub enforcement_mode: String,
    /// Limits that deny, by dimension or in the order of the dimensions.
    pub hard_limits: HashMap<String, u64>,
    /// When a limit was last hit, in Unix milliseconds.
    pub last_breach_at: Option<String>,
    /// The dimension whose limit was last hit.
    pub last_breach_dim: Option<String>,
    /// When usage starts again from nothing, in Unix milliseconds.
    pub next_reset_at: Option<String>,
    /// Whom or what the budget is for.
    pub scope_id: String,
    /// What kind of thing that is.
    pub scope_type: String,
    /// How often a soft limit was passed.
    pub soft_breach_count: u64,
    /// Limits that warn, by dimension or in the order of the dimensions.
    pub soft_limits: HashMap<String, u64>,
    /// Usage by dimension.
    pub usage: HashMap<String, u64>,
}

/// A budget's usage beside its limits.
#[derive(
    Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, Arbitrary, derive_new::new,
)]
#[non_exhaustive]
pub struct BudgetUsageAndLimits {
    /// Limits as decimal texts, by `hard:` or `soft:` and the dimension.
    pub limits: BTreeMap<String, String>,
    /// Usage by dimension.
    pub usage: BTreeMap<String, u64>,
}

/// Usage reported by an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct ReportUsageAdminArgs {
    /// What is counted, by name.
    pub dimensions: Vec<String>,
    /// How much to add, in the order of the names.
    pub deltas: Vec<u64>,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
    /// A key under which a repeated report is recognised.
    pub dedup_key: Option<String>,
}

impl ReportUsageAdminArgs {
    pub fn new(dimensions: Vec<String>, deltas: Vec<u64>, now: TimestampMs) -> Self {
        Self { dimensions, deltas, now, dedup_key: None }
    }

    #[must_use]
    pub fn with_dedup_key(mut self, dedup_key: String) -> Self {
        self.dedup_key = Some(dedup_key);
        self
    }
}

/// Usage to record once under a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct RecordSpendArgs {
    /// The budget.
    pub budget_id: BudgetId,
    /// The execution.
    pub execution_id: ExecutionId,
    /// How much to add, in the order of the names.
    pub deltas: BTreeMap<String, u64>,
    /// A key under which a repetition is recognised.
    #[new(into)]
    pub idempotency_key: String,
}

/// Whether usage stayed within the limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReportUsageResult {
    /// Counted before, under the same key.
    AlreadyApplied,
    /// Nothing was counted: a hard limit would be passed.
    HardBreach {
        /// The usage so far.
        current_usage: u64,
        /// What is counted.
        dimension: String,
        /// The limit that was hit.
        hard_limit: u64,
    },
    Ok,
    /// Counted, and a soft limit is passed.
    SoftBreach {
        /// The usage with the report.
        current_usage: u64,
        /// What is counted.
        dimension: String,
        /// The limit that was passed.
        soft_limit: u64,
    },
}

/// A budget's attribution to give back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct ReleaseBudgetArgs {
    /// The budget.
    pub budget_id: BudgetId,
    /// The execution.
    pub execution_id: ExecutionId,
}

impl BudgetUsageAndLimits {
    /// A budget that is not there.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Each hard limit as its dimension, the usage so far and the limit. A limit that is not a
    /// decimal number is passed over.
    pub fn hard_limits_with_usage(&self) -> impl Iterator<Item = (&str, u64, u64)> {
        self.limits.iter().filter_map(|(name, limit)| {
            let dimension = name.strip_prefix("hard:")?;
            let usage = self.usage.get(dimension).copied().unwrap_or(0);
            Some((dimension, usage, limit.parse().ok()?))
        })
    }
}
