//! The same call again, and another one, after a lease was ended.

use ff_core::backend::{FailureClass, FailureReason};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;

use crate::stage::{Failure, Verdict, World, case};

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
    for how in ["complete", "fail", "retry", "cancel", "wait_children"] {
        let retries = u32::from(how == "retry");
        let (id, handle) = world.execution().retries(retries, 60_000).claimed().await?;
        let end = async || match how {
            "complete" => world.complete(&handle, Some(b"done".to_vec())).await.map(|()| None),
            "cancel" => world.cancel(&handle, "why").await.map(|()| None),
            "wait_children" => world.wait_children(&handle).await.map(|()| None),
            _ => world.fail_with(&handle, FailureClass::Transient).await.map(Some),
        };
        let first = end().await?;
        let before = world.observe(&id).await?;
        match end().await {
            Ok(again) => expect_eq!(again, first, "the outcome of {how} again"),
            Err(EngineError::State(_) | EngineError::Contention(_)) => {}
            Err(other) => return Err(Failure::new(format!("{how} again: {other:?}"))),
        }
        expect_eq!(world.observe(&id).await?, before, "{how} again changes nothing");
    }
    Ok(())
}
