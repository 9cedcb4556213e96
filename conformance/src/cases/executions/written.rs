//! Short histories of executions, with every answer written by hand.

use ff_core::backend::FailureClass;
use ff_core::policy::{BackoffStrategy, RetryPolicy};

use crate::case::{Case, Verdict, case};
use crate::world::World;
use crate::written::cast::{cancel, complete, fail, progress, renew};
use crate::written::{Cast, call, pass, play};

pub(super) const CASES: &[Case] = &[
    case!(
        "executions.written.once",
        ["EXE-001", "EXE-023", "CLM-005", "ATT-007", "ATT-008"],
        "Created, claimed, completed.",
        once,
        Clock
    ),
    case!(
        "executions.written.retries",
        ["ATT-009", "ATT-012", "ATT-015", "ATT-016", "ATT-017", "LSE-001"],
        "Two retries after growing waits, then failed.",
        retries,
        Clock
    ),
    case!(
        "executions.written.lapse",
        ["LSE-002", "LSE-005", "LSE-009", "LSE-012", "LSE-015", "SYS-007"],
        "A lease renewed in its last millisecond, and lapsed in the next.",
        lapse,
        Clock
    ),
    case!(
        "executions.written.superseded",
        ["LSE-002", "LSE-003", "LSE-008", "ATT-001"],
        "A worker that goes on after another has taken over.",
        superseded,
        Clock
    ),
    case!(
        "executions.written.repeated",
        ["ATT-003", "ATT-004", "ATT-029"],
        "A completion repeated, then with another result, then a cancellation.",
        repeated,
        Clock
    ),
    case!(
        "executions.written.delay",
        ["EXE-002", "SCH-015", "SCH-016", "SYS-027"],
        "Delayed, due, promoted, claimed.",
        delay,
        Clock
    ),
    case!(
        "executions.written.order",
        ["SCH-002", "CLM-001", "EXE-006"],
        "Three executions in the order of their priorities.",
        order,
        Clock
    ),
    case!(
        "executions.written.key",
        ["EXE-007", "EXE-008", "EXE-009"],
        "A key that stands for an execution for a while.",
        key,
        Clock
    ),
    case!(
        "executions.written.progress",
        ["ATT-005", "ATT-006", "EXE-028", "EXE-029", "EXE-030"],
        "Progress and tags outlive an attempt.",
        progress_and_tags,
        Clock
    ),
];

async fn once(world: World) -> Verdict {
    let cast = Cast::of(&world);
    let lines = vec![
        call(cast.state(1), "ok, nothing"),
        call(cast.claim("w1"), "ok, nothing"),
        cast.created(1),
        call(cast.state(1), "waiting"),
        call(
            cast.fields(1, ["total_attempt_count", "current_attempt_index", "started_at"]),
            "current_attempt_index=null started_at=null total_attempt_count=0",
        ),
        pass(10),
        call(cast.claim("w1"), "handle=fresh"),
        call(cast.claim("w2"), "ok, nothing"),
        call(cast.state(1), "active"),
        call(
            cast.describe(1),
            "blocking_detail=null blocking_reason=null created_at=t+0 \
             current_attempt.attempt_id=minted-1 current_attempt.attempt_index=0 \
             current_lease.attempt_index=0 current_lease.expires_at=t+30010 \
             current_lease.last_heartbeat_at=t+10 current_lease.lease_epoch=1 \
             current_lease.lease_id=minted-2 current_lease.worker_instance_id=w1 \
             current_waitpoint=null execution_id=e1 flow_id=null lane_id=a last_mutation_at=t+10 \
             namespace=tenant public_state=active total_attempt_count=1",
        ),
        call(
            cast.fields(1, ["total_attempt_count", "current_attempt_index", "started_at"]),
            "current_attempt_index=0 started_at=t+10 total_attempt_count=1",
        ),
        call(cast.result(1), "ok, nothing"),
        pass(10),
        call(complete("w1", "done"), "ok, nothing"),
        call(cast.state(1), "completed"),
        call(cast.result(1), "done"),
        call(
            cast.fields(1, ["terminal_outcome", "completed_at", "lease_expires_at"]),
            "completed_at=t+20 lease_expires_at=null terminal_outcome=success",
        ),
        call(cast.claim("w3"), "ok, nothing"),
    ];
    play(&world, lines).await
}

async fn retries(world: World) -> Verdict {
    let cast = Cast::of(&world);
    let growing = RetryPolicy {
        max_retries: 2,
        backoff: BackoffStrategy::Exponential {
            initial_delay_ms: 100,
            max_delay_ms: 1_000,
            multiplier: 2.5,
            jitter: false,
        },
        ..RetryPolicy::default()
    };
    let counts = || cast.fields(1, ["current_attempt_index", "current_lease_epoch", "retry_count"]);
    let lines = vec![
        call(
            cast.create(1).retry_policy(growing),
            "created.execution_id=e1 created.public_state=waiting",
        ),
        call(cast.claim("w1"), "handle=fresh"),
        call(fail("w1", FailureClass::Transient), "retry_scheduled.delay_until=t+100"),
        call(cast.state(1), "delayed"),
        pass(99),
        call(cast.promote(1), "ok, nothing"),
        call(cast.claim("w2"), "ok, nothing"),
        pass(1),
        call(cast.promote(1), "ok, nothing"),
        call(cast.state(1), "waiting"),
        call(counts(), "current_attempt_index=0 current_lease_epoch=1 retry_count=1"),
        call(cast.claim("w2"), "handle=fresh"),
        call(counts(), "current_attempt_index=1 current_lease_epoch=2 retry_count=1"),
        call(fail("w2", FailureClass::Timeout), "retry_scheduled.delay_until=t+350"),
        pass(250),
        call(cast.promote(1), "ok, nothing"),
        call(cast.claim("w3"), "handle=fresh"),
        call(counts(), "current_attempt_index=2 current_lease_epoch=3 retry_count=2"),
        call(fail("w3", FailureClass::Transient), "terminal_failed"),
        call(cast.state(1), "failed"),
        call(
            cast.fields(1, ["failure_category", "failure_reason", "terminal_outcome"]),
            "failure_category=transient failure_reason=boom terminal_outcome=failed",
        ),
        call(cast.claim("w4"), "ok, nothing"),
    ];
    play(&world, lines).await
}

async fn lapse(world: World) -> Verdict {
    let cast = Cast::of(&world);
    let lease = || cast.fields(1, ["lease_expired_at", "lease_expires_at", "ownership_state"]);
    let lines = vec![
        cast.created(1),
        call(cast.claim("w1"), "handle=fresh"),
        pass(29_999),
        call(renew("w1"), "expires_at_ms=t+59999 lease_epoch=1"),
        pass(29_999),
        call(cast.mark_lapsed(1), "ok, nothing"),
        call(progress("w1", 99), "ok, nothing"),
        pass(1),
        call(cast.claim("w2"), "ok, nothing"),
        call(lease(), "lease_expired_at=null lease_expires_at=t+59999 ownership_state=leased"),
        call(renew("w1"), "refused: state.lease_expired"),
        call(
            lease(),
            "lease_expired_at=t+59999 lease_expires_at=t+59999 \
             ownership_state=lease_expired_reclaimable",
        ),
        pass(5),
        call(complete("w1", "late"), "refused: state.lease_expired"),
        call(cast.mark_lapsed(1), "ok, nothing"),
        call(
            lease(),
            "lease_expired_at=t+59999 lease_expires_at=t+59999 \
             ownership_state=lease_expired_reclaimable",
        ),
        call(cast.state(1), "active"),
        call(cast.claim("w2"), "ok, nothing"),
        call(cast.result(1), "ok, nothing"),
    ];
    play(&world, lines).await
}

async fn superseded(world: World) -> Verdict {
    let cast = Cast::of(&world);
    let lines = vec![
        call(cast.create(1).retries(3, 0), "created.execution_id=e1 created.public_state=waiting"),
        call(cast.claim("w1"), "handle=fresh"),
        call(fail("w1", FailureClass::Transient), "retry_scheduled.delay_until=t+0"),
        call(
            renew("w1"),
            "refused: contention.execution_not_active attempt_id=\"\" lease_epoch=1 \
             lifecycle_phase=runnable terminal_outcome=none",
        ),
        call(cast.promote(1), "ok, nothing"),
        call(cast.claim("w2"), "handle=fresh"),
        call(renew("w1"), "refused: state.stale_lease"),
        call(progress("w1", 10), "refused: state.stale_lease"),
        call(complete("w1", "mine"), "refused: state.stale_lease"),
        call(fail("w1", FailureClass::Transient), "refused: state.stale_lease"),
        call(renew("w2"), "expires_at_ms=t+30000 lease_epoch=2"),
        call(
            cast.fields(1, ["current_worker_instance_id", "progress_percent", "retry_count"]),
            "current_worker_instance_id=w2 progress_percent=null retry_count=1",
        ),
        call(complete("w2", "ours"), "ok, nothing"),
        call(
            complete("w1", "mine"),
            "refused: contention.execution_not_active attempt_id=minted-1 lease_epoch=2 \
             lifecycle_phase=terminal terminal_outcome=success",
        ),
        call(cast.result(1), "ours"),
    ];
    play(&world, lines).await
}

async fn repeated(world: World) -> Verdict {
    let cast = Cast::of(&world);
    let over = "refused: contention.execution_not_active attempt_id=minted-1 lease_epoch=1 \
                lifecycle_phase=terminal terminal_outcome=success";
    let lines = vec![
        cast.created(1),
        call(cast.claim("w1"), "handle=fresh"),
        call(complete("w1", "done"), "ok, nothing"),
        pass(60_000),
        call(complete("w1", "done"), "ok, nothing"),
        call(complete("w1", "else"), over),
        call(cancel("w1", "why"), over),
        call(fail("w1", FailureClass::Permanent), over),
        call(cast.result(1), "done"),
        call(
            cast.fields(1, ["completed_at", "last_mutation_at", "terminal_outcome"]),
            "completed_at=t+0 last_mutation_at=t+0 terminal_outcome=success",
        ),
    ];
    play(&world, lines).await
}

async fn delay(world: World) -> Verdict {
    let cast = Cast::of(&world);
    let delayed = cast.create(1).delay_until(world.in_ms(1_000));
    let lines = vec![
        call(delayed, "created.execution_id=e1 created.public_state=delayed"),
        call(cast.claim("w1"), "ok, nothing"),
        pass(999),
        call(cast.promote(1), "ok, nothing"),
        call(cast.state(1), "delayed"),
        pass(1),
        call(cast.claim("w1"), "ok, nothing"),
        call(
            cast.fields(1, ["blocking_reason", "delay_until", "eligibility_state"]),
            "blocking_reason=waiting_for_delay delay_until=t+1000 \
             eligibility_state=not_eligible_until_time",
        ),
        call(cast.promote(1), "ok, nothing"),
        call(cast.promote(1), "ok, nothing"),
        call(
            cast.fields(1, ["blocking_reason", "delay_until", "eligibility_state"]),
            "blocking_reason=waiting_for_worker delay_until=null eligibility_state=eligible_now",
        ),
        call(cast.claim("w1"), "handle=fresh"),
    ];
    play(&world, lines).await
}

async fn order(world: World) -> Verdict {
    let cast = Cast::of(&world);
    let holder = |number| cast.fields(number, ["current_worker_instance_id", "priority"]);
    let created = |number| format!("created.execution_id=e{number} created.public_state=waiting");
    let lines = vec![
        call(cast.create(1).priority(5), created(1)),
        call(cast.create(2).priority(9_001), created(2)),
        call(cast.create(5).priority(-1), created(5)),
        pass(1),
        call(cast.create(6).priority(5), created(6)),
        call(cast.claim("w1"), "handle=fresh"),
        call(cast.claim("w2"), "handle=fresh"),
        call(cast.claim("w3"), "handle=fresh"),
        call(cast.claim("w4"), "handle=fresh"),
        call(cast.claim("w5"), "ok, nothing"),
        call(holder(2), "current_worker_instance_id=w1 priority=9000"),
        call(holder(1), "current_worker_instance_id=w2 priority=5"),
        call(holder(6), "current_worker_instance_id=w3 priority=5"),
        call(holder(5), "current_worker_instance_id=w4 priority=0"),
    ];
    play(&world, lines).await
}

async fn key(world: World) -> Verdict {
    let cast = Cast::of(&world);
    let keyed = |number| cast.create(number).key("key");
    let brief = |number| keyed(number).policy(|policy| policy.dedup_window_ms = Some(1_000));
    let created = |number| format!("created.execution_id=e{number} created.public_state=waiting");
    let lines = vec![
        call(brief(1), created(1)),
        call(brief(2), "duplicate.execution_id=e1"),
        call(cast.state(2), "ok, nothing"),
        call(keyed(2).namespace("another"), created(2)),
        call(keyed(5).namespace("another"), "duplicate.execution_id=e2"),
        pass(999),
        call(brief(5), "duplicate.execution_id=e1"),
        pass(1),
        call(brief(1), "duplicate.execution_id=e1"),
        call(brief(5), created(5)),
        call(brief(6), "duplicate.execution_id=e5"),
    ];
    play(&world, lines).await
}

async fn progress_and_tags(world: World) -> Verdict {
    let cast = Cast::of(&world);
    let shown = || cast.fields(1, ["last_mutation_at", "progress_percent"]);
    let lines = vec![
        call(
            cast.create(1).tag("app.one", "1").retries(1, 0),
            "created.execution_id=e1 created.public_state=waiting",
        ),
        call(cast.claim("w1"), "handle=fresh"),
        pass(1),
        call(progress("w1", 60), "ok, nothing"),
        call(shown(), "last_mutation_at=t+1 progress_percent=60"),
        pass(1),
        call(progress("w1", 101), "refused: validation.invalid_input"),
        call(progress("w1", 40), "ok, nothing"),
        call(fail("w1", FailureClass::InfraCrash), "retry_scheduled.delay_until=t+2"),
        call(cast.promote(1), "ok, nothing"),
        call(cast.claim("w2"), "handle=fresh"),
        call(shown(), "last_mutation_at=t+2 progress_percent=40"),
        call(complete("w2", ""), "ok, nothing"),
        pass(1),
        call(cast.tag(1, "app.two", ""), "ok, nothing"),
        call(cast.tag(1, "Two", ""), "refused: validation.invalid_input"),
        call(shown(), "last_mutation_at=t+3 progress_percent=40"),
        call(cast.read_tag(1, "app.one"), "1"),
        call(cast.read_tag(1, "app.two"), "\"\""),
        call(cast.read_tag(1, "app.three"), "ok, nothing"),
        call(cast.read_tag(2, "app.one"), "ok, nothing"),
        call(cast.tag(2, "app.one", "1"), "refused: not_found.execution"),
    ];
    play(&world, lines).await
}
