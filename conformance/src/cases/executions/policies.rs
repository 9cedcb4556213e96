//! Policies that cannot take effect are refused at creation.

use ff_core::policy::{BackoffStrategy, RetryPolicy, StreamPolicy, SuspensionPolicy};

use crate::case::{Case, Verdict, case};
use crate::world::World;

pub(super) const CASES: &[Case] = &[
    case!(
        "executions.policies.unknown-words",
        ["EXE-037"],
        "A behaviour or a mode that nobody knows.",
        unknown_words
    ),
    case!(
        "executions.policies.known-words",
        ["EXE-037"],
        "Every behaviour and mode that the contract names.",
        known_words
    ),
    case!(
        "executions.policies.multiplier",
        ["ATT-013"],
        "A backoff that grows by something that is no factor.",
        multiplier
    ),
];

async fn unknown_words(world: World) -> Verdict {
    for word in ["", "Fail", "explode", "durable "] {
        let answer = suspending(&world, word).await;
        expect_refused!(answer, "validation.invalid_input", "behaviour {word:?}");
        let answer = streaming(&world, word).await;
        expect_refused!(answer, "validation.invalid_input", "mode {word:?}");
    }
    Ok(())
}

async fn known_words(world: World) -> Verdict {
    for behavior in [
        "fail",
        "cancel",
        "expire",
        "auto_resume_with_timeout_signal",
        "escalate",
    ] {
        suspending(&world, behavior).await?;
    }
    for mode in ["durable", "durable_summary", "best_effort_live"] {
        streaming(&world, mode).await?;
    }
    Ok(())
}

type Answer = Result<ff_core::contracts::CreateExecutionResult, ff_core::engine_error::EngineError>;

async fn suspending(world: &World, behavior: &str) -> Answer {
    let policy = SuspensionPolicy {
        default_timeout_ms: Some(1_000),
        timeout_behavior: behavior.to_owned(),
    };
    world
        .execution()
        .policy(|p| p.suspension_policy = Some(policy))
        .try_create()
        .await
}

async fn streaming(world: &World, mode: &str) -> Answer {
    let policy = StreamPolicy {
        durability_mode: mode.to_owned(),
        retention_maxlen: 100,
        retention_ttl_ms: None,
    };
    world
        .execution()
        .policy(|p| p.stream_policy = Some(policy))
        .try_create()
        .await
}

async fn multiplier(world: World) -> Verdict {
    let growing_by = |multiplier| {
        world.execution().retry_policy(RetryPolicy {
            backoff: BackoffStrategy::Exponential {
                initial_delay_ms: 1,
                max_delay_ms: 10,
                multiplier,
                jitter: false,
            },
            ..RetryPolicy::default()
        })
    };
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.5] {
        let answer = growing_by(bad).try_create().await;
        expect_refused!(answer, "validation.invalid_policy_json", "multiplier {bad}");
    }
    growing_by(0.0).create().await?;
    Ok(())
}
