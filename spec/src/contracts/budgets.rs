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
    /// Enforcement mode.
    pub enforcement_mode: String,
    /// Hard limits.
    pub hard_limits: Vec<u64>,
    /// On hard limit.
    pub on_hard_limit: String,
    /// On soft limit.
    pub on_soft_limit: String,
    /// Reset interval, in milliseconds.
    pub reset_interval_ms: u64,
    /// Scope id.
    pub scope_id: String,
    /// Scope type.
    pub scope_type: String,
    /// Soft limits.
    pub soft_limits: Vec<u64>,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// Whether the budget is new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum CreateBudgetResult {
    /// Already satisfied.
    AlreadySatisfied {
        /// The budget.
        budget_id: BudgetId,
    },
    /// Created.
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
    /// Reset.
    Reset {
        /// Next reset at this time, in Unix milliseconds.
        next_reset_at: TimestampMs,
    },
}

/// A budget's definition, usage and breaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct BudgetStatus {
    /// Breach count.
    pub breach_count: u64,
    /// The budget.
    pub budget_id: String,
    /// When it was created, in Unix milliseconds.
    pub created_at: Option<String>,
    /// Enforcement mode.
    pub enforcement_mode: String,
    /// Hard limits.
    pub hard_limits: HashMap<String, u64>,
    /// Last breach at this time, in Unix milliseconds.
    pub last_breach_at: Option<String>,
    /// Last breach dim.
    pub last_breach_dim: Option<String>,
    /// Next reset at this time, in Unix milliseconds.
    pub next_reset_at: Option<String>,
    /// Scope id.
    pub scope_id: String,
    /// Scope type.
    pub scope_type: String,
    /// Soft breach count.
    pub soft_breach_count: u64,
    /// Soft limits.
    pub soft_limits: HashMap<String, u64>,
    /// Usage.
    pub usage: HashMap<String, u64>,
}

/// A budget's usage beside its limits.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct BudgetUsageAndLimits {
    /// Limits.
    pub limits: BTreeMap<String, String>,
    /// Usage.
    pub usage: BTreeMap<String, u64>,
}

impl BudgetUsageAndLimits {
    pub fn new(limits: BTreeMap<String, String>, usage: BTreeMap<String, u64>) -> Self {
        Self { limits, usage }
    }
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
    /// Dedup key.
    pub dedup_key: Option<String>,
}

impl ReportUsageAdminArgs {
    pub fn new(dimensions: Vec<String>, deltas: Vec<u64>, now: TimestampMs) -> Self {
        Self {
            dimensions,
            deltas,
            now,
            dedup_key: None,
        }
    }

    #[must_use]
    pub fn with_dedup_key(mut self, dedup_key: String) -> Self {
        self.dedup_key = Some(dedup_key);
        self
    }
}

/// Usage to record once under a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct RecordSpendArgs {
    /// The budget.
    pub budget_id: BudgetId,
    /// The execution.
    pub execution_id: ExecutionId,
    /// How much to add, in the order of the names.
    pub deltas: BTreeMap<String, u64>,
    /// A key under which a repetition is recognised.
    pub idempotency_key: String,
}

impl RecordSpendArgs {
    pub fn new(
        budget_id: BudgetId,
        execution_id: ExecutionId,
        deltas: BTreeMap<String, u64>,
        idempotency_key: impl Into<String>,
    ) -> Self {
        Self {
            budget_id,
            execution_id,
            deltas,
            idempotency_key: idempotency_key.into(),
        }
    }
}

/// Whether usage stayed within the limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReportUsageResult {
    /// Already applied.
    AlreadyApplied,
    /// Hard breach.
    HardBreach {
        /// Current usage.
        current_usage: u64,
        /// Dimension.
        dimension: String,
        /// Hard limit.
        hard_limit: u64,
    },
    /// Ok.
    Ok,
    /// Soft breach.
    SoftBreach {
        /// Current usage.
        current_usage: u64,
        /// Dimension.
        dimension: String,
        /// Soft limit.
        soft_limit: u64,
    },
}

/// A budget's attribution to give back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct ReleaseBudgetArgs {
    /// The budget.
    pub budget_id: BudgetId,
    /// The execution.
    pub execution_id: ExecutionId,
}

impl ReleaseBudgetArgs {
    pub fn new(budget_id: BudgetId, execution_id: ExecutionId) -> Self {
        Self {
            budget_id,
            execution_id,
        }
    }
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
