//! How attempts are counted and how they end.

use ff_core::backend::FailureClass;
use ff_core::call::Method;
use ff_core::contracts::CompleteExecutionResult;
use ff_core::dispatch::Dispatch;
use ff_core::engine_backend::EngineBackend;
use ff_core::state::PublicState;
use futures_util::future::join_all;

use crate::stage::{ENDING, LeaseCall, Verdict, World, case};

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

/// Until a time, and then by a grant.
#[case(ATT_020)]
async fn delay(world: World) -> Verdict {
    let leased = world.leased().await?;
    let (id, until) = (&leased.id, world.in_ms(60_000));
    world.progress(&leased.handle, Some(40), None).await?;
    let attempt = world.field(id, "current_attempt_id").await?;
    world.pass_ms(5).await?;
    world.delay(&leased.handle, until).await?;
    let expected = [
        ("lifecycle_phase", Some("runnable".to_owned())),
        ("ownership_state", Some("unowned".to_owned())),
        ("eligibility_state", Some("not_eligible_until_time".to_owned())),
        ("blocking_reason", Some("waiting_for_delay".to_owned())),
        ("attempt_state", Some("attempt_interrupted".to_owned())),
        ("public_state", Some("delayed".to_owned())),
        ("delay_until", Some(until.to_string())),
        ("current_attempt_id", attempt),
        ("current_attempt_index", Some("0".to_owned())),
        ("total_attempt_count", Some("1".to_owned())),
        ("progress_percent", Some("40".to_owned())),
        ("last_transition_at", Some(world.now().to_string())),
    ];
    world.expect_fields(id, expected).await?;
    expect_eq!(world.worker().try_claim().await?, None, "it is not claimed");
    world.promote(id).await?;
    expect_eq!(world.worker().try_claim().await?, None, "nor promoted before its time");
    Ok(())
}

/// A millisecond before its time, and then.
#[case(ATT_020, needs(clock))]
async fn delay_to_the_millisecond(world: World) -> Verdict {
    let leased = world.leased().await?;
    world.delay(&leased.handle, world.in_ms(50)).await?;
    world.pass_ms(49).await?;
    world.promote(&leased.id).await?;
    world.expect_fields(&leased.id, [("public_state", "delayed")]).await?;
    world.pass_ms(1).await?;
    world.promote(&leased.id).await?;
    world.expect_fields(&leased.id, [("public_state", "resumable")]).await
}

/// The same attempt, under another lease.
#[case(ATT_021)]
async fn after_a_delay(world: World) -> Verdict {
    let leased = world.leased().await?;
    let id = &leased.id;
    world.delay(&leased.handle, world.in_ms(50)).await?;
    world.pass_ms(50).await?;
    world.promote(id).await?;
    let expected = [("public_state", Some("resumable")), ("delay_until", None)];
    world.expect_fields(id, expected).await?;
    expect_eq!(world.worker().try_claim().await?, None, "no new attempt starts");
    world.granted(id).await?;
    let resumed = world.go_on(world.going_on(id)).await?;
    expect_eq!(resumed.attempt_id, leased.fence.attempt_id, "the attempt");
    expect_eq!(resumed.lease_epoch.0, 2, "the epoch");
    world.complete(&resumed.handle, None).await?;
    world.expect_fields(id, [("public_state", "completed"), ("total_attempt_count", "1")]).await
}

/// Times that are none, and one that is over.
#[case(ATT_033)]
async fn delay_times(world: World) -> Verdict {
    let leased = world.leased().await?;
    let before = world.observe(&leased.id).await?;
    for until in [0, -1] {
        let answer = world.delay(&leased.handle, ff_core::types::TimestampMs(until)).await;
        expect_refused!(answer, "validation.invalid_input", "until {until}");
    }
    expect_eq!(world.observe(&leased.id).await?, before, "nothing has changed");
    world.delay(&leased.handle, world.in_ms(-1_000)).await?;
    world.expect_fields(&leased.id, [("public_state", "delayed")]).await?;
    world.promote(&leased.id).await?;
    world.expect_fields(&leased.id, [("public_state", "resumable")]).await
}

/// With a result and without, by its holder and by an operator.
#[case(ATT_007, ATT_008, ATT_035)]
async fn complete_by_name(world: World) -> Verdict {
    for (result, is_operator) in [(Some(b"done".to_vec()), false), (None, true)] {
        let leased = world.leased().await?;
        world.pass_ms(9).await?;
        let mut args = leased.completing();
        args.result_payload.clone_from(&result);
        if is_operator {
            (args.fence, args.source) = (None, ff_core::types::CancelSource::OperatorOverride);
        }
        let answer = world.complete_execution(args).await?;
        let CompleteExecutionResult::Completed { execution_id, public_state } = answer;
        expect_eq!(execution_id, leased.id, "which");
        expect_eq!(public_state, PublicState::Completed, "its state");
        expect_ended(&world, &leased.id, "success").await?;
        expect_eq!(world.get_execution_result(&leased.id).await?, result, "its result");
        let late = world.renew(&leased.handle).await;
        expect_refused!(late, "contention.execution_not_active", "its holder, from then on");
    }
    Ok(())
}

/// Ended by handle and by name at once: one decides.
#[case(ATT_029, needs(concurrency))]
async fn ended_by_all(world: World) -> Verdict {
    for _ in 0..4 {
        let leased = world.leased().await?;
        let is_end =
            |call: &LeaseCall| !matches!(call.method, Method::Delay | Method::WaitChildren);
        let ends = world.claimed_of(&[ENDING]).into_iter().filter(|call| is_end(call));
        let answers = join_all(ends.map(|end| world.dispatch(end.of(&world, &leased)))).await;
        let decided = answers.iter().filter(|answer| answer.is_ok()).count();
        expect_eq!(decided, 1, "how many ended it");
        for refused in answers.into_iter().filter(Result::is_err) {
            expect_refused!(refused, "contention.execution_not_active", "the others");
        }
    }
    Ok(())
}
