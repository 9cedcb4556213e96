//! Calls with nothing special about them, on budgets and quota policies that have numbers: `b1` is the first budget,
//! `q1` the first policy.

use std::collections::BTreeMap;

use ff_core::backend::UsageDimensions;
use ff_core::call::Call;
use ff_core::contracts::{
    CheckAdmissionArgs, CreateBudgetArgs, CreateQuotaPolicyArgs, RecordSpendArgs,
    ReleaseAdmissionArgs, ReleaseBudgetArgs, ReportUsageAdminArgs, ResetBudgetArgs,
};
use ff_core::partition::{Partition, PartitionFamily};

use super::fixture::{Fixture, lease};
use super::session::{Line, call};
use crate::play::generated::{budget, quota};
use crate::stage::CALLERS_NOW;

/// Limits `cost` to 10, and warns at 5.
pub(crate) fn define(number: usize) -> Call {
    Call::CreateBudget {
        args: CreateBudgetArgs {
            budget_id: budget(number),
            dimensions: vec!["cost".to_owned()],
            enforcement_mode: "strict".to_owned(),
            hard_limits: vec![10],
            on_hard_limit: "deny".to_owned(),
            on_soft_limit: "warn".to_owned(),
            reset_interval_ms: 60_000,
            scope_id: "acme".to_owned(),
            scope_type: "tenant".to_owned(),
            soft_limits: vec![5],
            now: CALLERS_NOW,
        },
    }
}

pub(crate) fn defined(number: usize) -> Line {
    call(define(number), format!("created.budget_id=b{number}"))
}

pub(crate) fn reset(number: usize) -> Call {
    Call::ResetBudget { args: ResetBudgetArgs { budget_id: budget(number), now: CALLERS_NOW } }
}

fn amounts(cost: u64) -> BTreeMap<String, u64> {
    BTreeMap::from([("cost".to_owned(), cost)])
}

/// A report under this instance's lease.
pub(crate) fn report(instance: &str, number: usize, cost: u64, key: &str) -> Call {
    let mut dimensions = UsageDimensions::new().with_dedup_key(key);
    dimensions.custom = amounts(cost);
    Call::ReportUsage { handle: lease(instance), budget: budget(number), dimensions }
}

pub(crate) fn report_as_operator(number: usize, cost: u64, key: &str) -> Call {
    let (names, deltas) = amounts(cost).into_iter().unzip();
    let args = ReportUsageAdminArgs::new(names, deltas, CALLERS_NOW);
    Call::ReportUsageAdmin { budget: budget(number), args: args.with_dedup_key(key.to_owned()) }
}

/// Ten a minute, and three at once.
pub(crate) fn create_quota(number: usize) -> Call {
    Call::CreateQuotaPolicy {
        args: CreateQuotaPolicyArgs {
            max_concurrent: 3,
            max_requests_per_window: 10,
            quota_policy_id: quota(number),
            window_seconds: 60,
            now: CALLERS_NOW,
        },
    }
}

pub(crate) fn quota_created(number: usize) -> Line {
    call(create_quota(number), format!("created.quota_policy_id=q{number}"))
}

/// The first partition of a family, which every deployment has.
fn first(family: PartitionFamily) -> Partition {
    Partition { family, index: 0 }
}

pub(crate) fn reconcile_budgets() -> Call {
    let partition = first(PartitionFamily::Budget);
    Call::ReconcileBudgetCounters { partition, now_ms: CALLERS_NOW }
}

pub(crate) fn reconcile_quotas() -> Call {
    let partition = first(PartitionFamily::Quota);
    Call::ReconcileQuotaCounters { partition, now_ms: CALLERS_NOW }
}

impl Fixture {
    pub(crate) fn spend(&self, number: usize, execution: usize, cost: u64, key: &str) -> Call {
        let execution = self.execution(execution);
        let args = RecordSpendArgs::new(budget(number), execution, amounts(cost), key);
        Call::RecordSpend { args }
    }

    pub(crate) fn release_budget(&self, number: usize, execution: usize) -> Call {
        let args = ReleaseBudgetArgs::new(budget(number), self.execution(execution));
        Call::ReleaseBudget { args }
    }

    /// Asks for one of ten places a minute, and one of three at once.
    pub(crate) fn check_admission(&self, number: usize, execution: usize) -> Call {
        let args = CheckAdmissionArgs {
            execution_id: self.execution(execution),
            concurrency_cap: 3,
            jitter_ms: None,
            rate_limit: 10,
            window_seconds: 60,
            now: CALLERS_NOW,
        };
        let (quota_policy_id, dimension) = (quota(number), "calls".to_owned());
        Call::CheckAdmission { quota_policy_id, dimension, args }
    }

    pub(crate) fn release_admission(&self, number: usize, execution: usize) -> Call {
        let args = ReleaseAdmissionArgs::new(quota(number), self.execution(execution));
        Call::ReleaseAdmission { args }
    }
}
