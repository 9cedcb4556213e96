//! How attempts are counted and how they end.

use ff_core::backend::FailureClass;
use ff_core::engine_backend::EngineBackend;

use crate::stage::{Verdict, World, case};

/// Index and total through claims and retries.
#[case(ATT_001, ATT_002)]
async fn numbers(world: World) -> Verdict {
    let id = world.execution().retries(9, 0).create().await?;
    let read = async || {
        let index = world.read_current_attempt_index(&id).await?;
        let total = world.read_total_attempt_count(&id).await?;
        Ok::<_, crate::Failure>((index.0, total.0))
    };
    expect_eq!(read().await?, (0, 0), "before the first claim");
    for round in 0..3 {
        let handle = world.worker().claim().await?;
        expect_eq!(read().await?, (round, round + 1), "claimed, round {round}");
        world.fail_with(&handle, FailureClass::Transient).await?;
        expect_eq!(read().await?, (round, round + 1), "failed, round {round}");
        world.promote(&id).await?;
        expect_eq!(read().await?, (round, round + 1), "promoted, round {round}");
    }
    let handle = world.worker().claim().await?;
    world.complete(&handle, None).await?;
    expect_eq!(read().await?, (3, 4), "completed");
    Ok(())
}

/// An execution that is not there has no numbers.
#[case(ATT_030)]
async fn numbers_unknown(world: World) -> Verdict {
    let id = world.execution_id();
    let refused = "validation.invalid_input";
    expect_refused!(world.read_current_attempt_index(&id).await, refused);
    expect_refused!(world.read_total_attempt_count(&id).await, refused);
    Ok(())
}

/// The fields that every end sets.
async fn expect_ended(world: &World, id: &ff_core::types::ExecutionId, outcome: &str) -> Verdict {
    let public = if outcome == "success" { "completed" } else { outcome };
    world
        .expect_fields(
            id,
            [
                ("lifecycle_phase", "terminal".to_owned()),
                ("eligibility_state", "not_applicable".to_owned()),
                ("terminal_outcome", outcome.to_owned()),
                ("attempt_state", "attempt_terminal".to_owned()),
                ("public_state", public.to_owned()),
                ("completed_at", world.now().to_string()),
            ],
        )
        .await?;
    expect_eq!(world.worker().try_claim().await?, None, "it is not claimed again");
    Ok(())
}

/// Success.
#[case(ATT_007)]
async fn complete(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    world.pass_ms(9).await?;
    world.complete(&handle, Some(b"done".to_vec())).await?;
    expect_ended(&world, &id, "success").await?;
    expect_eq!(world.field(&id, "failure_reason").await?, None);
    Ok(())
}

/// Cancelled by its holder.
#[case(ATT_019)]
async fn cancel(world: World) -> Verdict {
    let (id, handle) = world.execution().retries(9, 0).claimed().await?;
    world.pass_ms(9).await?;
    world.cancel(&handle, "no longer needed").await?;
    expect_ended(&world, &id, "cancelled").await?;
    let reason = world.field(&id, "cancellation_reason").await?;
    expect_eq!(reason.as_deref(), Some("no longer needed"));
    Ok(())
}

/// Failed for good.
#[case(ATT_017)]
async fn final_failure(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    world.pass_ms(9).await?;
    let outcome = world.fail_with(&handle, FailureClass::InfraCrash).await?;
    expect_eq!(outcome, ff_core::backend::FailOutcome::TerminalFailed);
    expect_ended(&world, &id, "failed").await?;
    expect_eq!(world.field(&id, "failure_reason").await?.as_deref(), Some("boom"));
    expect_eq!(world.field(&id, "failure_category").await?.as_deref(), Some("infra_crash"));
    Ok(())
}

/// The last failure can be read after a retry has succeeded.
#[case(ATT_017)]
async fn failure_before_success(world: World) -> Verdict {
    let (id, handle) = world.execution().retries(1, 0).claimed().await?;
    world.fail_with(&handle, FailureClass::Timeout).await?;
    world.promote(&id).await?;
    let handle = world.worker().claim().await?;
    world.complete(&handle, None).await?;
    expect_eq!(world.field(&id, "failure_reason").await?.as_deref(), Some("boom"));
    expect_eq!(world.field(&id, "failure_category").await?.as_deref(), Some("timeout"));
    Ok(())
}

/// Reasons of 64 KiB.
#[case(ATT_018)]
async fn long_reasons(world: World) -> Verdict {
    let reason = "ü".repeat(32_768);
    let (id, handle) = world.claimed().await?;
    world.cancel(&handle, &reason).await?;
    let seen = world.field(&id, "cancellation_reason").await?;
    expect!(seen.as_ref() == Some(&reason), "64 KiB of cancellation reason come back");
    let (id, handle) = world.claimed().await?;
    let failure = ff_core::backend::FailureReason::new(reason.clone());
    world.fail(&handle, failure, FailureClass::Permanent).await?;
    let seen = world.field(&id, "failure_reason").await?;
    expect!(seen.as_ref() == Some(&reason), "64 KiB of failure reason come back");
    Ok(())
}
