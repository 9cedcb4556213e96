//! Idempotency keys at creation.

use ff_core::contracts::CreateExecutionResult;
use ff_core::engine_backend::EngineBackend;
use ff_core::types::ExecutionId;

use crate::stage::{ExecutionBuilder, Verdict, World, case};

/// The creation is recognised as this execution.
async fn expect_known(execution: ExecutionBuilder, as_id: &ExecutionId) -> Verdict {
    let expected = CreateExecutionResult::Duplicate { execution_id: as_id.clone() };
    expect_eq!(execution.try_create().await?, expected, "the key is remembered");
    Ok(())
}

/// A second execution under the same key is the first.
#[case(EXE_008)]
async fn same_key(world: World) -> Verdict {
    let first = world.execution().key("k").create().await?;
    let before = world.observe(&first).await?;
    let second = world.execution().key("k").payload(b"other").tag("app.k", "v");
    let second_id = second.args().execution_id;
    expect_known(second, &first).await?;
    expect_eq!(world.observe(&first).await?, before, "the first is as it was");
    expect_eq!(world.describe_execution(&second_id).await?, None, "the second is not there");
    Ok(())
}

/// The key means nothing in another namespace or partition.
#[case(EXE_008)]
async fn scope(world: World) -> Verdict {
    world.execution().key("k").created().await?;
    world.execution().key("k").namespace("other").created().await?;
    world.execution().key("K").created().await?;
    let partitions = world.partitions().num_flow_partitions;
    let first = world.execution_id_in(partitions - 1);
    world.execution().id(&first).key("apart").created().await?;
    if partitions > 1 {
        let other = world.execution_id_in(partitions - 2);
        world.execution().id(&other).key("apart").created().await?;
    }
    Ok(())
}

/// No key and an empty key stand for nothing.
#[case(EXE_008)]
async fn no_key(world: World) -> Verdict {
    world.execution().key("").created().await?;
    world.execution().key("").created().await?;
    world.execution().created().await?;
    world.execution().created().await?;
    Ok(())
}

/// The policy's window, to the millisecond.
#[case(EXE_009, needs(clock))]
async fn window(world: World) -> Verdict {
    let keyed = || {
        let window = |policy: &mut ff_core::policy::ExecutionPolicy| {
            policy.dedup_window_ms = Some(1_000);
        };
        world.execution().key("k").policy(window)
    };
    let first = keyed().create().await?;
    world.pass_ms(999).await?;
    expect_known(keyed(), &first).await?;
    world.pass_ms(1).await?;
    let second = keyed().create().await?;
    expect_known(keyed(), &second).await
}

/// A day, if the policy does not say.
#[case(EXE_009, needs(clock))]
async fn default_window(world: World) -> Verdict {
    let first = world.execution().key("k").create().await?;
    world.pass_ms(86_399_999).await?;
    expect_known(world.execution().key("k"), &first).await?;
    world.pass_ms(1).await?;
    world.execution().key("k").create().await?;
    Ok(())
}

/// A window of nothing remembers nothing.
#[case(EXE_009)]
async fn no_window(world: World) -> Verdict {
    for _ in 0..2 {
        world
            .execution()
            .key("k")
            .policy(|policy| policy.dedup_window_ms = Some(0))
            .created()
            .await?;
    }
    Ok(())
}

/// The key is remembered though the execution has ended.
#[case(EXE_009)]
async fn outlives_the_end(world: World) -> Verdict {
    let (first, handle) = world.execution().key("k").claimed().await?;
    world.complete(&handle, None).await?;
    expect_known(world.execution().key("k"), &first).await
}

/// The arguments before the key, the key before the id.
#[case(EXE_047)]
async fn precedence(world: World) -> Verdict {
    let keyed = world.execution().key("k").create().await?;
    let other = world.execution().create().await?;
    let broken = world.execution().key("k").tag("nodot", "v");
    expect_refused!(broken.try_create().await, "validation.invalid_input", "arguments first");
    expect_known(world.execution().id(&other).key("k"), &keyed).await
}

/// Of many creations under one key at once, one is new.
#[case(EXE_010, needs(concurrency))]
async fn race(world: World) -> Verdict {
    let creations = (0..16).map(|_| tokio::spawn(world.execution().key("k").try_create()));
    let mut created = Vec::new();
    let mut known = Vec::new();
    for creation in futures_util::future::join_all(creations).await {
        match creation.map_err(|error| crate::Failure::new(error.to_string()))?? {
            CreateExecutionResult::Created { execution_id, .. } => created.push(execution_id),
            CreateExecutionResult::Duplicate { execution_id } => known.push(execution_id),
        }
    }
    expect_eq!(created.len(), 1, "creations that are new");
    expect!(known.iter().all(|id| *id == created[0]), "the others are the same execution");
    Ok(())
}
