//! Whether and when a failed attempt is followed by another.

use ff_core::backend::{FailOutcome, FailureClass, FailureReason};
use ff_core::contracts::{FailExecutionArgs, FailExecutionResult};
use ff_core::engine_backend::EngineBackend;
use ff_core::policy::{BackoffStrategy, RetryPolicy};
use ff_core::types::ExecutionId;

use crate::stage::{Failure, Verdict, World, case};

/// The waits before each retry, until the failure is final.
async fn waits(world: &World, policy: RetryPolicy) -> Result<Vec<i64>, Failure> {
    let most = policy.max_retries as usize;
    let id = world.execution().retry_policy(policy).create().await?;
    let mut waits = Vec::new();
    loop {
        expect!(waits.len() <= most, "at most {most} retries: {waits:?}");
        let handle = world.worker().finds_work().await?;
        match world.fail_with(&handle, FailureClass::Transient).await? {
            FailOutcome::RetryScheduled { delay_until } => {
                let wait = delay_until.0 - world.now().0;
                waits.push(wait);
                world.pass_ms(wait.max(0).unsigned_abs()).await?;
                world.promote(&id).await?;
            }
            FailOutcome::TerminalFailed => return Ok(waits),
        }
    }
}

fn growing(initial_delay_ms: u64, multiplier: f64, max_delay_ms: u64) -> BackoffStrategy {
    BackoffStrategy::Exponential { initial_delay_ms, max_delay_ms, multiplier, jitter: false }
}

fn policy(max_retries: u32, backoff: BackoffStrategy) -> RetryPolicy {
    RetryPolicy { max_retries, backoff, ..RetryPolicy::default() }
}

/// As many retries as the policy grants, and no more.
#[case(ATT_009)]
async fn limit(world: World) -> Verdict {
    for max in [0, 1, 4] {
        let seen = waits(&world, policy(max, BackoffStrategy::Fixed { delay_ms: 5 })).await?;
        expect_eq!(seen.len(), max as usize, "retries");
    }
    Ok(())
}

/// Only for the categories that the policy names.
#[case(ATT_009)]
async fn categories(world: World) -> Verdict {
    for (named, class, retried) in [
        (&["timeout"][..], FailureClass::Timeout, true),
        (&["timeout"], FailureClass::Transient, false),
        (&["other", "transient"], FailureClass::Transient, true),
        (&["Transient"], FailureClass::Transient, false),
        (&["permanent"], FailureClass::Permanent, false),
        (&[], FailureClass::InfraCrash, true),
    ] {
        let retryable_categories = named.iter().map(|name| (*name).to_owned()).collect();
        let (_, handle) = world
            .execution()
            .retry_policy(RetryPolicy { retryable_categories, ..RetryPolicy::default() })
            .claimed()
            .await?;
        let outcome = world.fail_with(&handle, class).await?;
        let seen = matches!(outcome, FailOutcome::RetryScheduled { .. });
        expect_eq!(seen, retried, "{class:?} where {named:?} are named");
    }
    Ok(())
}

/// Which classes permit a retry.
#[case(ATT_010)]
async fn classes(world: World) -> Verdict {
    for (class, retried) in [
        (FailureClass::Transient, true),
        (FailureClass::InfraCrash, true),
        (FailureClass::Timeout, true),
        (FailureClass::Permanent, false),
        (FailureClass::Cancelled, false),
    ] {
        let (_, handle) = world.execution().retries(9, 1).claimed().await?;
        let outcome = world.fail_with(&handle, class).await?;
        let seen = matches!(outcome, FailOutcome::RetryScheduled { .. });
        expect_eq!(seen, retried, "{class:?}");
    }
    Ok(())
}

/// A failure's detail is data.
#[case(ATT_010)]
async fn detail(world: World) -> Verdict {
    let (id, handle) = world.execution().retries(1, 1).claimed().await?;
    let reason = FailureReason::with_detail("boom", b"permanent".to_vec());
    let outcome = world.fail(&handle, reason, FailureClass::Transient).await?;
    expect!(matches!(outcome, FailOutcome::RetryScheduled { .. }), "it is retried");
    let category = world.field(&id, "failure_category").await?;
    expect_eq!(category.as_deref(), Some("transient"));
    Ok(())
}

/// Without a retry policy there is no retry.
#[case(ATT_011)]
async fn no_policy(world: World) -> Verdict {
    let (_, bare) = world.claimed().await?;
    let outcome = world.fail_with(&bare, FailureClass::Transient).await?;
    expect_eq!(outcome, FailOutcome::TerminalFailed, "no policy at all");
    let (_, handle) = world.execution().policy(|policy| policy.priority = 1).claimed().await?;
    let outcome = world.fail_with(&handle, FailureClass::Transient).await?;
    expect_eq!(outcome, FailOutcome::TerminalFailed, "a policy without retries");
    Ok(())
}

/// A policy of defaults: three retries, from a second on, doubled.
#[case(ATT_012, ATT_009, needs(clock))]
async fn defaults(world: World) -> Verdict {
    let seen = waits(&world, RetryPolicy::default()).await?;
    expect_eq!(seen, vec![1_000, 2_000, 4_000], "the waits");
    Ok(())
}

/// The same wait each time; none is a delay too.
#[case(ATT_012, needs(passive))]
async fn fixed(world: World) -> Verdict {
    for delay_ms in [0, 1, 150] {
        let seen = waits(&world, policy(3, BackoffStrategy::Fixed { delay_ms })).await?;
        let expected = delay_ms.cast_signed();
        let is_it = |wait: &i64| (expected..=expected + world.lag()).contains(wait);
        expect!(seen.len() == 3 && seen.iter().all(is_it), "{seen:?} are {expected} ms");
    }
    let (id, handle) = world.execution().retries(1, 0).claimed().await?;
    world.fail_with(&handle, FailureClass::Transient).await?;
    let state = world.field(&id, "public_state").await?;
    expect_eq!(state.as_deref(), Some("delayed"), "a wait of 0 is a delay");
    expect_eq!(world.worker().try_claim().await?, None, "until it is promoted");
    Ok(())
}

/// Growth to the ceiling.
#[case(ATT_012, needs(clock))]
async fn exponential(world: World) -> Verdict {
    for (backoff, expected) in [
        (growing(100, 2.0, 100_000), vec![100, 200, 400, 800, 1_600, 3_200, 6_400]),
        (growing(100, 1.5, 200), vec![100, 150, 200, 200, 200, 200, 200]),
        (growing(100, 1.0, 100_000), vec![100; 7]),
        (growing(128, 0.5, 100_000), vec![128, 64, 32, 16, 8, 4, 2]),
        (growing(100, 0.0, 100_000), vec![100, 0, 0, 0, 0, 0, 0]),
        (growing(500, 3.0, 400), vec![400; 7]),
        (growing(0, 10.0, 400), vec![0; 7]),
    ] {
        let seen = waits(&world, policy(7, backoff.clone())).await?;
        expect_eq!(seen, expected, "{backoff:?}");
    }
    Ok(())
}

/// Fractions of a millisecond are left out; a product of products is no power: they differ by a millisecond.
#[case(ATT_032, needs(clock))]
async fn arithmetic(world: World) -> Verdict {
    for (backoff, expected) in [
        (growing(100, 1.5, 700), vec![100, 150, 225, 337, 506, 700, 700]),
        (growing(100, 0.5, 100_000), vec![100, 50, 25, 12, 6, 3, 1]),
    ] {
        let seen = waits(&world, policy(7, backoff.clone())).await?;
        expect_eq!(seen, expected, "{backoff:?}");
    }
    let seen = waits(&world, policy(4, growing(1_000_000_000_000_000, 0.7, 1 << 52))).await?;
    let expected =
        [1_000_000_000_000_000, 700_000_000_000_000, 490_000_000_000_000, 343_000_000_000_000];
    expect_eq!(seen, expected, "the waits");
    Ok(())
}

/// Factors that leave every range end at the ceiling.
#[case(ATT_012, needs(clock))]
async fn huge(world: World) -> Verdict {
    let year = 365 * 86_400_000;
    for backoff in [growing(1, 1e300, year), growing(year, f64::MAX, year)] {
        let seen = waits(&world, policy(4, backoff.clone())).await?;
        let ceiling = year.cast_signed();
        let first = if matches!(backoff, BackoffStrategy::Exponential { initial_delay_ms: 1, .. }) {
            1
        } else {
            ceiling
        };
        expect_eq!(seen, vec![first, ceiling, ceiling, ceiling], "{backoff:?}");
    }
    let seen = waits(&world, policy(3, growing(0, f64::MAX, year))).await?;
    expect_eq!(seen, vec![0, 0, 0], "nothing, however often it is multiplied");
    Ok(())
}

/// Between half of the wait and all of it.
#[case(ATT_014, needs(clock))]
async fn jitter(world: World) -> Verdict {
    let backoff = BackoffStrategy::Exponential {
        initial_delay_ms: 1_000,
        max_delay_ms: 8_000,
        multiplier: 2.0,
        jitter: true,
    };
    let seen = waits(&world, policy(6, backoff)).await?;
    for (wait, full) in seen.iter().zip([1_000, 2_000, 4_000, 8_000, 8_000, 8_000]) {
        expect!(
            (full / 2..=full).contains(wait),
            "{wait} ms are not between half of {full} and all"
        );
    }
    expect_eq!(seen.len(), 6, "retries");
    Ok(())
}

/// What a retry to come looks like.
#[case(ATT_015)]
async fn effect(world: World) -> Verdict {
    let (id, handle) = world.execution().retries(3, 500).claimed().await?;
    world.pass_ms(11).await?;
    world.fail_with(&handle, FailureClass::Timeout).await?;
    world
        .expect_fields(
            &id,
            [
                ("lifecycle_phase", "runnable".to_owned()),
                ("eligibility_state", "not_eligible_until_time".to_owned()),
                ("blocking_reason", "waiting_for_retry_backoff".to_owned()),
                ("attempt_state", "pending_retry_attempt".to_owned()),
                ("terminal_outcome", "none".to_owned()),
                ("public_state", "delayed".to_owned()),
                ("retry_count", "1".to_owned()),
                ("total_attempt_count", "1".to_owned()),
                ("failure_reason", "boom".to_owned()),
                ("failure_category", "timeout".to_owned()),
                ("delay_until", world.due_in_ms(500).to_string()),
            ],
        )
        .await?;
    expect_eq!(world.field(&id, "completed_at").await?, None, "it has not ended");
    Ok(())
}

/// The next claim starts the next attempt.
#[case(ATT_016)]
async fn next_attempt(world: World) -> Verdict {
    let (id, handle) = world.execution().retries(3, 500).claimed().await?;
    let outcome = world.fail_with(&handle, FailureClass::Transient).await?;
    let FailOutcome::RetryScheduled { delay_until } = outcome else {
        return Err(Failure::new(format!("a retry is scheduled, not {outcome:?}")));
    };
    world.expect_time(delay_until, world.due_in_ms(500), "the delay's end")?;
    let expected = world.read_total_attempt_count(&id).await?;
    world.pass_ms(500).await?;
    world.promote(&id).await?;
    world.worker().claim().await?;
    expect_eq!(world.read_current_attempt_index(&id).await?, expected, "the index promised");
    Ok(())
}

/// A lease of an execution with this many retries after a while, and how it fails without a handle.
async fn failing(
    world: &World,
    retries: u32,
    change: impl FnOnce(&mut FailExecutionArgs),
) -> Result<(ExecutionId, FailExecutionArgs), Failure> {
    let execution = world.execution().retries(retries, 60_000);
    let leased = world.leased_by(execution.claimed().await?).await?;
    let mut args = leased.failing();
    change(&mut args);
    Ok((leased.id, args))
}

/// With a retry to come.
#[case(ATT_009, ATT_015, ATT_036)]
async fn retry_by_name(world: World) -> Verdict {
    let (id, args) = failing(&world, 1, |args| args.failure_category = "odd".to_owned()).await?;
    world.pass_ms(5).await?;
    match world.fail_execution(args).await? {
        FailExecutionResult::RetryScheduled { delay_until, next_attempt_index } => {
            world.expect_time(delay_until, world.due_in_ms(60_000), "the retry")?;
            expect_eq!(next_attempt_index.0, 1, "its index");
        }
        FailExecutionResult::TerminalFailed => return Err(Failure::new("it is retried")),
    }
    let expected = [
        ("public_state", "delayed"),
        ("blocking_reason", "waiting_for_retry_backoff"),
        ("attempt_state", "pending_retry_attempt"),
        ("retry_count", "1"),
        ("failure_reason", "boom"),
        ("failure_category", "odd"),
    ];
    world.expect_fields(&id, expected).await
}

/// Without a retry, and of categories that permit none.
#[case(ATT_017, ATT_036)]
async fn final_by_name(world: World) -> Verdict {
    for (retries, category) in [(0, "transient"), (1, "permanent"), (1, "cancelled")] {
        let change = |args: &mut FailExecutionArgs| args.failure_category = category.to_owned();
        let (id, args) = failing(&world, retries, change).await?;
        let answer = world.fail_execution(args).await?;
        expect_eq!(answer, FailExecutionResult::TerminalFailed, "{category}");
        let expected = [
            ("terminal_outcome", "failed"),
            ("failure_reason", "boom"),
            ("failure_category", category),
        ];
        world.expect_fields(&id, expected).await?;
    }
    Ok(())
}

/// A policy of the caller's, whole and in part, and when each has it retry.
#[case(ATT_034)]
async fn policies_by_name(world: World) -> Verdict {
    let fixed = r#"{"max_retries":1,"backoff":{"type":"fixed","delay_ms":70000}}"#;
    let grown = r#"{"backoff":{"type":"exponential","initial_delay_ms":50000}}"#;
    let capped = r#"{"backoff":{"type":"exponential","initial_delay_ms":99000}}"#;
    let policies =
        [("{}", 1_000), (fixed, 70_000), (grown, 50_000), (capped, 60_000), ("", 60_000)];
    for (policy, wait) in policies {
        let stored = u32::from(policy.is_empty());
        let change = |args: &mut FailExecutionArgs| args.retry_policy_json = policy.to_owned();
        let (_, args) = failing(&world, stored, change).await?;
        match world.fail_execution(args).await? {
            FailExecutionResult::RetryScheduled { delay_until, .. } => {
                world.expect_time(delay_until, world.due_in_ms(wait), policy)?;
            }
            FailExecutionResult::TerminalFailed => {
                return Err(Failure::new(format!("{policy}: it is retried")));
            }
        }
    }
    let others = r#"{"retryable_categories":["odd"]}"#;
    for policy in [r#"{"max_retries":0}"#, others] {
        let change = |args: &mut FailExecutionArgs| args.retry_policy_json = policy.to_owned();
        let (_, args) = failing(&world, 9, change).await?;
        let answer = world.fail_execution(args).await?;
        expect_eq!(answer, FailExecutionResult::TerminalFailed, "{policy}");
    }
    Ok(())
}

/// Policies that are none.
#[case(ATT_034)]
async fn bad_policies_by_name(world: World) -> Verdict {
    let bad = [
        "[]",
        "7",
        "retry",
        r#"{"max_retries":-1}"#,
        r#"{"backoff":{"type":"sometimes"}}"#,
        r#"{"backoff":{"type":"exponential","multiplier":-0.5}}"#,
    ];
    let leased = world.leased().await?;
    let before = world.observe(&leased.id).await?;
    for policy in bad {
        let args = FailExecutionArgs { retry_policy_json: policy.to_owned(), ..leased.failing() };
        let answer = world.fail_execution(args).await;
        expect_refused!(answer, "validation.invalid_policy_json", "{policy}");
    }
    for policy in ["[]", "7", "next"] {
        let next = policy.to_owned();
        let args = FailExecutionArgs { next_attempt_policy_json: next, ..leased.failing() };
        let answer = world.fail_execution(args).await;
        expect_refused!(answer, "validation.invalid_policy_json", "{policy} for the next attempt");
    }
    expect_eq!(world.observe(&leased.id).await?, before, "nothing has changed");
    let next = r#"{"any":"thing"}"#.to_owned();
    let args = FailExecutionArgs { next_attempt_policy_json: next, ..leased.failing() };
    expect_eq!(world.fail_execution(args).await?, FailExecutionResult::TerminalFailed);
    Ok(())
}
