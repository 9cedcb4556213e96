//! Calls about budgets, quotas and streams, made again and again.

use ff_core::call::Method;

use crate::play::meters::{
    create_quota, define, defined, quota_created, reconcile_budgets, reconcile_quotas, report,
    report_as_operator, reset,
};
use crate::play::streams::append;
use crate::play::{Repetition, around_calls, call};
use crate::stage::declare;

declare!(|topic| around_calls(topic, REPETITIONS));

const COUNTED_ONCE: &[(usize, &str)] = &[(1, "ok"), (9, "already_applied")];

const REPETITIONS: &[Repetition] = &[
    Repetition {
        method: Method::CreateBudget,
        clauses: &["BUD-005"],
        before: |_| Vec::new(),
        call: |_| define(1),
        answers: &[(1, "created.budget_id=b1"), (9, "already_satisfied.budget_id=b1")],
    },
    Repetition {
        method: Method::ResetBudget,
        clauses: &["BUD-033"],
        before: |_| vec![defined(1), call(report_as_operator(1, 3, "one"), "ok")],
        call: |_| reset(1),
        answers: &[(10, "reset.next_reset_at=t+60000")],
    },
    Repetition {
        method: Method::ReportUsage,
        clauses: &["BUD-014"],
        before: |fixture| {
            vec![defined(1), fixture.created(1), call(fixture.claim("w1"), "handle=fresh")]
        },
        call: |_| report("w1", 1, 3, "one"),
        answers: COUNTED_ONCE,
    },
    Repetition {
        method: Method::ReportUsageAdmin,
        clauses: &["BUD-014"],
        before: |_| vec![defined(1)],
        call: |_| report_as_operator(1, 3, "one"),
        answers: COUNTED_ONCE,
    },
    Repetition {
        method: Method::RecordSpend,
        clauses: &["BUD-014"],
        before: |_| vec![defined(1)],
        call: |fixture| fixture.spend(1, 1, 3, "one"),
        answers: COUNTED_ONCE,
    },
    Repetition {
        method: Method::ReleaseBudget,
        clauses: &["BUD-019"],
        before: |fixture| {
            let spends = [(1, 3, "one"), (2, 1, "two")];
            let spend = |(execution, cost, key)| call(fixture.spend(1, execution, cost, key), "ok");
            [defined(1), fixture.created(1)].into_iter().chain(spends.map(spend)).collect()
        },
        call: |fixture| fixture.release_budget(1, 1),
        answers: &[(10, "ok, nothing")],
    },
    Repetition {
        method: Method::AppendFrame,
        clauses: &["STR-032"],
        before: |fixture| vec![fixture.created(1), call(fixture.claim("w1"), "handle=fresh")],
        call: |_| append("w1", "text", 1),
        answers: &[(10, "frame_count=1 stream_id=place summary_version=null")],
    },
    Repetition {
        method: Method::CreateQuotaPolicy,
        clauses: &["QUO-003"],
        before: |_| Vec::new(),
        call: |_| create_quota(1),
        answers: &[(1, "created.quota_policy_id=q1"), (9, "already_satisfied.quota_policy_id=q1")],
    },
    Repetition {
        method: Method::CheckAdmission,
        clauses: &["QUO-010"],
        before: |_| vec![quota_created(1)],
        call: |fixture| fixture.check_admission(1, 1),
        answers: &[(1, "admitted"), (9, "already_admitted")],
    },
    Repetition {
        method: Method::ReleaseAdmission,
        clauses: &["QUO-015"],
        before: |fixture| vec![quota_created(1), call(fixture.check_admission(1, 1), "admitted")],
        call: |fixture| fixture.release_admission(1, 1),
        answers: &[(10, "released")],
    },
    Repetition {
        method: Method::ReconcileBudgetCounters,
        clauses: &["BUD-026"],
        before: |_| vec![defined(1)],
        call: |_| reconcile_budgets(),
        answers: &[(10, "errors=0 processed=0")],
    },
    Repetition {
        method: Method::ReconcileQuotaCounters,
        clauses: &["QUO-017"],
        before: |_| vec![quota_created(1)],
        call: |_| reconcile_quotas(),
        answers: &[(10, "errors=0 processed=0")],
    },
];
