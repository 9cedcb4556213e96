//! Going on with an interrupted attempt.

use ff_core::backend::{FailureClass, FailureReason, Handle, HandleKind, ResumeToken};
use ff_core::contracts::{ClaimResumedExecutionArgs, ClaimedResumedExecution};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::partition::{Partition, PartitionKey};
use ff_core::state::TerminalOutcome;
use ff_core::types::{
    AttemptIndex, ExecutionId, LaneId, LeaseId, TimestampMs, WorkerId, WorkerInstanceId,
};
use futures_util::future::join_all;

use crate::stage::{Failure, Graph, Suspended, Verdict, World, case};

const NO_GRANT: &str = "contention.invalid_claim_grant";
const NOT_NOW: &str = "contention.execution_not_leaseable";

/// What is spoilt in arguments, and how.
type Spoilt = (&'static str, fn(&mut ClaimResumedExecutionArgs));

/// The two methods that go on with an attempt.
const WAYS: [Way; 2] = [Way::Claim, Way::Token];

#[derive(Clone, Copy, Debug)]
enum Way {
    Claim,
    Token,
}

impl World {
    /// Goes on in this way, by a grant of the same worker.
    async fn go_on_by(&self, way: Way, id: &ExecutionId) -> Result<Option<Handle>, EngineError> {
        match way {
            Way::Claim => Ok(Some(self.go_on(self.going_on(id)).await?.handle)),
            Way::Token => self.claim_from_resume_grant(self.resume_token(id)).await,
        }
    }

    /// Goes on in this way as another worker, or another instance of the same.
    async fn go_on_as(
        &self,
        way: Way,
        id: &ExecutionId,
        worker: &str,
        instance: &str,
    ) -> Result<Option<Handle>, EngineError> {
        let (worker, instance) = (WorkerId::new(worker), WorkerInstanceId::new(instance));
        match way {
            Way::Claim => {
                let args = self.going_on(id);
                let args = ClaimResumedExecutionArgs {
                    worker_id: worker,
                    worker_instance_id: instance,
                    ..args
                };
                Ok(Some(self.go_on(args).await?.handle))
            }
            Way::Token => {
                let ResumeToken { grant, lease_ttl_ms, .. } = self.resume_token(id);
                let token = ResumeToken::new(grant, worker, instance, lease_ttl_ms);
                self.claim_from_resume_grant(token).await
            }
        }
    }

    /// Suspends an execution that goes on, and resumes it again.
    async fn interrupted_again(
        &self,
        id: &ExecutionId,
        handle: Handle,
    ) -> Result<Suspended, Failure> {
        let claimed = (id.clone(), handle);
        let suspended = self.suspended_by(claimed, self.plain_suspension()).await;
        let suspended = suspended.map_err(Failure::in_setup)?;
        self.resume(id).await.map_err(Failure::setup_refused)?;
        Ok(suspended)
    }
}

fn some(handle: Option<Handle>) -> Result<Handle, Failure> {
    let answered = || {
        let expected = "an attempt that can go on".to_owned();
        Failure::refused(expected, "a handle", "Ok(None)".to_owned())
    };
    handle.ok_or_else(answered)
}

/// The attempt is the same, the lease is new.
#[case(SUS_037)]
async fn goes_on(world: World) -> Verdict {
    let suspended = world.resumable().await?;
    let id = &suspended.id;
    let mut before = suspended.handle.clone();
    for (way, epoch) in WAYS.into_iter().zip(["2", "3"]) {
        let attempt = world.field(id, "current_attempt_id").await?;
        let started = world.field(id, "started_at").await?;
        world.granted(id).await?;
        world.pass_ms(10).await?;
        let at = world.now();
        let handle = some(world.go_on_by(way, id).await?)?;
        let expected = [
            ("lifecycle_phase", Some("active".to_owned())),
            ("public_state", Some("active".to_owned())),
            ("ownership_state", Some("leased".to_owned())),
            ("eligibility_state", Some("not_applicable".to_owned())),
            ("blocking_reason", None),
            ("attempt_state", Some("running_attempt".to_owned())),
            ("current_attempt_id", attempt),
            ("current_attempt_index", Some("0".to_owned())),
            ("total_attempt_count", Some("1".to_owned())),
            ("current_lease_epoch", Some(epoch.to_owned())),
            ("current_worker_id", Some("worker".to_owned())),
            ("lease_expires_at", Some(TimestampMs(at.0 + 30_000).to_string())),
            ("last_transition_at", Some(at.to_string())),
            ("started_at", started),
        ];
        world.expect_fields(id, expected).await?;
        let late = world.renew(&before).await;
        expect_refused!(late, "state.stale_lease", "under the lease of before");
        world.interrupted_again(id, handle.clone()).await?;
        let again = world.go_on(world.going_on(id)).await;
        expect_refused!(again, NO_GRANT, "the grant is used up");
        before = handle;
    }
    Ok(())
}

/// What the answer tells, and what the handle is good for.
#[case(SUS_050)]
async fn handle(world: World) -> Verdict {
    let suspended = world.resumable().await?;
    let id = &suspended.id;
    for way in WAYS {
        world.granted(id).await?;
        let handle = match way {
            Way::Claim => {
                let args = world.going_on(id);
                let claimed = world.go_on(args.clone()).await?;
                expect_eq!(claimed.lease_id, args.lease_id, "the lease is the caller's");
                world.expect_shown(&claimed).await?;
                claimed.handle
            }
            Way::Token => some(world.go_on_by(way, id).await?)?,
        };
        expect_eq!(handle.kind, HandleKind::Resumed, "{way:?}");
        world.progress(&handle, Some(70), None).await?;
        world.renew(&handle).await?;
        expect_eq!(world.observed(&handle).await?, [], "signals that it was resumed by");
        let before = world.progress(&suspended.handle, None, None).await;
        expect_refused!(before, "state.stale_lease", "with a handle of before");
        world.interrupted_again(id, handle).await?;
    }
    world.granted(id).await?;
    let handle = world.go_on(world.going_on(id)).await?.handle;
    world.complete(&handle, None).await?;
    world.expect_fields(id, [("public_state", "completed")]).await
}

impl World {
    /// Asserts that what was claimed is shown.
    async fn expect_shown(&self, claimed: &ClaimedResumedExecution) -> Verdict {
        let snapshot = self.describe_execution(&claimed.execution_id).await?;
        let snapshot = snapshot.ok_or_else(|| Failure::new("it is described"))?;
        let lease = snapshot.current_lease.ok_or_else(|| Failure::new("its lease is shown"))?;
        expect_eq!(lease.lease_id, claimed.lease_id, "the lease");
        expect_eq!(lease.lease_epoch, claimed.lease_epoch, "its epoch");
        expect_eq!(lease.expires_at, claimed.lease_expires_at, "its end");
        let attempt =
            snapshot.current_attempt.ok_or_else(|| Failure::new("its attempt is shown"))?;
        expect_eq!(attempt.attempt_id, claimed.attempt_id, "the attempt");
        expect_eq!(attempt.attempt_index, claimed.attempt_index, "its index");
        Ok(())
    }
}

/// Unknown, not runnable, not interrupted, and without a grant.
#[case(SUS_038)]
async fn refused(world: World) -> Verdict {
    let unknown = world.go_on(world.going_on(&world.execution_id())).await;
    expect_refused!(unknown, "not_found.execution");
    let suspended = world.suspended().await?;
    let (active, _) = world.claimed().await?;
    let (over, handle) = world.claimed().await?;
    world.complete(&handle, None).await.map_err(Failure::setup_refused)?;
    for id in [&suspended.id, &active, &over] {
        let before = world.observe(id).await?;
        expect_refused!(world.go_on(world.going_on(id)).await, NOT_NOW, "{id}");
        expect_eq!(world.observe(id).await?, before, "what is shown of it");
    }
    let (retried, handle) = world.execution().retries(3, 0).claimed().await?;
    let failed = world.fail(&handle, FailureReason::new("boom"), FailureClass::Transient).await;
    failed.map_err(Failure::setup_refused)?;
    world.promote(&retried).await.map_err(Failure::setup_refused)?;
    let fresh = world.execution().create().await?;
    for id in [&retried, &fresh] {
        world.granted(id).await?;
        let answer = world.go_on(world.going_on(id)).await;
        expect_refused!(answer, "contention.not_a_resumed_execution", "{id}");
    }
    world.resume(&suspended.id).await.map_err(Failure::setup_refused)?;
    let before = world.observe(&suspended.id).await?;
    let answer = world.go_on(world.going_on(&suspended.id)).await;
    expect_refused!(answer, NO_GRANT, "without a grant");
    expect_eq!(world.observe(&suspended.id).await?, before, "what is shown of it");
    Ok(())
}

/// Everything is wrong with the first call, and with each that follows one thing less.
#[case(SUS_051)]
async fn first_decides(world: World) -> Verdict {
    let suspended = world.suspended().await?;
    let id = &suspended.id;
    let fresh = world.execution().lane("other").create().await?;
    let mut args = world.going_on(id);
    args.current_attempt_index = AttemptIndex::new(1);
    args.lane_id = LaneId::new("elsewhere");
    let unknown = ClaimResumedExecutionArgs { execution_id: world.execution_id(), ..args.clone() };
    expect_refused!(world.go_on(unknown).await, "not_found.execution");
    expect_refused!(world.go_on(args.clone()).await, NOT_NOW, "suspended");
    let claimed = world.execution().lane("delayed").claimed().await?;
    let delayed = world.suspended_by(claimed, world.plain_suspension()).await;
    let delayed = delayed.map_err(Failure::in_setup)?.id;
    world.resume_after(&delayed, 60_000).await.map_err(Failure::setup_refused)?;
    let later = ClaimResumedExecutionArgs { execution_id: delayed, ..args.clone() };
    expect_refused!(world.go_on(later).await, NOT_NOW, "delayed");
    world.resume(id).await.map_err(Failure::setup_refused)?;
    let other = ClaimResumedExecutionArgs { execution_id: fresh, ..args.clone() };
    expect_refused!(world.go_on(other).await, "contention.not_a_resumed_execution");
    expect_refused!(world.go_on(args.clone()).await, NOT_NOW, "another attempt");
    args.current_attempt_index = AttemptIndex::new(0);
    expect_refused!(world.go_on(args.clone()).await, NO_GRANT, "without a grant");
    let mut grant = world.granting(id);
    grant.grant_ttl_ms = 50;
    world.grant(grant).await.map_err(Failure::in_setup)?;
    world.pass_ms(50).await?;
    for _ in 0..2 {
        let late = world.go_on(args.clone()).await;
        expect_refused!(late, "contention.claim_grant_expired");
    }
    let other = ClaimResumedExecutionArgs { worker_id: WorkerId::new("other"), ..args.clone() };
    expect_refused!(world.go_on(other).await, NO_GRANT, "another worker's that has run out");
    world.granted(id).await?;
    let elsewhere = world.go_on(args.clone()).await;
    expect_refused!(elsewhere, "contention.execution_not_in_eligible_set");
    args.lane_id = world.lane_of(id);
    world.go_on(args).await?;
    Ok(())
}

/// A millisecond before the grant has run out, and then.
#[case(SUS_051, needs(clock))]
async fn to_the_millisecond(world: World) -> Verdict {
    let suspended = world.resumable().await?;
    let id = &suspended.id;
    let mut grant = world.granting(id);
    grant.grant_ttl_ms = 50;
    world.grant(grant.clone()).await.map_err(Failure::in_setup)?;
    world.pass_ms(50).await?;
    let late = world.go_on(world.going_on(id)).await;
    expect_refused!(late, "contention.claim_grant_expired");
    world.grant(grant).await?;
    world.pass_ms(49).await?;
    world.go_on(world.going_on(id)).await?;
    Ok(())
}

/// Leases that the execution has had, by a claim and by callers.
#[case(SUS_051)]
async fn past_leases(world: World) -> Verdict {
    let (id, handle) = world.signing().await?;
    let first = world.field(&id, "current_lease_id").await?.unwrap_or_default();
    let first: LeaseId =
        first.parse().map_err(|error| Failure::setup(&format!("{first:?}: {error}")))?;
    let mut past = vec![first];
    let mut handle = handle;
    for _ in 0..3 {
        world.interrupted_again(&id, handle).await?;
        world.granted(&id).await?;
        for lease_id in &past {
            let args = ClaimResumedExecutionArgs { lease_id: *lease_id, ..world.going_on(&id) };
            expect_refused!(world.go_on(args).await, "validation.invalid_input", "{lease_id}");
        }
        let args = world.going_on(&id);
        past.push(args.lease_id);
        handle = world.go_on(args).await?.handle;
    }
    Ok(())
}

/// Eight at once, and after one that was refused.
#[case(SUS_039, needs(concurrency))]
async fn once(world: World) -> Verdict {
    for way in WAYS {
        let suspended = world.resumable().await?;
        let id = &suspended.id;
        world.granted(id).await?;
        let refused = world.go_on_as(way, id, "other", "other-1").await;
        expect_refused!(refused, NO_GRANT, "another worker");
        let claims = (0..8).map(|number| {
            let (world, id) = (world.clone(), id.clone());
            tokio::spawn(async move {
                world.go_on_as(way, &id, "worker", &format!("worker-{number}")).await
            })
        });
        let mut gone_on = 0;
        for claim in join_all(claims.collect::<Vec<_>>()).await {
            match claim.map_err(|panic| Failure::new(format!("a task died: {panic}")))? {
                Ok(Some(handle)) => {
                    gone_on += 1;
                    world.renew(&handle).await?;
                }
                Ok(None) => {}
                refused => expect_refused!(refused, NOT_NOW),
            }
        }
        expect_eq!(gone_on, 1, "claims that go on");
    }
    Ok(())
}

/// In every state in which there is nothing to go on with.
#[case(SUS_052)]
async fn nothing_to_go_on_with(world: World) -> Verdict {
    let suspended = world.suspended().await?;
    let (active, _) = world.claimed().await?;
    let (over, handle) = world.claimed().await?;
    world.complete(&handle, None).await.map_err(Failure::setup_refused)?;
    let (delayed, handle) = world.claimed().await?;
    let delayed = world.suspended_by((delayed, handle), world.plain_suspension()).await;
    let delayed = delayed.map_err(Failure::in_setup)?;
    world.resume_after(&delayed.id, 60_000).await.map_err(Failure::setup_refused)?;
    let fresh = world.execution().create().await?;
    world.granted(&fresh).await?;
    for id in [&suspended.id, &active, &over, &delayed.id, &fresh] {
        let before = world.observe(id).await?;
        let answer = world.go_on_by(Way::Token, id).await?;
        expect!(answer.is_none(), "{id} does not go on: {answer:?}");
        expect_eq!(world.observe(id).await?, before, "what is shown of it");
    }
    let unknown = world.go_on_by(Way::Token, &world.execution_id()).await;
    expect_refused!(unknown, "not_found.execution");
    world.resume(&suspended.id).await.map_err(Failure::setup_refused)?;
    let answer = world.go_on_by(Way::Token, &suspended.id).await;
    expect_refused!(answer, NO_GRANT, "without a grant");
    Ok(())
}

/// Another worker, and another instance of the same.
#[case(SUS_053)]
async fn whose(world: World) -> Verdict {
    for way in WAYS {
        let suspended = world.resumable().await?;
        let id = &suspended.id;
        world.granted(id).await?;
        for (worker, instance) in [("other", "worker-1"), ("Worker", "worker-1")] {
            let answer = world.go_on_as(way, id, worker, instance).await;
            expect_refused!(answer, NO_GRANT, "{way:?} as {worker}");
        }
        some(world.go_on_as(way, id, "worker", "worker-2").await?)?;
        world.expect_fields(id, [("current_worker_instance_id", "worker-2")]).await?;
    }
    Ok(())
}

/// Times of 0 ms, names that are none, and a partition that is another's.
#[case(SUS_054)]
async fn arguments(world: World) -> Verdict {
    let suspended = world.resumable().await?;
    let id = &suspended.id;
    world.granted(id).await?;
    let bad: [Spoilt; 5] = [
        ("a lease of 0 ms", |args| args.lease_ttl_ms = 0),
        ("an attempt of 0 ms", |args| args.remaining_attempt_timeout_ms = Some(0)),
        ("a nameless worker", |args| args.worker_id = WorkerId::new("")),
        ("a nameless instance", |args| args.worker_instance_id = WorkerInstanceId::new("")),
        ("a nameless lane", |args| args.lane_id = LaneId::new("")),
    ];
    for (what, spoil) in bad {
        let mut args = world.going_on(id);
        spoil(&mut args);
        expect_refused!(world.go_on(args).await, "validation.invalid_input", "{what}");
    }
    let ResumeToken { grant, worker_id, worker_instance_id, .. } = world.resume_token(id);
    let of =
        |grant, ttl| ResumeToken::new(grant, worker_id.clone(), worker_instance_id.clone(), ttl);
    let answer = world.claim_from_resume_grant(of(grant.clone(), 0)).await;
    expect_refused!(answer, "validation.invalid_input", "a lease of 0 ms");
    let mut elsewhere = grant.clone();
    let home = world.partition_of(id);
    elsewhere.partition_key = PartitionKey::from(&Partition { index: home.index ^ 1, ..home });
    let answer = world.claim_from_resume_grant(of(elsewhere, 30_000)).await;
    expect_refused!(answer, "validation.invalid_input", "another partition");
    Ok(())
}

/// A token whose key is anything and whose time is over.
#[case(SUS_054)]
async fn hints(world: World) -> Verdict {
    let suspended = world.resumable().await?;
    world.granted(&suspended.id).await?;
    let mut token = world.resume_token(&suspended.id);
    token.grant.grant_key = "anything".to_owned();
    token.grant.expires_at_ms = 1;
    some(world.claim_from_resume_grant(token).await?)?;
    Ok(())
}

/// A member whose children have ended.
#[case(SUS_055)]
async fn children(world: World) -> Verdict {
    for way in WAYS {
        let mut graph = Graph::new(&world).await?;
        let (parent, child) = (graph.member().await?, graph.member().await?);
        let handle = graph.claim(&parent).await?;
        graph.depend(&child, &parent).await?;
        let attempt = world.field(&parent, "current_attempt_id").await?;
        world.wait_children(&handle).await.map_err(Failure::setup_refused)?;
        graph.end_and_cascade(&child, TerminalOutcome::Success).await?;
        world.granted(&parent).await?;
        let handle = some(world.go_on_by(way, &parent).await?)?;
        let expected = [
            ("public_state", Some("active".to_owned())),
            ("current_attempt_id", attempt),
            ("total_attempt_count", Some("1".to_owned())),
        ];
        world.expect_fields(&parent, expected).await?;
        world.complete(&handle, None).await?;
    }
    Ok(())
}
