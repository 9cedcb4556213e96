//! Progress of an attempt.

use ff_core::backend::FailureClass;
use ff_core::engine_backend::EngineBackend;

use crate::stage::{Verdict, World, case};

/// What is not given stays.
#[case(ATT_005)]
async fn partial(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    for (percent, message, shown) in [
        (None, None, (None, None)),
        (Some(10), None, (Some("10"), None)),
        (None, Some("half"), (Some("10"), Some("half"))),
        (Some(0), None, (Some("0"), Some("half"))),
        (Some(100), Some("done"), (Some("100"), Some("done"))),
        (None, None, (Some("100"), Some("done"))),
    ] {
        world.progress(&handle, percent, message.map(str::to_owned)).await?;
        let seen_percent = world.field(&id, "progress_percent").await?;
        let seen_message = world.field(&id, "progress_message").await?;
        expect_eq!(
            (seen_percent.as_deref(), seen_message.as_deref()),
            shown,
            "after {percent:?} and {message:?}"
        );
    }
    Ok(())
}

/// Progress extends no lease and moves no state.
#[case(ATT_005)]
async fn nothing_else(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let touched = ["last_mutation_at", "progress_percent", "progress_message"];
    let before = world.observe(&id).await?.without(&touched);
    world.pass_ms(7).await?;
    world.progress(&handle, Some(50), Some("half".to_owned())).await?;
    expect_eq!(world.observe(&id).await?.without(&touched), before, "only progress changes");
    Ok(())
}

/// 0 to 100, down as well as up.
#[case(ATT_006)]
async fn range(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    for percent in [100, 3, 0] {
        world.progress(&handle, Some(percent), None).await?;
        let seen = world.field(&id, "progress_percent").await?;
        expect_eq!(seen, Some(percent.to_string()));
    }
    let before = world.observe(&id).await?;
    for percent in [101, u8::MAX] {
        let answer = world.progress(&handle, Some(percent), None).await;
        expect_refused!(answer, "validation.invalid_input", "{percent} percent");
    }
    expect_eq!(world.observe(&id).await?, before, "nothing changes");
    Ok(())
}

/// A retry finds the progress of the attempt before.
#[case(ATT_006)]
async fn across_retries(world: World) -> Verdict {
    let (id, handle) = world.execution().retries(1, 0).claimed().await?;
    world.progress(&handle, Some(60), Some("nearly".to_owned())).await?;
    world.fail_with(&handle, FailureClass::Transient).await?;
    world.promote(&id).await?;
    world.worker().claim().await?;
    let seen = world.field(&id, "progress_percent").await?;
    expect_eq!(seen.as_deref(), Some("60"));
    Ok(())
}
