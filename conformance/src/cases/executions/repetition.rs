//! The same call again, and another one, after a lease was ended.

use ff_core::backend::{FailureClass, FailureReason};
use ff_core::contracts::{CompleteExecutionArgs, FailExecutionArgs};
use ff_core::dispatch::Dispatch;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;

use crate::stage::{ENDING, Failure, KEEPING, Verdict, World, case};

const OVER: &str = "contention.execution_not_active";

/// A completion whose answer was lost.
#[case(ATT_003)]
async fn complete(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    world.complete(&handle, Some(b"done".to_vec())).await?;
    let before = world.observe(&id).await?;
    world.pass_long(100_000, 100).await?;
    for _ in 0..3 {
        world.complete(&handle, Some(b"done".to_vec())).await?;
    }
    expect_eq!(world.observe(&id).await?, before, "a repetition changes nothing");
    Ok(())
}

/// A cancellation whose answer was lost.
#[case(ATT_003)]
async fn cancel(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    world.cancel(&handle, "why").await?;
    let before = world.observe(&id).await?;
    world.pass_long(100_000, 100).await?;
    world.cancel(&handle, "why").await?;
    expect_eq!(world.observe(&id).await?, before, "a repetition changes nothing");
    Ok(())
}

/// A failure that led to a retry is told the same time again, even after the promotion.
#[case(ATT_003)]
async fn retry(world: World) -> Verdict {
    let (id, handle) = world.execution().retries(3, 500).claimed().await?;
    let outcome = world.fail_with(&handle, FailureClass::Transient).await?;
    let before = world.observe(&id).await?;
    world.pass_ms(500).await?;
    let again = world.fail_with(&handle, FailureClass::Transient).await?;
    expect_eq!(again, outcome, "the same outcome");
    expect_eq!(world.observe(&id).await?, before, "a repetition changes nothing");
    world.promote(&id).await?;
    let again = world.fail_with(&handle, FailureClass::Transient).await?;
    expect_eq!(again, outcome, "after the promotion too");
    Ok(())
}

/// A failure that was final.
#[case(ATT_003)]
async fn final_failure(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let outcome = world.fail_with(&handle, FailureClass::Permanent).await?;
    let before = world.observe(&id).await?;
    world.pass_long(100_000, 100).await?;
    let again = world.fail_with(&handle, FailureClass::Permanent).await?;
    expect_eq!(again, outcome, "the same outcome");
    expect_eq!(world.observe(&id).await?, before, "a repetition changes nothing");
    Ok(())
}

/// Once another worker holds it, a repetition is stale.
#[case(ATT_003)]
async fn until_claimed(world: World) -> Verdict {
    let (id, handle) = world.execution().retries(3, 0).claimed().await?;
    world.fail_with(&handle, FailureClass::Transient).await?;
    world.promote(&id).await?;
    let next = world.worker().claim().await?;
    let again = world.fail_with(&handle, FailureClass::Transient).await;
    expect_refused!(again, "state.stale_lease", "another holds it");
    world.complete(&next, None).await?;
    let again = world.fail_with(&handle, FailureClass::Transient).await;
    expect_refused!(again, OVER, "it has ended otherwise");
    Ok(())
}

/// The same call with anything else.
#[case(ATT_004)]
async fn other_arguments(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    world.complete(&handle, Some(b"one".to_vec())).await?;
    let before = world.observe(&id).await?;
    for payload in [None, Some(Vec::new()), Some(b"two".to_vec())] {
        expect_refused!(world.complete(&handle, payload).await, OVER, "another result");
    }
    expect_eq!(world.observe(&id).await?, before, "the first stands");

    let (id, handle) = world.claimed().await?;
    world.cancel(&handle, "one").await?;
    let before = world.observe(&id).await?;
    expect_refused!(world.cancel(&handle, "two").await, OVER, "another reason");
    expect_eq!(world.observe(&id).await?, before, "the first stands");

    let (id, handle) = world.execution().retries(1, 60_000).claimed().await?;
    world.fail_with(&handle, FailureClass::Transient).await?;
    let before = world.observe(&id).await?;
    let answer = world.fail_with(&handle, FailureClass::Timeout).await;
    expect_refused!(answer, OVER, "another class");
    let detailed = FailureReason::with_detail("boom", vec![1]);
    let answer = world.fail(&handle, detailed, FailureClass::Transient).await;
    expect_refused!(answer, OVER, "another detail");
    expect_eq!(world.observe(&id).await?, before, "the first stands");
    Ok(())
}

/// Another call after the end.
#[case(ATT_004)]
async fn other_call(world: World) -> Verdict {
    let (id, handle) = world.execution().retries(5, 0).claimed().await?;
    world.complete(&handle, None).await?;
    let before = world.observe(&id).await?;
    expect_refused!(world.fail_with(&handle, FailureClass::Transient).await, OVER, "fail");
    expect_refused!(world.cancel(&handle, "why").await, OVER, "cancel");
    expect_refused!(world.progress(&handle, Some(1), None).await, OVER, "progress");
    expect_eq!(world.observe(&id).await?, before, "it has ended, and stays so");
    Ok(())
}

/// What a repetition may be answered, and that it changes nothing.
#[case(ATT_031)]
async fn harmless(world: World) -> Verdict {
    let calls = world.claimed_of(&[ENDING]).into_iter();
    for (call, retries) in calls.flat_map(|call| [(call, 0), (call, 1)]) {
        let execution = world.execution().retries(retries, 60_000);
        let leased = world.leased_by(execution.claimed().await?).await?;
        let (how, end) = (call.method, call.of(&world, &leased));
        let first = world.dispatch(end.clone()).await?;
        let before = world.observe(&leased.id).await?;
        match world.dispatch(end).await {
            Ok(again) => expect_eq!(again, first, "the outcome of {how} again"),
            Err(EngineError::State(_) | EngineError::Contention(_)) => {}
            Err(other) => return Err(Failure::new(format!("{how} again: {other:?}"))),
        }
        expect_eq!(world.observe(&leased.id).await?, before, "{how} again changes nothing");
    }
    Ok(())
}

/// Each call that ends a lease, again and with other calls after it.
#[case(ATT_003)]
async fn each(world: World) -> Verdict {
    for call in world.claimed_of(&[ENDING]) {
        let leased = world.leased_by(world.execution().retries(3, 60_000).claimed().await?).await?;
        let (how, end) = (call.method, call.of(&world, &leased));
        let first = world.dispatch(end.clone()).await?;
        let before = world.observe(&leased.id).await?;
        world.pass_ms(5).await?;
        expect_eq!(world.dispatch(end).await?, first, "{how} again");
        expect_eq!(world.observe(&leased.id).await?, before, "{how} again changes nothing");
    }
    Ok(())
}

/// Any other call after each that ends a lease.
#[case(ATT_004)]
async fn each_other(world: World) -> Verdict {
    for call in world.claimed_of(&[ENDING]) {
        let leased = world.leased_by(world.execution().retries(3, 60_000).claimed().await?).await?;
        world.dispatch(call.of(&world, &leased)).await?;
        let before = world.observe(&leased.id).await?;
        let others = world.claimed_of(&[KEEPING, ENDING]).into_iter();
        for other in others.filter(|other| other.method != call.method) {
            let answer = world.dispatch(other.of(&world, &leased)).await;
            expect_refused!(answer, OVER, "{} after {}", other.method, call.method);
        }
        expect_eq!(world.observe(&leased.id).await?, before, "nothing has changed");
    }
    Ok(())
}

/// The calls without a handle with anything else.
#[case(ATT_004)]
async fn other_arguments_by_name(world: World) -> Verdict {
    let leased = world.leased().await?;
    world.complete_execution(leased.completing()).await?;
    let args = CompleteExecutionArgs { result_payload: None, ..leased.completing() };
    expect_refused!(world.complete_execution(args).await, OVER, "another result");

    let leased = world.leased_by(world.execution().retries(3, 60_000).claimed().await?).await?;
    world.fail_execution(leased.failing()).await?;
    let args = FailExecutionArgs { failure_reason: "bang".to_owned(), ..leased.failing() };
    expect_refused!(world.fail_execution(args).await, OVER, "another reason");
    Ok(())
}
