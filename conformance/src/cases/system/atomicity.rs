//! Each call is one step: whole or not at all, one after the other.

use std::collections::BTreeSet;

use ff_core::backend::FailureClass;
use ff_core::call::Call;
use ff_core::contracts::ReplayExecutionArgs;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::types::FlowId;
use futures_util::future::join_all;

use crate::play::{interrupt_reads, leave_no_trace};
use crate::stage::{Failure, Verdict, World, cancellation, case};

/// Every refusal of a live lease's calls leaves everything as it was.
#[case(SYS_011)]
async fn refused_calls_leave_no_trace(world: World) -> Verdict {
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

/// Every argument that no call takes, in every call, changes nothing.
#[case(SYS_011)]
async fn refused_arguments_leave_no_trace(world: World) -> Verdict {
    leave_no_trace(world).await
}

/// A refused creation stores nothing, not even its lane or its key.
#[case(SYS_011)]
async fn refused_creation_leaves_no_trace(world: World) -> Verdict {
    let broken = world.execution().lane("ghost").key("once").tag("nodot", "v");
    let id = broken.args().execution_id;
    expect_refused!(broken.try_create().await, "validation.invalid_input");
    expect_eq!(world.describe_execution(&id).await?, None, "there is no execution");
    expect_eq!(world.list_lanes(None, 10).await?.lanes, vec![], "no lane");
    world.execution().id(&id).key("once").create().await?;
    Ok(())
}

/// Of many workers' ends with one handle one succeeds, the others are told that it is over.
#[case(SYS_012, ATT_029, needs(concurrency))]
async fn one_of_many_ends(world: World) -> Verdict {
    // A race that nobody wins by chance is rare enough eight times in a row.
    for _ in 0..8 {
        race_to_the_end(&world).await?;
    }
    Ok(())
}

async fn race_to_the_end(world: &World) -> Verdict {
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
    // The failures are exact repetitions of each other, so all of them may be answered with success.
    let outcome = world.field(&id, "terminal_outcome").await?;
    let most = if outcome.as_deref() == Some("failed") { 2 } else { 1 };
    expect!(
        (1..=most).contains(&successes),
        "one call decides the outcome {outcome:?}, not {successes}"
    );
    Ok(())
}

/// Concurrent changes of one execution are all kept.
#[case(SYS_012, needs(concurrency))]
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

/// Refusals arrive as the variants that the clauses name.
#[case(SYS_014)]
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
        let is_wrapped =
            matches!(refusal, Some(EngineError::Transport { .. } | EngineError::Contextual { .. }));
        expect!(!is_wrapped, "a refusal is the variant itself, not {refusal:?}");
    }
    Ok(())
}

/// Handle, arguments, existence, state: the first that is wrong decides.
#[case(SYS_015)]
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
        world.wait_children(&foreign).await,
        "validation.handle_from_other_backend",
        "the handle before the state"
    );
    expect_refused!(
        world.complete(&handle, Some(vec![0; 65_537])).await,
        "validation.payload_too_large",
        "the argument before the state"
    );
    Ok(())
}

/// Changes are refused.
#[case(SYS_016)]
async fn unknown_executions(world: World) -> Verdict {
    let nobody = world.execution_id();
    expect_refused!(world.set_execution_tag(&nobody, "app.k", "v").await, "not_found.execution");
    let answer = world.cancel_execution(cancellation(&nobody)).await;
    expect_refused!(answer, "not_found.execution");
    expect_eq!(world.describe_execution(&nobody).await?, None, "nothing came of it");
    Ok(())
}

/// Scanner hooks do nothing.
#[case(SYS_036)]
async fn hooks_on_unknown_executions(world: World) -> Verdict {
    let nobody = world.execution_id();
    world.mark_lapsed(&nobody).await?;
    world.promote(&nobody).await?;
    expect_eq!(world.describe_execution(&nobody).await?, None, "nothing came of it");
    Ok(())
}

/// Every read, given up or losing its connection at each of its steps.
#[case(SYS_039, needs(nemesis))]
async fn interrupted_reads(world: World) -> Verdict {
    interrupt_reads(world).await
}

/// A damaged record is told by every call that needs it, and hides no other.
#[case(SYS_045, needs(vandal))]
async fn damaged_record(world: World) -> Verdict {
    let sound = world.execution().lane("sound").create().await?;
    let id = world.execution_in(sound.partition()).create().await?;
    world.damage(&id).await?;
    let partition = world.partition_of(&id);
    for call in [
        Call::DescribeExecution { id: id.clone() },
        Call::ReadExecutionInfo { id: id.clone() },
        Call::ReadExecutionState { id: id.clone() },
        Call::ReadExecCoreFields {
            partition,
            execution_id: id.clone(),
            fields: vec!["lane_id".to_owned()],
        },
        Call::GetExecutionNamespace { execution_id: id.clone() },
        Call::ReadCurrentAttemptIndex { execution_id: id.clone() },
        Call::ReadTotalAttemptCount { execution_id: id.clone() },
        Call::SetExecutionTag {
            execution_id: id.clone(),
            key: "app.key".to_owned(),
            value: "value".to_owned(),
        },
        Call::CancelExecution { args: cancellation(&id) },
        Call::ReplayExecution {
            args: ReplayExecutionArgs { execution_id: id.clone(), now: world.now() },
        },
        Call::MarkLeaseExpiredIfDue { partition, execution_id: id.clone() },
    ] {
        expect_refused!(call.send(&*world).await, "validation.corruption", "{}", call.method());
    }
    expect_refused!(world.worker().try_claim().await, "validation.corruption");
    let listed = world.list_executions(world.partition_key_of(&id), None, 10).await;
    if let Ok(page) = &listed {
        let listed: BTreeSet<_> = page.executions.iter().cloned().collect();
        expect_eq!(listed, BTreeSet::from([id, sound.clone()]), "the executions");
    } else {
        expect_refused!(listed, "validation.corruption");
    }
    expect!(world.describe_execution(&sound).await?.is_some(), "the other one is described");
    Ok(())
}

/// However many call at once: what is not done is told as contention, and is not done.
#[case(SYS_044, needs(concurrency))]
async fn given_up(world: World) -> Verdict {
    let flow = world.flow().await?;
    let id = world.member(&flow).await?;
    let calls = (0..32).map(|n| {
        let (world, id, flow) = (world.clone(), id.clone(), flow);
        tokio::spawn(async move {
            let key = format!("app.k{n}");
            let tagged = world.set_execution_tag(&id, &key, "v").await;
            let member = world.execution_for(&flow).create().await?;
            let joined = world.join(&flow, &member).await.map(|_| ());
            let tag = world.get_execution_tag(&id, &key).await?;
            let flow_of = world.resolve_execution_flow_id(&member).await?;
            done_or_given_up(tagged, tag.is_some())?;
            done_or_given_up(joined, flow_of.is_some())
        })
    });
    for call in join_all(calls).await {
        call.map_err(|error| Failure::new(error.to_string()))??;
    }
    Ok(())
}

fn done_or_given_up(answer: Result<(), EngineError>, is_done: bool) -> Verdict {
    expect_eq!(is_done, answer.is_ok(), "what {answer:?} has changed");
    if answer.is_err() {
        expect_refused!(answer, "contention.retry_exhausted");
    }
    Ok(())
}
