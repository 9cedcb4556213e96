//! Calls about executions, made again and again.

use ff_core::backend::{FailureClass, ScannerFilter};
use ff_core::call::Method;
use ff_core::contracts::BlockingReason;
use ff_core::engine_backend::ExpirePhase;

use crate::play::fixture::{beat, cancel, complete, die, fail, progress, register, renew};
use crate::play::{Fixture, Line, Repetition, around_calls, call, pass};
use crate::stage::declare;

declare!(|topic| around_calls(topic, REPETITIONS));

const REPETITIONS: &[Repetition] = &[
    Repetition {
        method: Method::CreateExecution,
        clauses: &["EXE-001", "EXE-007", "EXE-010"],
        before: |_| Vec::new(),
        call: |fixture| fixture.create(1).key("key").into(),
        answers: &[
            (1, "created.execution_id=e1 created.public_state=waiting"),
            (9, "duplicate.execution_id=e1"),
        ],
    },
    Repetition {
        method: Method::Claim,
        clauses: &["CLM-001", "CLM-005", "CLM-008"],
        before: |fixture| [1, 2, 3].map(|number| fixture.created(number)).into(),
        call: |fixture| fixture.claim("w1"),
        answers: &[(3, "handle=fresh"), (7, "ok, nothing")],
    },
    Repetition {
        method: Method::IssueClaimGrant,
        clauses: &["CLM-015"],
        before: |fixture| vec![fixture.created(1)],
        call: |fixture| fixture.grant(1),
        answers: &[(1, "granted.execution_id=e1"), (9, "refused: state.grant_already_exists")],
    },
    Repetition {
        method: Method::ClaimForWorker,
        clauses: &["CLM-032", "CLM-035"],
        before: |fixture| vec![fixture.created(1)],
        call: Fixture::assign,
        answers: &[
            (
                1,
                "granted.execution_id=e1 granted.expires_at_ms=t+60000 granted.grant_key=grant \
                 granted.partition_key=partition",
            ),
            (9, "no_work"),
        ],
    },
    Repetition {
        method: Method::TrimRetention,
        clauses: &["OPS-020", "OPS-021"],
        before: |fixture| {
            let cancelled = "cancelled.execution_id=e1 cancelled.public_state=cancelled";
            let cancel = call(fixture.cancel_execution(1), cancelled);
            vec![fixture.created(1), fixture.created(2), cancel]
        },
        call: |fixture| fixture.trim(1, ScannerFilter::NOOP),
        answers: &[(1, "1"), (9, "0")],
    },
    Repetition {
        method: Method::ReconcileExecutionIndex,
        clauses: &["SCH-021"],
        before: |fixture| vec![fixture.created(1)],
        call: |fixture| fixture.put_back(1, ScannerFilter::NOOP),
        answers: &[(10, "errors=0 processed=0")],
    },
    Repetition {
        method: Method::ClaimExecution,
        clauses: &["CLM-024"],
        before: |fixture| {
            vec![fixture.created(1), call(fixture.grant(1), "granted.execution_id=e1")]
        },
        call: |fixture| fixture.redeem("w1", 1, 1),
        answers: &[
            (
                1,
                "claimed.attempt_id=a1 claimed.attempt_index=0 claimed.attempt_type=initial \
                 claimed.execution_id=e1 claimed.handle.handle=fresh claimed.lease_epoch=1 \
                 claimed.lease_expires_at=t+30000 claimed.lease_id=l1",
            ),
            (9, "refused: contention.execution_not_leaseable"),
        ],
    },
    Repetition {
        method: Method::IssueGrantAndClaim,
        clauses: &["CLM-031"],
        before: |fixture| vec![fixture.created(1)],
        call: |fixture| fixture.claim_by_operator(1),
        answers: &[
            (1, "attempt_index=0 lease_epoch=1 lease_id=minted"),
            (9, "refused: contention.execution_not_eligible"),
        ],
    },
    Repetition {
        method: Method::ChangePriority,
        clauses: &["OPS-006"],
        before: |fixture| vec![fixture.created(1)],
        call: |fixture| fixture.change_priority(1, 5),
        answers: &[(10, "changed.execution_id=e1")],
    },
    Repetition {
        method: Method::RegisterWorker,
        clauses: &["WRK-001", "WRK-015"],
        before: |_| Vec::new(),
        call: |_| register(),
        answers: &[(1, "registered"), (9, "refreshed")],
    },
    Repetition {
        method: Method::HeartbeatWorker,
        clauses: &["WRK-003"],
        before: |_| vec![call(register(), "registered"), pass(10)],
        call: |_| beat(),
        answers: &[(10, "refreshed.next_expiry_ms=t+60010")],
    },
    Repetition {
        method: Method::MarkWorkerDead,
        clauses: &["WRK-007"],
        before: |_| vec![call(register(), "registered")],
        call: |_| die(),
        answers: &[(1, "marked"), (9, "not_registered")],
    },
    Repetition {
        method: Method::BlockRoute,
        clauses: &["SCH-010"],
        before: |fixture| vec![fixture.created(1)],
        call: |fixture| fixture.block_route(1),
        answers: &[(10, "blocked.execution_id=e1")],
    },
    Repetition {
        method: Method::BlockExecutionForAdmission,
        clauses: &["SCH-010"],
        before: |fixture| vec![fixture.created(1)],
        call: |fixture| fixture.block(1, BlockingReason::WaitingForQuota),
        answers: &[(10, "blocked.execution_id=e1 blocked.reason=waiting_for_quota")],
    },
    Repetition {
        method: Method::UnblockExecution,
        clauses: &["SCH-012", "SCH-013"],
        before: |fixture| {
            vec![fixture.created(1), call(fixture.block_route(1), "blocked.execution_id=e1")]
        },
        call: |fixture| fixture.unblock(1, "waiting_for_capable_worker"),
        answers: &[(1, "ok, nothing"), (9, "refused: contention.execution_not_eligible")],
    },
    Repetition {
        method: Method::ExpireExecution,
        clauses: &["ATT-025", "ATT-026"],
        before: |fixture| {
            let limited = fixture.create(1).retries(3, 20).attempts_of_ms(10);
            let created = "created.execution_id=e1 created.public_state=waiting";
            vec![call(limited, created), call(fixture.claim("w1"), "handle=fresh"), pass(10)]
        },
        call: |fixture| fixture.expire(1, ExpirePhase::AttemptTimeout),
        answers: &[(10, "ok, nothing")],
    },
    Repetition {
        method: Method::Delay,
        clauses: &["ATT-003"],
        before: claimed,
        call: |fixture| fixture.delay("w1", 1_000),
        answers: &[(10, "ok, nothing")],
    },
    Repetition {
        method: Method::RenewLease,
        clauses: &["LSE-010"],
        before: |fixture| {
            let mut lines = redeemed(fixture);
            lines.push(pass(10));
            lines
        },
        call: |fixture| fixture.renew_lease(1, 1),
        answers: &[(10, "renewed.expires_at=t+30010")],
    },
    Repetition {
        method: Method::CompleteExecution,
        clauses: &["ATT-003"],
        before: redeemed,
        call: |fixture| fixture.complete_execution(1, 1),
        answers: &[(10, "completed.execution_id=e1 completed.public_state=completed")],
    },
    Repetition {
        method: Method::FailExecution,
        clauses: &["ATT-003"],
        before: redeemed,
        call: |fixture| fixture.fail_execution(1, 1),
        answers: &[(10, "retry_scheduled.delay_until=t+20 retry_scheduled.next_attempt_index=1")],
    },
    Repetition {
        method: Method::RevokeLease,
        clauses: &["OPS-014", "OPS-016"],
        before: redeemed,
        call: |fixture| fixture.revoke(1),
        answers: &[
            (1, "revoked.lease_epoch=1 revoked.lease_id=l1"),
            (9, "already_satisfied.reason=already_revoked"),
        ],
    },
    Repetition {
        method: Method::IssueReclaimGrant,
        clauses: &["LSE-025"],
        before: |fixture| {
            let mut lines = redeemed(fixture);
            lines.push(call(fixture.revoke(1), "revoked.lease_epoch=1 revoked.lease_id=l1"));
            lines
        },
        call: |fixture| fixture.regrant(1),
        answers: &[
            (
                1,
                "granted.execution_id=e1 granted.expires_at_ms=t+60000 granted.grant_key=grant \
                 granted.lane_id=a granted.partition_key=partition",
            ),
            (9, "refused: state.grant_already_exists"),
        ],
    },
    Repetition {
        method: Method::ReclaimExecution,
        clauses: &["LSE-030"],
        before: |fixture| {
            let mut lines = redeemed(fixture);
            lines.push(call(fixture.revoke(1), "revoked.lease_epoch=1 revoked.lease_id=l1"));
            let granted = "granted.execution_id=e1 granted.expires_at_ms=t+60000 \
                           granted.grant_key=grant granted.lane_id=a granted.partition_key=partition";
            lines.push(call(fixture.regrant(1), granted));
            lines
        },
        call: |fixture| fixture.reclaim("w2", 1, 2),
        answers: &[
            (1, "claimed.handle=reclaimed"),
            (9, "not_reclaimable.detail=told not_reclaimable.execution_id=e1"),
        ],
    },
    Repetition {
        method: Method::Renew,
        clauses: &["LSE-009"],
        before: |fixture| {
            let mut lines = claimed(fixture);
            lines.push(pass(10));
            lines
        },
        call: |_| renew("w1"),
        answers: &[(10, "expires_at_ms=t+30010 lease_epoch=1")],
    },
    Repetition {
        method: Method::Progress,
        clauses: &["ATT-005"],
        before: claimed,
        call: |_| progress("w1", 50),
        answers: &[(10, "ok, nothing")],
    },
    Repetition {
        method: Method::Complete,
        clauses: &["ATT-003"],
        before: claimed,
        call: |_| complete("w1", "done"),
        answers: &[(10, "ok, nothing")],
    },
    Repetition {
        method: Method::Fail,
        clauses: &["ATT-003"],
        before: claimed,
        call: |_| fail("w1", FailureClass::Transient),
        answers: &[(10, "retry_scheduled.delay_until=t+20")],
    },
    Repetition {
        method: Method::Cancel,
        clauses: &["ATT-003"],
        before: claimed,
        call: |_| cancel("w1", "why"),
        answers: &[(10, "ok, nothing")],
    },
    Repetition {
        method: Method::CancelExecution,
        clauses: &["OPS-001", "OPS-004"],
        before: claimed,
        call: |fixture| fixture.cancel_execution(1),
        answers: &[(10, "cancelled.execution_id=e1 cancelled.public_state=cancelled")],
    },
    Repetition {
        method: Method::SetExecutionTag,
        clauses: &["EXE-029", "EXE-032"],
        before: |fixture| vec![fixture.created(1)],
        call: |fixture| fixture.tag(1, "app.key", "value"),
        answers: &[(10, "ok, nothing")],
    },
    Repetition {
        method: Method::PromoteDelayed,
        clauses: &["SCH-015", "SCH-016"],
        before: |fixture| {
            let mut lines = claimed(fixture);
            let failed = fail("w1", FailureClass::Transient);
            lines.push(call(failed, "retry_scheduled.delay_until=t+20"));
            lines.push(pass(20));
            lines
        },
        call: |fixture| fixture.promote(1),
        answers: &[(10, "ok, nothing")],
    },
    Repetition {
        method: Method::MarkLeaseExpiredIfDue,
        clauses: &["LSE-015", "LSE-016"],
        before: |fixture| {
            vec![fixture.created(1), call(fixture.claim_for("w1", 20), "handle=fresh"), pass(20)]
        },
        call: |fixture| fixture.mark_lapsed(1),
        answers: &[(10, "ok, nothing")],
    },
];

/// An execution with retries after 20 ms, held by `w1`.
fn claimed(fixture: &Fixture) -> Vec<Line> {
    vec![
        call(
            fixture.create(1).retries(3, 20),
            "created.execution_id=e1 created.public_state=waiting",
        ),
        call(fixture.claim("w1"), "handle=fresh"),
    ]
}

/// An execution with retries after 20 ms, whose first attempt and lease have the number 1.
fn redeemed(fixture: &Fixture) -> Vec<Line> {
    let mut lines = vec![call(
        fixture.create(1).retries(3, 20),
        "created.execution_id=e1 created.public_state=waiting",
    )];
    lines.extend(fixture.redeemed("w1", 1, 1));
    lines
}
