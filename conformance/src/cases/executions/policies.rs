//! Policies that cannot take effect are refused at creation.

use ff_core::policy::{BackoffStrategy, RetryPolicy, StreamPolicy, SuspensionPolicy};
use ff_core::types::BudgetId;

use crate::stage::{Failure, Verdict, World, case};

/// A behaviour or a mode that nobody knows.
#[case(EXE_037)]
async fn unknown_words(world: World) -> Verdict {
    for word in ["", "Fail", "explode", "durable "] {
        let answer = suspending(&world, word).await;
        expect_refused!(answer, "validation.invalid_input", "behaviour {word:?}");
        let answer = streaming(&world, word).await;
        expect_refused!(answer, "validation.invalid_input", "mode {word:?}");
    }
    Ok(())
}

/// Every behaviour and mode that the contract names.
#[case(EXE_037)]
async fn known_words(world: World) -> Verdict {
    for behavior in ["fail", "cancel", "expire", "auto_resume_with_timeout_signal", "escalate"] {
        suspending(&world, behavior).await?;
    }
    for mode in ["durable", "durable_summary", "best_effort_live"] {
        streaming(&world, mode).await?;
    }
    Ok(())
}

type Answer = Result<ff_core::contracts::CreateExecutionResult, ff_core::engine_error::EngineError>;

async fn suspending(world: &World, behavior: &str) -> Answer {
    let policy =
        SuspensionPolicy { default_timeout_ms: Some(1_000), timeout_behavior: behavior.to_owned() };
    world.execution().policy(|p| p.suspension_policy = Some(policy)).try_create().await
}

async fn streaming(world: &World, mode: &str) -> Answer {
    let policy = StreamPolicy {
        durability_mode: mode.to_owned(),
        retention_maxlen: 100,
        retention_ttl_ms: None,
    };
    world.execution().policy(|p| p.stream_policy = Some(policy)).try_create().await
}

/// A backoff that grows by something that is no factor.
#[case(ATT_013)]
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

/// 64 budgets and 64 KiB, and one more.
#[case(EXE_043)]
async fn size(world: World) -> Verdict {
    let refused = "validation.invalid_policy_json";
    let with = |budgets: usize, length: usize| {
        let execution = world.execution().policy(|policy| {
            policy.budget_ids = (0..budgets).map(|_| BudgetId::from_uuid(world.uuid())).collect();
            policy.retry_policy = Some(RetryPolicy {
                retryable_categories: vec!["x".repeat(length)],
                ..RetryPolicy::default()
            });
        });
        let bytes = execution
            .args()
            .policy
            .map_or(Ok(0), |policy| serde_json::to_vec(&policy).map(|json| json.len()));
        bytes.map(|bytes| (execution, bytes))
    };
    let (_, bytes) = with(64, 0).map_err(|error| Failure::new(error.to_string()))?;
    for (budgets, length, fits) in
        [(64, 65_536 - bytes, true), (64, 65_537 - bytes, false), (65, 0, false)]
    {
        let execution = with(budgets, length).map_err(|error| Failure::new(error.to_string()))?.0;
        if fits {
            execution.create().await?;
        } else {
            let answer = execution.try_create().await;
            expect_refused!(answer, refused, "{budgets} budgets, a text of {length}");
        }
    }
    Ok(())
}
