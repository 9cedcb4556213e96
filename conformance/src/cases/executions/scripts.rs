//! Short histories of executions, with every answer written by hand.

use ff_core::backend::FailureClass;
use ff_core::policy::{BackoffStrategy, RetryPolicy};

use crate::play::fixture::{cancel, complete, fail, progress, renew};
use crate::play::{Fixture, call, pass, play};
use crate::stage::{Verdict, World, case};

/// Created, claimed, completed.
#[case(EXE_001, EXE_023, CLM_005, ATT_007, ATT_008)]
async fn once(world: World) -> Verdict {
    let fixture = Fixture::of(&world);
    let lines = vec![
        call(fixture.state(1), "ok, nothing"),
        call(fixture.claim("w1"), "ok, nothing"),
        fixture.created(1),
        call(fixture.state(1), "waiting"),
        call(
            fixture.fields(1, ["total_attempt_count", "current_attempt_index", "started_at"]),
            "current_attempt_index=null started_at=null total_attempt_count=0",
        ),
        pass(10),
        call(fixture.claim("w1"), "handle=fresh"),
        call(fixture.claim("w2"), "ok, nothing"),
        call(fixture.state(1), "active"),
        call(
            fixture.describe(1),
            "blocking_detail=null blocking_reason=null created_at=t+0 \
             current_attempt.attempt_id=minted-1 current_attempt.attempt_index=0 \
             current_lease.attempt_index=0 current_lease.expires_at=t+30010 \
             current_lease.last_heartbeat_at=t+10 current_lease.lease_epoch=1 \
             current_lease.lease_id=minted-2 current_lease.worker_instance_id=w1 \
             current_waitpoint=null execution_id=e1 flow_id=null lane_id=a last_mutation_at=t+10 \
             namespace=tenant public_state=active total_attempt_count=1",
        ),
        call(
            fixture.fields(1, ["total_attempt_count", "current_attempt_index", "started_at"]),
            "current_attempt_index=0 started_at=t+10 total_attempt_count=1",
        ),
        call(fixture.result(1), "ok, nothing"),
        pass(10),
        call(complete("w1", "done"), "ok, nothing"),
        call(fixture.state(1), "completed"),
        call(fixture.result(1), "done"),
        call(
            fixture.fields(1, ["terminal_outcome", "completed_at", "lease_expires_at"]),
            "completed_at=t+20 lease_expires_at=null terminal_outcome=success",
        ),
        call(fixture.claim("w3"), "ok, nothing"),
    ];
    play(&world, lines).await
}

/// Two retries after growing waits, then failed.
#[case(ATT_009, ATT_012, ATT_015, ATT_016, ATT_017, LSE_001, needs(clock))]
async fn retries(world: World) -> Verdict {
    let fixture = Fixture::of(&world);
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
    let counts =
        || fixture.fields(1, ["current_attempt_index", "current_lease_epoch", "retry_count"]);
    let lines = vec![
        call(
            fixture.create(1).retry_policy(growing),
            "created.execution_id=e1 created.public_state=waiting",
        ),
        call(fixture.claim("w1"), "handle=fresh"),
        call(fail("w1", FailureClass::Transient), "retry_scheduled.delay_until=t+100"),
        call(fixture.state(1), "delayed"),
        pass(99),
        call(fixture.promote(1), "ok, nothing"),
        call(fixture.claim("w2"), "ok, nothing"),
        pass(1),
        call(fixture.promote(1), "ok, nothing"),
        call(fixture.state(1), "waiting"),
        call(counts(), "current_attempt_index=0 current_lease_epoch=1 retry_count=1"),
        call(fixture.claim("w2"), "handle=fresh"),
        call(counts(), "current_attempt_index=1 current_lease_epoch=2 retry_count=1"),
        call(fail("w2", FailureClass::Timeout), "retry_scheduled.delay_until=t+350"),
        pass(250),
        call(fixture.promote(1), "ok, nothing"),
        call(fixture.claim("w3"), "handle=fresh"),
        call(counts(), "current_attempt_index=2 current_lease_epoch=3 retry_count=2"),
        call(fail("w3", FailureClass::Transient), "terminal_failed"),
        call(fixture.state(1), "failed"),
        call(
            fixture.fields(1, ["failure_category", "failure_reason", "terminal_outcome"]),
            "failure_category=transient failure_reason=boom terminal_outcome=failed",
        ),
        call(fixture.claim("w4"), "ok, nothing"),
    ];
    play(&world, lines).await
}

/// A lease renewed in its last millisecond, and lapsed in the next.
#[case(LSE_002, LSE_009, LSE_012, LSE_015, needs(clock))]
async fn lapse(world: World) -> Verdict {
    let fixture = Fixture::of(&world);
    let lease = || fixture.fields(1, ["lease_expired_at", "lease_expires_at", "ownership_state"]);
    let lines = vec![
        fixture.created(1),
        call(fixture.claim("w1"), "handle=fresh"),
        pass(29_999),
        call(renew("w1"), "expires_at_ms=t+59999 lease_epoch=1"),
        pass(29_999),
        call(fixture.mark_lapsed(1), "ok, nothing"),
        call(progress("w1", 99), "ok, nothing"),
        pass(1),
        call(fixture.claim("w2"), "ok, nothing"),
        call(lease(), "lease_expired_at=null lease_expires_at=t+59999 ownership_state=leased"),
        call(renew("w1"), "refused: state.lease_expired"),
        call(
            lease(),
            "lease_expired_at=t+59999 lease_expires_at=t+59999 \
             ownership_state=lease_expired_reclaimable",
        ),
        pass(5),
        call(complete("w1", "late"), "refused: state.lease_expired"),
        call(fixture.mark_lapsed(1), "ok, nothing"),
        call(
            lease(),
            "lease_expired_at=t+59999 lease_expires_at=t+59999 \
             ownership_state=lease_expired_reclaimable",
        ),
        call(fixture.state(1), "active"),
        call(fixture.claim("w2"), "ok, nothing"),
        call(fixture.result(1), "ok, nothing"),
    ];
    play(&world, lines).await
}

/// A worker that goes on after another has taken over.
#[case(LSE_002, LSE_003, LSE_008, ATT_001)]
async fn superseded(world: World) -> Verdict {
    let fixture = Fixture::of(&world);
    let lines = vec![
        call(
            fixture.create(1).retries(3, 0),
            "created.execution_id=e1 created.public_state=waiting",
        ),
        call(fixture.claim("w1"), "handle=fresh"),
        call(fail("w1", FailureClass::Transient), "retry_scheduled.delay_until=t+0"),
        call(
            renew("w1"),
            "refused: contention.execution_not_active attempt_id=\"\" lease_epoch=1 \
             lifecycle_phase=runnable terminal_outcome=none",
        ),
        call(fixture.promote(1), "ok, nothing"),
        call(fixture.claim("w2"), "handle=fresh"),
        call(renew("w1"), "refused: state.stale_lease"),
        call(progress("w1", 10), "refused: state.stale_lease"),
        call(complete("w1", "mine"), "refused: state.stale_lease"),
        call(fail("w1", FailureClass::Transient), "refused: state.stale_lease"),
        call(renew("w2"), "expires_at_ms=t+30000 lease_epoch=2"),
        call(
            fixture.fields(1, ["current_worker_instance_id", "progress_percent", "retry_count"]),
            "current_worker_instance_id=w2 progress_percent=null retry_count=1",
        ),
        call(complete("w2", "ours"), "ok, nothing"),
        call(
            complete("w1", "mine"),
            "refused: contention.execution_not_active attempt_id=minted-1 lease_epoch=2 \
             lifecycle_phase=terminal terminal_outcome=success",
        ),
        call(fixture.result(1), "ours"),
    ];
    play(&world, lines).await
}

/// A completion repeated, then with another result, then a cancellation.
#[case(ATT_003)]
async fn repeated(world: World) -> Verdict {
    let fixture = Fixture::of(&world);
    let over = "refused: contention.execution_not_active attempt_id=minted-1 lease_epoch=1 \
                lifecycle_phase=terminal terminal_outcome=success";
    let lines = vec![
        fixture.created(1),
        call(fixture.claim("w1"), "handle=fresh"),
        call(complete("w1", "done"), "ok, nothing"),
        pass(60),
        call(complete("w1", "done"), "ok, nothing"),
        call(complete("w1", "else"), over),
        call(cancel("w1", "why"), over),
        call(fail("w1", FailureClass::Permanent), over),
        call(fixture.result(1), "done"),
        call(
            fixture.fields(1, ["completed_at", "last_mutation_at", "terminal_outcome"]),
            "completed_at=t+0 last_mutation_at=t+0 terminal_outcome=success",
        ),
    ];
    play(&world, lines).await
}

/// Delayed, due, promoted, claimed.
#[case(EXE_002, SCH_015, SCH_016, needs(passive, clock))]
async fn delay(world: World) -> Verdict {
    let fixture = Fixture::of(&world);
    let delayed = fixture.create(1).delay_until(world.in_ms(1_000));
    let lines = vec![
        call(delayed, "created.execution_id=e1 created.public_state=delayed"),
        call(fixture.claim("w1"), "ok, nothing"),
        pass(999),
        call(fixture.promote(1), "ok, nothing"),
        call(fixture.state(1), "delayed"),
        pass(1),
        call(fixture.claim("w1"), "ok, nothing"),
        call(
            fixture.fields(1, ["blocking_reason", "delay_until", "eligibility_state"]),
            "blocking_reason=waiting_for_delay delay_until=t+1000 \
             eligibility_state=not_eligible_until_time",
        ),
        call(fixture.promote(1), "ok, nothing"),
        call(fixture.promote(1), "ok, nothing"),
        call(
            fixture.fields(1, ["blocking_reason", "delay_until", "eligibility_state"]),
            "blocking_reason=waiting_for_worker delay_until=null eligibility_state=eligible_now",
        ),
        call(fixture.claim("w1"), "handle=fresh"),
    ];
    play(&world, lines).await
}

/// Three executions in the order of their priorities.
#[case(SCH_002, CLM_001)]
async fn order(world: World) -> Verdict {
    let fixture = Fixture::of(&world);
    let holder = |number| fixture.fields(number, ["current_worker_instance_id", "priority"]);
    let created = |number| format!("created.execution_id=e{number} created.public_state=waiting");
    let lines = vec![
        call(fixture.create(1).priority(5), created(1)),
        call(fixture.create(2).priority(9_001), created(2)),
        call(fixture.create(5).priority(-1), created(5)),
        pass(1),
        call(fixture.create(6).priority(5), created(6)),
        call(fixture.claim("w1"), "handle=fresh"),
        call(fixture.claim("w2"), "handle=fresh"),
        call(fixture.claim("w3"), "handle=fresh"),
        call(fixture.claim("w4"), "handle=fresh"),
        call(fixture.claim("w5"), "ok, nothing"),
        call(holder(2), "current_worker_instance_id=w1 priority=9000"),
        call(holder(1), "current_worker_instance_id=w2 priority=5"),
        call(holder(6), "current_worker_instance_id=w3 priority=5"),
        call(holder(5), "current_worker_instance_id=w4 priority=0"),
    ];
    play(&world, lines).await
}

/// A key that stands for an execution for a while.
#[case(EXE_007, EXE_008, EXE_009, needs(clock))]
async fn key(world: World) -> Verdict {
    let fixture = Fixture::of(&world);
    let keyed = |number| fixture.create(number).key("key");
    let brief = |number| keyed(number).policy(|policy| policy.dedup_window_ms = Some(1_000));
    let created = |number| format!("created.execution_id=e{number} created.public_state=waiting");
    let lines = vec![
        call(brief(1), created(1)),
        call(brief(2), "duplicate.execution_id=e1"),
        call(fixture.state(2), "ok, nothing"),
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

/// Progress and tags outlive an attempt.
#[case(ATT_005, EXE_028, EXE_029, EXE_030)]
async fn progress_and_tags(world: World) -> Verdict {
    let fixture = Fixture::of(&world);
    let shown = || fixture.fields(1, ["last_mutation_at", "progress_percent"]);
    let lines = vec![
        call(
            fixture.create(1).tag("app.one", "1").retries(1, 0),
            "created.execution_id=e1 created.public_state=waiting",
        ),
        call(fixture.claim("w1"), "handle=fresh"),
        pass(1),
        call(progress("w1", 60), "ok, nothing"),
        call(shown(), "last_mutation_at=t+1 progress_percent=60"),
        pass(1),
        call(progress("w1", 101), "refused: validation.invalid_input"),
        call(progress("w1", 40), "ok, nothing"),
        call(fail("w1", FailureClass::InfraCrash), "retry_scheduled.delay_until=t+2"),
        call(fixture.promote(1), "ok, nothing"),
        call(fixture.claim("w2"), "handle=fresh"),
        call(shown(), "last_mutation_at=t+2 progress_percent=40"),
        call(complete("w2", ""), "ok, nothing"),
        pass(1),
        call(fixture.tag(1, "app.two", ""), "ok, nothing"),
        call(fixture.tag(1, "Two", ""), "refused: validation.invalid_input"),
        call(shown(), "last_mutation_at=t+3 progress_percent=40"),
        call(fixture.read_tag(1, "app.one"), "1"),
        call(fixture.read_tag(1, "app.two"), "\"\""),
        call(fixture.read_tag(1, "app.three"), "ok, nothing"),
        call(fixture.read_tag(2, "app.one"), "ok, nothing"),
        call(fixture.tag(2, "app.one", "1"), "refused: not_found.execution"),
    ];
    play(&world, lines).await
}
