//! Running again what has ended.

use ff_core::backend::{FailureClass, Handle};
use ff_core::contracts::{ReplayExecutionArgs, ReplayExecutionResult as Replay};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::state::PublicState;
use ff_core::types::{AttemptIndex, ExecutionId};
use futures_util::future::join_all;

use crate::stage::{CALLERS_NOW, Failure, Verdict, World, case};

const WAITING: Replay = Replay::Replayed { public_state: PublicState::Waiting };

impl World {
    pub(crate) async fn replay(&self, id: &ExecutionId) -> Result<Replay, EngineError> {
        self.replay_execution(ReplayExecutionArgs { execution_id: id.clone(), now: CALLERS_NOW })
            .await
    }
}

/// Replays an execution until there is nothing left of its limit.
async fn replay_to_the_limit(world: &World, id: &ExecutionId, limit: u32) -> Verdict {
    for _ in 0..limit {
        let handle = world.worker().claim().await?;
        world.complete(&handle, None).await?;
        expect_eq!(world.replay(id).await?, WAITING);
    }
    Ok(())
}

/// An unknown execution, one that has not ended, and one that was replayed often enough.
#[case(OPS_008)]
async fn refused(world: World) -> Verdict {
    let unknown = world.execution_id();
    expect_refused!(world.replay(&unknown).await, "not_found.execution");
    let not_yet = "state.execution_not_terminal";
    for limit in [2, 0] {
        let id = world.execution().policy(|policy| policy.max_replay_count = limit);
        let id = id.create().await?;
        replay_to_the_limit(&world, &id, limit).await?;
        let handle = world.worker().claim().await?;
        if limit > 0 {
            let alive = world.execution().create().await?;
            expect_refused!(world.replay(&alive).await, not_yet, "it waits");
            let held = world.worker().claim().await?;
            expect_refused!(world.replay(&alive).await, not_yet, "it is active");
            world.complete(&held, None).await?;
        }
        world.complete(&handle, None).await?;
        let before = world.observe(&id).await?;
        let answer = world.replay(&id).await;
        expect_refused!(answer, "state.max_replays_exhausted", "after {limit}");
        expect_eq!(world.observe(&id).await?, before, "nothing changes");
    }
    Ok(())
}

/// The end before the limit, which is 10 where none is given.
#[case(OPS_012)]
async fn order_of_checks(world: World) -> Verdict {
    let id = world.execution().create().await?;
    replay_to_the_limit(&world, &id, 10).await?;
    let handle = world.worker().claim().await?;
    expect_refused!(world.replay(&id).await, "state.execution_not_terminal");
    world.complete(&handle, None).await?;
    expect_refused!(world.replay(&id).await, "state.max_replays_exhausted");
    Ok(())
}

async fn end_by(world: &World, handle: &Handle, how: &str) -> Verdict {
    match how {
        "complete" => world.complete(handle, Some(b"result".to_vec())).await?,
        "cancel" => world.cancel(handle, "why").await?,
        _ => {
            let class = FailureClass::Permanent;
            world.fail_with(handle, class).await?;
        }
    }
    Ok(())
}

/// Every outcome that a worker can bring about.
#[case(OPS_008, OPS_009, OPS_010)]
async fn outcomes(world: World) -> Verdict {
    for how in ["complete", "fail", "cancel"] {
        let (id, handle) = world.execution().tag("app.k", "v").claimed().await?;
        world.pass_ms(3).await?;
        world.progress(&handle, Some(40), Some("half".to_owned())).await?;
        let before = world.observe(&id).await?;
        end_by(&world, &handle, how).await?;
        world.pass_ms(5).await?;
        expect_eq!(world.replay(&id).await?, WAITING, "{how}");
        let expected = [
            ("lifecycle_phase", Some("runnable".to_owned())),
            ("ownership_state", Some("unowned".to_owned())),
            ("eligibility_state", Some("eligible_now".to_owned())),
            ("blocking_reason", Some("waiting_for_worker".to_owned())),
            ("terminal_outcome", Some("none".to_owned())),
            ("attempt_state", Some("pending_replay_attempt".to_owned())),
            ("public_state", Some("waiting".to_owned())),
            ("replay_count", Some("1".to_owned())),
            ("completed_at", None),
            ("failure_reason", None),
            ("failure_category", None),
            ("cancellation_reason", None),
            ("cancelled_by", None),
            ("last_transition_at", Some(world.now().0.to_string())),
        ];
        world.expect_fields(&id, expected).await?;
        expect_eq!(world.get_execution_result(&id).await?, None, "{how}");
        let kept = [
            "started_at",
            "created_at",
            "total_attempt_count",
            "current_lease_epoch",
            "progress_percent",
            "progress_message",
            "payload",
            "context.tags.app.k",
        ];
        let after = world.observe(&id).await?;
        for name in kept {
            expect_eq!(after.get(name), before.get(name), "{name} stays");
        }
        let handle = world.worker().claim().await?;
        world.complete(&handle, None).await?;
        expect_eq!(world.get_execution_result(&id).await?, None, "no result");
    }
    Ok(())
}

/// The next attempt has the next index and the next epoch.
#[case(OPS_009, ATT_001, EXE_017)]
async fn attempt(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    world.complete(&handle, None).await?;
    world.replay(&id).await?;
    let described = world.describe_execution(&id).await?;
    expect!(
        described.is_some_and(|shown| shown.current_attempt.is_none()),
        "no attempt is shown while the replay is pending"
    );
    world.worker().claim().await?;
    let expected = [
        ("current_attempt_index", "1"),
        ("total_attempt_count", "2"),
        ("current_lease_epoch", "2"),
        ("attempt_state", "running_attempt"),
    ];
    world.expect_fields(&id, expected).await?;
    let index = world.read_current_attempt_index(&id).await?;
    expect_eq!(index, AttemptIndex::new(1));
    Ok(())
}

/// A replayed execution stands at its old place.
#[case(OPS_009, SCH_002)]
async fn place(world: World) -> Verdict {
    let (first, handle) = world.claimed().await?;
    world.pass_ms(1).await?;
    let second = world.execution().create().await?;
    let urgent = world.execution().priority(1).create().await?;
    world.complete(&handle, None).await?;
    world.pass_ms(1).await?;
    world.replay(&first).await?;
    for expected in [urgent, first, second] {
        expect_eq!(world.worker().claims().await?, Some(expected));
    }
    Ok(())
}

/// All retries are granted again.
#[case(OPS_010)]
async fn retries(world: World) -> Verdict {
    let (id, mut handle) = world.execution().retries(1, 0).claimed().await?;
    for round in 0..2 {
        world.fail_with(&handle, FailureClass::Transient).await?;
        let retried = world.field(&id, "retry_count").await?;
        expect_eq!(retried.as_deref(), Some("1"), "round {round}");
        world.promote(&id).await?;
        handle = world.worker().claim().await?;
        world.fail_with(&handle, FailureClass::Transient).await?;
        let state = world.read_execution_state(&id).await?;
        expect_eq!(state, Some(PublicState::Failed), "round {round}");
        world.replay(&id).await?;
        let retried = world.field(&id, "retry_count").await?;
        expect_eq!(retried.as_deref(), Some("0"), "round {round}");
        handle = world.worker().claim().await?;
    }
    Ok(())
}

/// A deadline that has passed is dropped.
#[case(OPS_010, needs(clock))]
async fn deadline(world: World) -> Verdict {
    let due = world.in_ms(100);
    let builder = world.execution();
    let builder = builder.with(|args| args.execution_deadline_at = Some(due));
    let (id, handle) = builder.claimed().await?;
    world.pass_ms(99).await?;
    world.complete(&handle, None).await?;
    world.replay(&id).await?;
    let kept = world.field(&id, "execution_deadline_at").await?;
    expect_eq!(kept, Some(due.0.to_string()), "it is still to come");
    let handle = world.worker().claim().await?;
    world.complete(&handle, None).await?;
    world.pass_ms(1).await?;
    world.replay(&id).await?;
    let kept = world.field(&id, "execution_deadline_at").await?;
    expect_eq!(kept, None, "it has passed");
    Ok(())
}

/// The call that ended it is not recognised any more.
#[case(ATT_003)]
async fn repetition(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    world.complete(&handle, None).await?;
    world.complete(&handle, None).await?;
    world.replay(&id).await?;
    let before = world.observe(&id).await?;
    let code = "contention.execution_not_active";
    expect_refused!(world.complete(&handle, None).await, code);
    expect_eq!(world.observe(&id).await?, before, "it waits on");
    Ok(())
}

/// Replays at once.
#[case(OPS_011, needs(concurrency))]
async fn race(world: World) -> Verdict {
    // Once, chance may let them come one after the other.
    for _ in 0..6 {
        one_race(&world).await?;
    }
    Ok(())
}

async fn one_race(world: &World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    world.complete(&handle, None).await?;
    let calls = (0..12).map(|_| {
        let (world, id) = (world.clone(), id.clone());
        tokio::spawn(async move { world.replay(&id).await })
    });
    let mut replayed = 0;
    for call in join_all(calls).await {
        let answer = call.map_err(|error| Failure::new(error.to_string()))?;
        if answer.is_ok() {
            replayed += 1;
        } else {
            expect_refused!(answer, "state.execution_not_terminal");
        }
    }
    expect_eq!(replayed, 1, "replays that succeed");
    let count = world.field(&id, "replay_count").await?;
    expect_eq!(count.as_deref(), Some("1"));
    // Out of the next round's way.
    world.worker().claim().await?;
    Ok(())
}

/// A worker waits for children that there are not.
#[case(ATT_022, LSE_013, DEP_034)]
async fn waiting(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let attempt = world.field(&id, "current_attempt_id").await?;
    world.wait_children(&handle).await?;
    let expected = [
        ("lifecycle_phase", Some("runnable".to_owned())),
        ("ownership_state", Some("unowned".to_owned())),
        ("eligibility_state", Some("blocked_by_dependencies".to_owned())),
        ("blocking_reason", Some("waiting_for_children".to_owned())),
        ("attempt_state", Some("attempt_interrupted".to_owned())),
        ("public_state", Some("waiting_children".to_owned())),
        ("current_attempt_id", attempt),
        ("current_attempt_index", Some("0".to_owned())),
        ("current_lease_id", None),
        ("current_worker_id", None),
        ("lease_expires_at", None),
        ("current_lease_epoch", Some("1".to_owned())),
    ];
    world.expect_fields(&id, expected).await?;
    expect_eq!(world.worker().try_claim().await?, None, "no work");
    let before = world.observe(&id).await?;
    world.wait_children(&handle).await?;
    let code = "contention.execution_not_active";
    expect_refused!(world.complete(&handle, None).await, code);
    expect_eq!(world.observe(&id).await?, before, "a repetition");
    Ok(())
}
