//! Each call is one step: whole or not at all, one after the other.

use std::collections::BTreeSet;

use ff_core::backend::FailureClass;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::types::FlowId;
use futures_util::future::join_all;

use crate::case::{Case, Verdict, case};
use crate::failure::Failure;
use crate::world::World;
use crate::written::interrupt_reads;

pub(super) const CASES: &[Case] = &[
    case!(
        "system.steps.refused-calls-leave-no-trace",
        ["SYS-011"],
        "Every refusal of a live lease's calls leaves everything as it was.",
        no_trace
    ),
    case!(
        "system.steps.refused-creation-leaves-no-trace",
        ["SYS-011"],
        "A refused creation stores nothing, not even its lane or its key.",
        no_trace_of_creation
    ),
    case!(
        "system.steps.one-of-many-ends",
        ["SYS-012", "ATT-029"],
        "Of many workers' ends with one handle one succeeds, the others are told that it is over.",
        one_of_many,
        Concurrency
    ),
    case!(
        "system.steps.concurrent-tags",
        ["SYS-012"],
        "Concurrent changes of one execution are all kept.",
        concurrent_tags,
        Concurrency
    ),
    case!(
        "system.steps.interrupted-reads",
        ["SYS-039"],
        "Every read, given up or losing its connection at each of its steps.",
        interrupt_reads,
        Clock,
        Nemesis
    ),
    case!(
        "system.steps.bare-refusals",
        ["SYS-014"],
        "Refusals arrive as the variants that the clauses name.",
        bare_refusals
    ),
    case!(
        "system.steps.order-of-checks",
        ["SYS-015"],
        "Handle, arguments, existence, state: the first that is wrong decides.",
        order_of_checks
    ),
    case!(
        "system.steps.unknown-executions",
        ["SYS-016", "SYS-036"],
        "Changes are refused, scanner hooks do nothing.",
        unknown
    ),
];

async fn no_trace(world: World) -> Verdict {
    let (id, handle) = world.execution().tag("app.k", "v").claimed().await?;
    let long = "x".repeat(65_537);
    let before = world.observe(&id).await?;
    let refusals = [
        world.progress(&handle, Some(101), None).await.err(),
        world.progress(&handle, Some(5), Some(long.clone())).await.err(),
        world.complete(&handle, Some(vec![0; 65_537])).await.err(),
        world.cancel(&handle, &long).await.err(),
        world.set_execution_tag(&id, "nodot", "v").await.err(),
        world.set_execution_tag(&id, "app.k", &long).await.err(),
    ];
    for (at, refusal) in refusals.iter().enumerate() {
        expect!(refusal.is_some(), "call {at} is refused");
    }
    expect_eq!(world.observe(&id).await?, before, "refused calls leave no trace");

    world.complete(&handle, None).await?;
    let before = world.observe(&id).await?;
    expect_refused!(
        world.fail_with(&handle, FailureClass::Transient).await,
        "contention.execution_not_active"
    );
    expect_refused!(world.renew(&handle).await, "contention.execution_not_active");
    expect_eq!(world.observe(&id).await?, before, "nor do they after the end");
    Ok(())
}

async fn no_trace_of_creation(world: World) -> Verdict {
    let broken = world.execution().lane("ghost").key("once").tag("nodot", "v");
    let id = broken.args().execution_id;
    expect_refused!(broken.try_create().await, "validation.invalid_input");
    expect_eq!(world.describe_execution(&id).await?, None, "there is no execution");
    expect_eq!(world.list_lanes(None, 10).await?.lanes, vec![], "no lane");
    world.execution().id(&id).key("once").create().await?;
    Ok(())
}

async fn one_of_many(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let ends = (0..8_u8).map(|n| {
        let (world, handle) = (world.clone(), handle.clone());
        tokio::spawn(async move {
            match n % 3 {
                0 => world.complete(&handle, Some(vec![n])).await,
                1 => world.cancel(&handle, &n.to_string()).await,
                _ => world.fail_with(&handle, FailureClass::Permanent).await.map(|_| ()),
            }
        })
    });
    let mut successes = 0;
    for end in join_all(ends).await {
        match end.map_err(|error| Failure::new(error.to_string()))? {
            Ok(()) => successes += 1,
            Err(error) => expect_eq!(error.code(), "contention.execution_not_active", "a loser"),
        }
    }
    // The failures are exact repetitions of each other, so all of them may be told of success.
    let outcome = world.field(&id, "terminal_outcome").await?;
    let most = if outcome.as_deref() == Some("failed") { 2 } else { 1 };
    expect!(
        (1..=most).contains(&successes),
        "one call decides the outcome {outcome:?}, not {successes}"
    );
    Ok(())
}

async fn concurrent_tags(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let writes = (0..16).map(|n| {
        let (world, id, handle) = (world.clone(), id.clone(), handle.clone());
        tokio::spawn(async move {
            world.set_execution_tag(&id, &format!("app.k{n}"), "v").await?;
            let seen = world.get_execution_tag(&id, &format!("app.k{n}")).await?;
            world.progress(&handle, Some(n), None).await?;
            Ok::<_, EngineError>(seen)
        })
    });
    for write in join_all(writes).await {
        let seen = write.map_err(|error| Failure::new(error.to_string()))??;
        expect_eq!(seen.as_deref(), Some("v"), "a read sees the change before it");
    }
    let context = world.read_execution_context(&id).await?;
    let expected: BTreeSet<_> = (0..16).map(|n| format!("app.k{n}")).collect();
    expect_eq!(context.tags.into_keys().collect::<BTreeSet<_>>(), expected, "all tags are kept");
    Ok(())
}

async fn bare_refusals(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    world.complete(&handle, None).await?;
    let flow = world.flow().await?;
    let member = world.member(&flow).await?;
    let other = world.member(&flow).await?;
    let refusals = [
        world.complete(&handle, Some(vec![1])).await.err(),
        world.set_execution_tag(&world.execution_id(), "app.k", "v").await.err(),
        world.set_execution_tag(&id, "nodot", "v").await.err(),
        world.execution().lane("").try_create().await.err(),
        world.worker().ttl(0).try_claim().await.err(),
        world.join(&FlowId::from_uuid(world.uuid()), &member).await.err(),
        world.stage_dependency_edge(world.edge_args(&flow, &member, &other, 7)).await.err(),
    ];
    for refusal in refusals {
        let bare = matches!(
            refusal,
            Some(
                EngineError::Contention(_)
                    | EngineError::NotFound { .. }
                    | EngineError::Validation { .. }
            )
        );
        expect!(bare, "a refusal is the variant itself, not {refusal:?}");
    }
    Ok(())
}

async fn order_of_checks(world: World) -> Verdict {
    let nobody = world.execution_id();
    expect_refused!(
        world.set_execution_tag(&nobody, "nodot", "v").await,
        "validation.invalid_input",
        "the argument before the existence"
    );
    let (_, handle) = world.claimed().await?;
    let foreign = super::handles::retagged(&handle);
    expect_refused!(
        world.progress(&foreign, Some(101), None).await,
        "validation.handle_from_other_backend",
        "the handle before the argument"
    );
    world.complete(&handle, None).await?;
    expect_refused!(
        world.progress(&handle, Some(101), None).await,
        "validation.invalid_input",
        "the argument before the state"
    );
    expect_refused!(
        world.complete(&handle, Some(vec![0; 65_537])).await,
        "validation.payload_too_large",
        "the argument before the state"
    );
    Ok(())
}

async fn unknown(world: World) -> Verdict {
    let nobody = world.execution_id();
    expect_refused!(world.set_execution_tag(&nobody, "app.k", "v").await, "not_found.execution");
    world.mark_lapsed(&nobody).await?;
    world.promote(&nobody).await?;
    expect_eq!(world.describe_execution(&nobody).await?, None, "nothing came of it");
    Ok(())
}
