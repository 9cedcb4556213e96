//! Reading executions.

use std::collections::BTreeMap;

use ff_core::backend::FailureClass;
use ff_core::contracts::{ExecutionInfo, ExecutionSnapshot};
use ff_core::engine_backend::EngineBackend;
use ff_core::state::PublicState;
use ff_core::types::{ExecutionId, TimestampMs};

use crate::stage::{Failure, Verdict, World, case};

impl World {
    /// Asserts that a time is shown in decimals.
    fn expect_decimal(&self, shown: Option<String>, at: TimestampMs, name: &str) -> Verdict {
        let shown = BTreeMap::from([(name.to_owned(), shown.unwrap_or_default())]);
        let expected = BTreeMap::from([(name.to_owned(), at.to_string())]);
        expect_eq!(self.snap_fields(shown, &expected), expected);
        Ok(())
    }
}

async fn snapshot(world: &World, id: &ExecutionId) -> Result<ExecutionSnapshot, Failure> {
    let snapshot = world.describe_execution(id).await?;
    snapshot.ok_or_else(|| Failure::new("the execution is there"))
}

/// What reads say of an execution that is not there.
#[case(EXE_016, EXE_020, EXE_021, EXE_022, EXE_023, EXE_024)]
async fn unknown(world: World) -> Verdict {
    let id = world.execution_id();
    expect_eq!(world.describe_execution(&id).await?, None, "describe_execution");
    expect_eq!(world.read_execution_info(&id).await?, None, "read_execution_info");
    expect_eq!(world.read_execution_state(&id).await?, None, "read_execution_state");
    expect_eq!(world.get_execution_result(&id).await?, None, "get_execution_result");
    expect_eq!(world.get_execution_namespace(&id).await?, None, "get_execution_namespace");
    expect_refused!(world.read_execution_context(&id).await, "validation.invalid_input");
    Ok(())
}

/// An execution is described in every state, and all reads agree.
#[case(EXE_016, EXE_019)]
async fn describe_every_state(world: World) -> Verdict {
    let (first, handle) = world.execution().retries(1, 500).claimed().await?;
    expect_state(&world, &first, PublicState::Active).await?;
    world.fail_with(&handle, FailureClass::Transient).await?;
    expect_state(&world, &first, PublicState::Delayed).await?;
    world.pass_ms(500).await?;
    world.promote(&first).await?;
    expect_state(&world, &first, PublicState::Waiting).await?;
    let handle = world.worker().ttl(10).claim().await?;
    world.pass_ms(10).await?;
    world.mark_lapsed(&first).await?;
    expect_state(&world, &first, PublicState::Active).await?;
    drop(handle);

    for (end, expected) in [
        ("complete", PublicState::Completed),
        ("cancel", PublicState::Cancelled),
        ("fail", PublicState::Failed),
    ] {
        let (id, handle) = world.claimed().await?;
        match end {
            "complete" => world.complete(&handle, None).await?,
            "cancel" => world.cancel(&handle, "why").await?,
            _ => world.fail_with(&handle, FailureClass::Permanent).await.map(|_| ())?,
        }
        expect_state(&world, &id, expected).await?;
    }
    Ok(())
}

async fn expect_state(world: &World, id: &ExecutionId, expected: PublicState) -> Verdict {
    expect_eq!(world.read_execution_state(id).await?, Some(expected), "read_execution_state");
    expect_eq!(snapshot(world, id).await?.public_state, expected, "describe_execution");
    let info = world.read_execution_info(id).await?;
    let info = info.ok_or_else(|| Failure::new("the execution is there"))?;
    expect_eq!(info.public_state, expected, "read_execution_info");
    expect!(
        info.state_vector.public_state == expected && info.state_vector.is_consistent(),
        "the state vector is consistent: {:?}",
        info.state_vector
    );
    let field = world.field(id, "public_state").await?;
    expect_eq!(field.as_deref(), Some(expected.as_str()), "read_exec_core_fields");
    Ok(())
}

/// The description has what was given at creation.
#[case(EXE_016)]
async fn describe(world: World) -> Verdict {
    let created = world.now();
    let id = world
        .execution()
        .lane("gpu")
        .namespace("acme")
        .tag("app.a", "1")
        .tag("app.b.c", "")
        .create()
        .await?;
    world.pass_ms(7).await?;
    world.worker().lane("gpu").claim().await?;
    let seen = snapshot(&world, &id).await?;
    expect_eq!(seen.execution_id, id);
    expect_eq!(seen.lane_id.as_str(), "gpu");
    expect_eq!(seen.namespace.as_str(), "acme");
    expect_eq!(seen.flow_id, None);
    expect_eq!(seen.total_attempt_count, 1);
    world.expect_time(seen.created_at, created, "created_at")?;
    world.expect_time(seen.last_mutation_at, world.now(), "last_mutation_at")?;
    let tags = [("app.a", "1"), ("app.b.c", "")];
    let tags: BTreeMap<_, _> =
        tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    expect_eq!(seen.tags, tags);
    Ok(())
}

/// The lease is shown while it holds, and with whom.
#[case(EXE_017)]
async fn current_lease(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let claimed = world.now();
    let handle = world.worker().named("w", "w-7").ttl(31_000).claim().await?;
    world.pass_ms(40).await?;
    let lease = snapshot(&world, &id).await?.current_lease;
    let lease = lease.ok_or_else(|| Failure::new("the lease is shown"))?;
    expect_eq!(lease.worker_instance_id.as_str(), "w-7");
    expect_eq!(lease.lease_epoch.0, 1);
    expect_eq!(lease.attempt_index.0, 0);
    world.expect_time(lease.expires_at, TimestampMs(claimed.0 + 31_000), "the expiry")?;
    let heartbeat = lease.last_heartbeat_at.map(|at| world.snap(at, claimed));
    expect_eq!(heartbeat, Some(claimed), "claimed, not renewed");

    world.renew(&handle).await?;
    let renewed = snapshot(&world, &id).await?.current_lease;
    let renewed = renewed.ok_or_else(|| Failure::new("the lease is shown"))?;
    expect_eq!(renewed.lease_id, lease.lease_id, "the same lease");
    let heartbeat = renewed.last_heartbeat_at.map(|at| world.snap(at, world.now()));
    expect_eq!(heartbeat, Some(world.now()), "the renewal");
    world.expect_time(renewed.expires_at, world.due_in_ms(31_000), "the new expiry")?;

    let id = world.execution().create().await?;
    world.worker().ttl(50).claim().await?;
    world.pass_ms(70).await?;
    expect!(
        snapshot(&world, &id).await?.current_lease.is_some(),
        "a due lease that nobody has marked is shown"
    );
    world.mark_lapsed(&id).await?;
    expect_eq!(snapshot(&world, &id).await?.current_lease, None, "a lapsed one is not");
    Ok(())
}

/// The attempt is shown from the claim on, but not while a retry is pending.
#[case(EXE_017)]
async fn current_attempt(world: World) -> Verdict {
    let (id, handle) = world.execution().retries(1, 10).claimed().await?;
    let first = snapshot(&world, &id).await?.current_attempt;
    expect_eq!(first.as_ref().map(|attempt| attempt.attempt_index.0), Some(0), "claimed");
    world.fail_with(&handle, FailureClass::Transient).await?;
    expect_eq!(snapshot(&world, &id).await?.current_attempt, None, "a retry is pending");
    world.pass_ms(10).await?;
    world.promote(&id).await?;
    expect_eq!(snapshot(&world, &id).await?.current_attempt, None, "and still is");
    let handle = world.worker().claim().await?;
    let second = snapshot(&world, &id).await?.current_attempt;
    expect_eq!(second.as_ref().map(|attempt| attempt.attempt_index.0), Some(1), "retried");
    expect!(
        first.map(|a| a.attempt_id) != second.as_ref().map(|a| a.attempt_id),
        "another attempt has another id"
    );
    world.complete(&handle, None).await?;
    expect_eq!(snapshot(&world, &id).await?.current_attempt, second, "it stays at the end");
    Ok(())
}

/// What blocks it, in snake case, or nothing.
#[case(EXE_018)]
async fn blocking(world: World) -> Verdict {
    let id = world.execution().delay_until(world.in_ms(1_500)).create().await?;
    let blocked = |seen: ExecutionSnapshot| (seen.blocking_reason, seen.blocking_detail);
    let reason = |text: &str| (Some(text.to_owned()), None);
    expect_eq!(blocked(snapshot(&world, &id).await?), reason("waiting_for_delay"));
    world.pass_ms(1_500).await?;
    world.promote(&id).await?;
    expect_eq!(blocked(snapshot(&world, &id).await?), reason("waiting_for_worker"));
    let handle = world.worker().claim().await?;
    expect_eq!(blocked(snapshot(&world, &id).await?), (None, None), "held");
    let info = world.read_execution_info(&id).await?;
    expect_eq!(info.map(|info| info.blocking_detail), Some(String::new()), "no detail");
    world.complete(&handle, None).await?;
    expect_eq!(blocked(snapshot(&world, &id).await?), (None, None), "ended");
    Ok(())
}

async fn info_of(world: &World, id: &ExecutionId) -> Result<ExecutionInfo, Failure> {
    let info = world.read_execution_info(id).await?;
    info.ok_or_else(|| Failure::new("the execution is there"))
}

/// What was given, and times that are absent until they come.
#[case(EXE_020)]
async fn info(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let new = info_of(&world, &id).await?;
    expect_eq!((new.started_at, new.completed_at), (None, None), "not yet");
    expect_eq!(new.flow_id, None);
    expect_eq!(new.execution_kind, "op");
    let handle = world.worker().claim().await?;
    let held = info_of(&world, &id).await?;
    expect!(held.started_at.is_some() && held.completed_at.is_none(), "it has started");
    world.complete(&handle, None).await?;
    let ended = info_of(&world, &id).await?;
    expect_eq!(ended.started_at, held.started_at, "it started once");
    expect!(ended.completed_at.is_some(), "it has ended");
    Ok(())
}

/// Times in decimal milliseconds, and an index of 0 before the first claim.
#[case(EXE_048)]
async fn info_in_decimals(world: World) -> Verdict {
    let created = world.now();
    let id = world.execution().create().await?;
    let new = info_of(&world, &id).await?;
    world.expect_decimal(Some(new.created_at), created, "created_at")?;
    expect_eq!(new.current_attempt_index, 0);
    world.pass_ms(5).await?;
    let started = world.now();
    let handle = world.worker().claim().await?;
    world.pass_ms(5).await?;
    world.complete(&handle, None).await?;
    let ended = info_of(&world, &id).await?;
    world.expect_decimal(ended.started_at, started, "started_at")?;
    world.expect_decimal(ended.completed_at, world.now(), "completed_at")?;
    Ok(())
}

/// Payload, kind and tags for a worker.
#[case(EXE_022)]
async fn context(world: World) -> Verdict {
    let id = world
        .execution()
        .payload(b"\x00work\xff")
        .with(|args| args.execution_kind = "llm.call".to_owned())
        .tag("app.k", "v")
        .create()
        .await?;
    world.set_execution_tag(&id, "app.later", "w").await?;
    let context = world.read_execution_context(&id).await?;
    expect_eq!(context.input_payload, b"\x00work\xff");
    expect_eq!(context.execution_kind, "llm.call");
    let tags: BTreeMap<_, _> = context.tags.into_iter().collect();
    let expected = [("app.k", "v"), ("app.later", "w")];
    let expected: BTreeMap<_, _> =
        expected.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    expect_eq!(tags, expected);
    Ok(())
}

/// The result is there after success only, and as it was given.
#[case(EXE_023, ATT_008)]
async fn result(world: World) -> Verdict {
    let every: Vec<u8> = (0..=u8::MAX).collect();
    let longest = every.repeat(256);
    for given in [Some(every), Some(longest), Some(Vec::new()), None] {
        let (id, handle) = world.claimed().await?;
        expect_eq!(
            world.get_execution_result(&id).await?,
            None,
            "the result of what is not finished"
        );
        world.complete(&handle, given.clone()).await?;
        expect_eq!(
            world.get_execution_result(&id).await?,
            given,
            "the result once it is completed"
        );
    }
    let (id, handle) = world.claimed().await?;
    world.cancel(&handle, "why").await?;
    expect_eq!(world.get_execution_result(&id).await?, None, "cancelled");
    let (id, handle) = world.claimed().await?;
    world.fail_with(&handle, FailureClass::Permanent).await?;
    expect_eq!(world.get_execution_result(&id).await?, None, "failed");
    Ok(())
}

/// The namespace as it was given.
#[case(EXE_024)]
async fn namespace(world: World) -> Verdict {
    for given in ["acme", "ACME", " a:b/c "] {
        let id = world.execution().namespace(given).create().await?;
        expect_eq!(world.get_execution_namespace(&id).await?.as_deref(), Some(given));
    }
    Ok(())
}
