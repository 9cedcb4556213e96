//! Budgets, what is counted against them, quotas and admission.

use std::collections::BTreeMap;

use ff_core::backend::UsageDimensions;
use ff_core::call::{Call, Method};
use ff_core::contracts::{
    CheckAdmissionArgs, CreateBudgetArgs, CreateQuotaPolicyArgs, RecordSpendArgs,
    ReleaseAdmissionArgs, ReleaseBudgetArgs, ReportUsageAdminArgs, ResetBudgetArgs,
};
use ff_core::partition::{Partition, PartitionFamily, budget_partition, quota_partition};
use ff_core::types::{BudgetId, QuotaPolicyId, TimestampMs};
use proptest::collection::btree_map;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

use super::arguments::{NUL, TOO_LARGE, TOO_LATE, Ways, any_execution, spoilt, too_long};
use super::executions::lease;
use super::offer::{Offer, offer};
use crate::play::generated::reference::{Reference, budget, quota};
use crate::stage::CALLERS_NOW;

pub(super) const OFFERS: &[Offer] = &[
    offer(Method::CreateBudget, 1, define),
    offer(Method::ResetBudget, 1, reset),
    offer(Method::GetBudgetStatus, 1, status),
    offer(Method::ReadBudgetUsageAndLimits, 1, limits),
    offer(Method::ReportUsage, 2, report),
    offer(Method::ReportUsageAdmin, 1, report_as_operator),
    offer(Method::RecordSpend, 2, spend),
    offer(Method::ReleaseBudget, 1, release),
    offer(Method::ReconcileBudgetCounters, 1, reconcile_budgets),
    offer(Method::CreateQuotaPolicy, 1, create_quota),
    offer(Method::ReadQuotaPolicyLimits, 1, quota_limits),
    offer(Method::CheckAdmission, 2, check),
    offer(Method::ReleaseAdmission, 1, leave),
    offer(Method::ReconcileQuotaCounters, 1, reconcile_quotas),
];

const DIMENSIONS: [&str; 3] = ["cost", "calls", "é"];

/// Few enough that calls meet.
fn budgets() -> impl Strategy<Value = BudgetId> + Clone {
    (1_usize..=3).prop_map(budget)
}

fn quotas() -> impl Strategy<Value = QuotaPolicyId> + Clone {
    (1_usize..=2).prop_map(quota)
}

fn define(_: &Reference) -> BoxedStrategy<Call> {
    let limit = || select(vec![0_u64, 5, 20]);
    let limited = DIMENSIONS.map(|name| (Just(name), limit(), limit()));
    let interval = select(vec![0, 1_000, 60_000]);
    let good = (budgets(), limited, 0..=DIMENSIONS.len(), interval).prop_map(
        |(budget_id, mut limited, count, reset_interval_ms)| {
            limited.rotate_left(count % DIMENSIONS.len());
            let limited = &limited[..count];
            CreateBudgetArgs {
                budget_id,
                dimensions: limited.iter().map(|(name, ..)| (*name).to_owned()).collect(),
                enforcement_mode: "strict".to_owned(),
                hard_limits: limited.iter().map(|(_, hard, _)| *hard).collect(),
                on_hard_limit: "deny".to_owned(),
                on_soft_limit: "warn".to_owned(),
                reset_interval_ms,
                scope_id: "acme".to_owned(),
                scope_type: "tenant".to_owned(),
                soft_limits: limited.iter().map(|(.., soft)| *soft).collect(),
                now: CALLERS_NOW,
            }
        },
    );
    let bad: Ways<CreateBudgetArgs> = &[
        |args| args.hard_limits.push(1),
        |args| args.soft_limits.push(1),
        |args| args.dimensions.push("cost".to_owned()),
        |args| args.scope_id = NUL.to_owned(),
        |args| args.enforcement_mode = too_long(),
        |args| args.reset_interval_ms = TOO_LARGE,
        |args| args.now = TOO_LATE,
    ];
    spoilt(good, 8, bad).prop_map(|args| Call::CreateBudget { args }).boxed()
}

fn reset(_: &Reference) -> BoxedStrategy<Call> {
    let good = budgets().prop_map(|budget_id| ResetBudgetArgs { budget_id, now: CALLERS_NOW });
    let bad: Ways<ResetBudgetArgs> = &[|args| args.now = TOO_LATE];
    spoilt(good, 10, bad).prop_map(|args| Call::ResetBudget { args }).boxed()
}

fn status(_: &Reference) -> BoxedStrategy<Call> {
    budgets().prop_map(|id| Call::GetBudgetStatus { id }).boxed()
}

fn limits(_: &Reference) -> BoxedStrategy<Call> {
    budgets().prop_map(|budget_id| Call::ReadBudgetUsageAndLimits { budget_id }).boxed()
}

fn amounts() -> impl Strategy<Value = BTreeMap<String, u64>> + Clone {
    let names = select(DIMENSIONS.map(str::to_owned).to_vec());
    btree_map(names, select(vec![0_u64, 1, 2, 7]), 0..=3)
}

fn key() -> impl Strategy<Value = Option<String>> + Clone {
    weighted(0.5, select(vec!["one", "two", ""]).prop_map(str::to_owned))
}

fn report(reference: &Reference) -> BoxedStrategy<Call> {
    let counters = (select(vec![0_u64, 3]), weighted(0.3, select(vec![0_u64, 4])));
    let good = (amounts(), key(), counters).prop_map(|(custom, key, (tokens, wall))| {
        let mut dimensions = UsageDimensions::new().with_input_tokens(tokens);
        (dimensions.custom, dimensions.dedup_key, dimensions.wall_ms) = (custom, key, wall);
        dimensions
    });
    let bad: Ways<UsageDimensions> = &[
        |usage| usage.custom.extend([("wall_ms".to_owned(), 1)]),
        |usage| usage.custom.extend([(String::new(), 1)]),
        |usage| usage.output_tokens = TOO_LARGE,
        |usage| usage.dedup_key = Some(NUL.to_owned()),
    ];
    (lease(reference), budgets(), spoilt(good, 8, bad))
        .prop_map(|(handle, budget, dimensions)| Call::ReportUsage { handle, budget, dimensions })
        .boxed()
}

fn report_as_operator(_: &Reference) -> BoxedStrategy<Call> {
    let good = (amounts(), key()).prop_map(|(amounts, key)| {
        let (names, deltas) = amounts.into_iter().unzip();
        let mut args = ReportUsageAdminArgs::new(names, deltas, CALLERS_NOW);
        args.dedup_key = key;
        args
    });
    let bad: Ways<ReportUsageAdminArgs> = &[
        |args| args.deltas.push(1),
        |args| {
            args.dimensions.extend(["a".to_owned(), "a".to_owned()]);
            args.deltas.extend([1, 1]);
        },
        |args| args.deltas.iter_mut().for_each(|delta| *delta = TOO_LARGE),
        |args| args.now = TOO_LATE,
    ];
    (budgets(), spoilt(good, 8, bad))
        .prop_map(|(budget, args)| Call::ReportUsageAdmin { budget, args })
        .boxed()
}

fn spend(reference: &Reference) -> BoxedStrategy<Call> {
    let good = (budgets(), any_execution(reference), amounts(), key()).prop_map(
        |(budget, execution, amounts, key)| {
            RecordSpendArgs::new(budget, execution, amounts, key.unwrap_or_default())
        },
    );
    let bad: Ways<RecordSpendArgs> = &[
        |args| args.deltas.extend([("d".repeat(257), 1)]),
        |args| args.deltas.values_mut().for_each(|delta| *delta = TOO_LARGE),
        |args| args.idempotency_key = NUL.to_owned(),
    ];
    spoilt(good, 8, bad).prop_map(|args| Call::RecordSpend { args }).boxed()
}

fn release(reference: &Reference) -> BoxedStrategy<Call> {
    (budgets(), any_execution(reference))
        .prop_map(|(budget, execution)| ReleaseBudgetArgs::new(budget, execution))
        .prop_map(|args| Call::ReleaseBudget { args })
        .boxed()
}

type Place = (Partition, TimestampMs);

/// A partition of a family, sometimes one that is refused.
fn placed(home: impl Strategy<Value = Partition> + Clone + 'static) -> BoxedStrategy<Place> {
    let bad: Ways<Place> = &[
        |(partition, _)| partition.index = u16::MAX,
        |(partition, _)| partition.family = PartitionFamily::Flow,
        |(_, now)| *now = TOO_LATE,
    ];
    spoilt(home.prop_map(|home| (home, CALLERS_NOW)), 8, bad)
}

fn reconcile_budgets(reference: &Reference) -> BoxedStrategy<Call> {
    let partitions = reference.universe.partitions;
    placed(budgets().prop_map(move |id| budget_partition(&id, &partitions)))
        .prop_map(|(partition, now_ms)| Call::ReconcileBudgetCounters { partition, now_ms })
        .boxed()
}

fn create_quota(_: &Reference) -> BoxedStrategy<Call> {
    let numbers = (select(vec![0_u64, 2, 9]), select(vec![0_u64, 3]), select(vec![1_u64, 60]));
    let good = (quotas(), numbers).prop_map(|(quota_policy_id, (cap, rate, window))| {
        CreateQuotaPolicyArgs {
            max_concurrent: cap,
            max_requests_per_window: rate,
            quota_policy_id,
            window_seconds: window,
            now: CALLERS_NOW,
        }
    });
    let bad: Ways<CreateQuotaPolicyArgs> = &[
        |args| (args.window_seconds, args.max_requests_per_window) = (0, 1),
        |args| args.window_seconds = TOO_LARGE / 1_000 + 1,
        |args| args.max_concurrent = TOO_LARGE,
        |args| args.now = TOO_LATE,
    ];
    spoilt(good, 8, bad).prop_map(|args| Call::CreateQuotaPolicy { args }).boxed()
}

fn quota_limits(_: &Reference) -> BoxedStrategy<Call> {
    quotas().prop_map(|quota_policy_id| Call::ReadQuotaPolicyLimits { quota_policy_id }).boxed()
}

fn check(reference: &Reference) -> BoxedStrategy<Call> {
    let numbers = (select(vec![0_u64, 2, 3]), select(vec![0_u64, 1, 3]), select(vec![1_u64, 60]));
    let good = (any_execution(reference), numbers).prop_map(
        |(execution_id, (rate_limit, concurrency_cap, window_seconds))| CheckAdmissionArgs {
            execution_id,
            concurrency_cap,
            // Jitter is random.
            jitter_ms: None,
            rate_limit,
            window_seconds,
            now: CALLERS_NOW,
        },
    );
    let bad: Ways<CheckAdmissionArgs> = &[
        |args| (args.window_seconds, args.rate_limit) = (0, 1),
        |args| args.rate_limit = TOO_LARGE,
        |args| args.jitter_ms = Some(TOO_LARGE),
        |args| args.now = TOO_LATE,
    ];
    (quotas(), select(vec!["", "default", "calls"]), spoilt(good, 8, bad))
        .prop_map(|(quota_policy_id, dimension, args)| Call::CheckAdmission {
            quota_policy_id,
            dimension: dimension.to_owned(),
            args,
        })
        .boxed()
}

fn leave(reference: &Reference) -> BoxedStrategy<Call> {
    (quotas(), any_execution(reference))
        .prop_map(|(policy, execution)| ReleaseAdmissionArgs::new(policy, execution))
        .prop_map(|args| Call::ReleaseAdmission { args })
        .boxed()
}

fn reconcile_quotas(reference: &Reference) -> BoxedStrategy<Call> {
    let partitions = reference.universe.partitions;
    placed(quotas().prop_map(move |id| quota_partition(&id, &partitions)))
        .prop_map(|(partition, now_ms)| Call::ReconcileQuotaCounters { partition, now_ms })
        .boxed()
}
