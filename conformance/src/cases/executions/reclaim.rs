//! Taking over what was left behind.

use std::collections::BTreeSet;

use ff_core::backend::{FailureClass, Handle, HandleKind};
use ff_core::contracts::{
    IssueReclaimGrantArgs, IssueReclaimGrantOutcome, ListExpiredLeasesArgs, ReclaimExecutionArgs,
    ReclaimExecutionOutcome,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::types::{AttemptIndex, ExecutionId, LaneId, TimestampMs, WorkerId, WorkerInstanceId};
use futures_util::future::join_all;

use crate::stage::{Failure, Leased, Verdict, World, case, revocation};

type SpoiltGrant = (&'static str, fn(&mut IssueReclaimGrantArgs));
type Spoilt = (&'static str, fn(&mut ReclaimExecutionArgs));

fn changed<A>(mut args: A, change: impl FnOnce(&mut A)) -> A {
    change(&mut args);
    args
}

impl World {
    /// A lease that has lapsed.
    async fn lapsed(&self) -> Result<Leased, Failure> {
        let id = self.execution().retries(9, 0).create().await?;
        let handle = self.worker().ttl(50).claim().await?;
        let leased = self.leased_by((id, handle)).await?;
        self.pass_ms(50).await?;
        self.mark_lapsed(&leased.id).await.map_err(Failure::setup_refused)?;
        Ok(leased)
    }

    /// One that has lapsed, and one that was revoked.
    async fn left_behind(&self) -> Result<[Leased; 2], Failure> {
        Ok([self.lapsed().await?, self.revoked().await?])
    }

    async fn regranted(&self, id: &ExecutionId) -> Result<(), Failure> {
        match self.issue_reclaim_grant(self.regranting(id)).await.map_err(Failure::setup_refused)? {
            IssueReclaimGrantOutcome::Granted(_) => Ok(()),
            other => Err(Failure::setup(&format!("it is granted: {other:?}"))),
        }
    }

    async fn reclaim(&self, args: ReclaimExecutionArgs) -> Result<Handle, Failure> {
        match self.reclaim_execution(args).await? {
            ReclaimExecutionOutcome::Claimed(handle) => Ok(handle),
            other => Err(Failure::new(format!("it is taken over, not {other:?}"))),
        }
    }

    /// Executions that nobody has left behind.
    async fn not_left_behind(&self) -> Result<Vec<ExecutionId>, Failure> {
        let waiting = self.execution().lane("waiting").create().await?;
        let (active, _) = self.claimed().await?;
        let (over, handle) = self.claimed().await?;
        self.complete(&handle, None).await.map_err(Failure::setup_refused)?;
        let suspended = self.suspended().await?.id;
        let due = self.execution().create().await?;
        self.worker().ttl(50).claim().await?;
        self.pass_ms(50).await?;
        Ok(vec![waiting, active, over, suspended, due])
    }
}

/// Of what has lapsed, and of what was revoked.
#[case(LSE_023)]
async fn granted(world: World) -> Verdict {
    for left in world.left_behind().await? {
        let before = world.observe(&left.id).await?;
        world.pass_ms(5).await?;
        let until = world.due_in_ms(60_000);
        match world.issue_reclaim_grant(world.regranting(&left.id)).await? {
            IssueReclaimGrantOutcome::Granted(grant) => {
                expect_eq!(grant.execution_id, left.id, "which");
                expect_eq!(grant.lane_id, world.lane_of(&left.id), "its lane");
                let partition = grant.partition().map(|partition| partition.index);
                expect_eq!(partition, Ok(left.id.partition()), "its partition");
                let end = TimestampMs(grant.expires_at_ms.cast_signed());
                world.expect_time(end, until, "its end")?;
                expect!(!grant.grant_key.is_empty(), "it has a name");
            }
            other => return Err(Failure::new(format!("it is granted, not {other:?}"))),
        }
        expect_eq!(world.observe(&left.id).await?, before, "what is shown of it");
    }
    Ok(())
}

/// Unknown, and in every state but these two.
#[case(LSE_024)]
async fn not_reclaimable(world: World) -> Verdict {
    let unknown = world.execution_id();
    let granted = world.issue_reclaim_grant(world.regranting(&unknown)).await;
    expect_refused!(granted, "not_found.execution", "a grant");
    let reclaimed = world.reclaim_execution(world.reclaiming(&unknown)).await;
    expect_refused!(reclaimed, "not_found.execution", "a reclaim");
    for id in world.not_left_behind().await? {
        let before = world.observe(&id).await?;
        let granted = world.issue_reclaim_grant(world.regranting(&id)).await?;
        let is_none = matches!(granted, IssueReclaimGrantOutcome::NotReclaimable { .. });
        expect!(is_none, "no grant of {id}: {granted:?}");
        let reclaimed = world.reclaim_execution(world.reclaiming(&id)).await?;
        let is_none = matches!(reclaimed, ReclaimExecutionOutcome::NotReclaimable { .. });
        expect!(is_none, "no reclaim of {id}: {reclaimed:?}");
        expect_eq!(world.observe(&id).await?, before, "what is shown of it");
    }
    Ok(())
}

/// Another while it lasts, another once it has run out, and one to a worker that does not qualify.
#[case(LSE_025)]
async fn one_grant(world: World) -> Verdict {
    let left = world.lapsed().await?;
    world.regranted(&left.id).await?;
    for worker in ["worker", "other"] {
        let args =
            changed(world.regranting(&left.id), |args| args.worker_id = WorkerId::new(worker));
        let again = world.issue_reclaim_grant(args).await;
        expect_refused!(again, "state.grant_already_exists", "{worker}");
    }
    let brief = world.revoked().await?.id;
    let args = changed(world.regranting(&brief), |args| args.grant_ttl_ms = 50);
    world.issue_reclaim_grant(args).await?;
    world.pass_ms(50).await?;
    world.regranted(&brief).await?;
    let needing = world.execution().requires(&["gpu"]).create().await?;
    world.worker().offers(&["gpu"]).claim().await?;
    world.revoke_lease(revocation(&needing)).await?;
    let answer = world.issue_reclaim_grant(world.regranting(&needing)).await;
    expect_refused!(answer, "validation.capability_mismatch");
    let able =
        |args: &mut IssueReclaimGrantArgs| args.worker_capabilities.extend(["gpu".to_owned()]);
    world.issue_reclaim_grant(changed(world.regranting(&needing), able)).await?;
    Ok(())
}

/// A new attempt in place of the old one.
#[case(LSE_026)]
async fn taken_over(world: World) -> Verdict {
    for left in world.left_behind().await? {
        let id = &left.id;
        world.regranted(id).await?;
        let started = world.field(id, "started_at").await?;
        let retries = world.field(id, "retry_count").await?;
        world.pass_ms(10).await?;
        let args = world.reclaiming(id);
        let handle = world.reclaim(args.clone()).await?;
        let expected = [
            ("lifecycle_phase", Some("active".to_owned())),
            ("ownership_state", Some("leased".to_owned())),
            ("public_state", Some("active".to_owned())),
            ("blocking_reason", None),
            ("attempt_state", Some("running_attempt".to_owned())),
            ("current_attempt_id", Some(args.attempt_id.to_string())),
            ("current_attempt_index", Some("1".to_owned())),
            ("total_attempt_count", Some("2".to_owned())),
            ("lease_reclaim_count", Some("1".to_owned())),
            ("retry_count", retries),
            ("current_lease_id", Some(args.lease_id.to_string())),
            ("current_lease_epoch", Some("2".to_owned())),
            ("current_worker_id", Some("worker".to_owned())),
            ("current_worker_instance_id", Some("worker-1".to_owned())),
            ("lease_expires_at", Some(world.due_in_ms(30_000).to_string())),
            ("lease_expired_at", None),
            ("started_at", started),
        ];
        world.expect_fields(id, expected).await?;
        drop(handle);
        world.revoke_lease(revocation(id)).await?;
        let again = world.reclaim_execution(world.reclaiming(id)).await?;
        let is_used_up = matches!(again, ReclaimExecutionOutcome::GrantNotFound { .. });
        expect!(is_used_up, "the grant is used up: {again:?}");
    }
    Ok(())
}

/// Whoever takes over, and whoever was there before.
#[case(LSE_027)]
async fn handle(world: World) -> Verdict {
    for left in world.left_behind().await? {
        world.regranted(&left.id).await?;
        let handle = world.reclaim(world.reclaiming(&left.id)).await?;
        expect_eq!(handle.kind, HandleKind::Reclaimed, "the kind");
        world.renew(&handle).await?;
        expect_refused!(world.renew(&left.handle).await, "state.stale_lease", "by handle");
        let named = world.renew_lease(left.renewing()).await;
        expect_refused!(named, "state.stale_lease", "by name");
        world.complete(&handle, None).await?;
        world.expect_fields(&left.id, [("terminal_outcome", "success")]).await?;
    }
    Ok(())
}

/// None, another worker's, one that has run out, and one for a claim.
#[case(LSE_028)]
async fn grants(world: World) -> Verdict {
    let [left, other] = world.left_behind().await?;
    let expect_none = async |args: ReclaimExecutionArgs, what: &str| {
        let before = world.observe(&args.execution_id).await?;
        let id = args.execution_id.clone();
        let answer = world.reclaim_execution(args).await?;
        let none = matches!(answer, ReclaimExecutionOutcome::GrantNotFound { .. });
        expect!(none, "{what}: {answer:?}");
        expect_eq!(world.observe(&id).await?, before, "what is shown of it");
        Ok::<(), Failure>(())
    };
    expect_none(world.reclaiming(&left.id), "none").await?;
    world.regranted(&left.id).await?;
    let others =
        changed(world.reclaiming(&left.id), |args| args.worker_id = WorkerId::new("other"));
    expect_none(others, "of another worker").await?;
    let brief = changed(world.regranting(&other.id), |args| args.grant_ttl_ms = 50);
    world.issue_reclaim_grant(brief).await?;
    world.pass_ms(50).await?;
    expect_none(world.reclaiming(&other.id), "one that has run out").await?;
    let instance = |args: &mut ReclaimExecutionArgs| {
        args.worker_instance_id = WorkerInstanceId::new("another");
    };
    let handle = world.reclaim(changed(world.reclaiming(&left.id), instance)).await?;
    world.fail_with(&handle, FailureClass::Transient).await?;
    world.promote(&left.id).await?;
    let redeem = changed(world.redeeming(&left.id), |args| {
        args.expected_attempt_index = AttemptIndex::new(2);
    });
    let claimed = world.redeem(redeem).await;
    expect_refused!(claimed, "contention.invalid_claim_grant", "one for a reclaim");
    Ok(())
}

/// By the policy, by default, and by the caller.
#[case(LSE_029)]
async fn cap(world: World) -> Verdict {
    for (stored, given, most) in [(Some(0), None, 0), (Some(2), None, 2), (Some(9), Some(1), 1)] {
        let execution = world.execution();
        let execution = match stored {
            Some(cap) => execution.policy(|policy| policy.max_reclaim_count = cap),
            None => execution,
        };
        let (id, _) = execution.claimed().await?;
        for _ in 0..most {
            world.revoke_lease(revocation(&id)).await?;
            world.regranted(&id).await?;
            world
                .reclaim(changed(world.reclaiming(&id), |args| args.max_reclaim_count = given))
                .await?;
        }
        world.revoke_lease(revocation(&id)).await?;
        let before = world.observe(&id).await?;
        let granted = world.issue_reclaim_grant(world.regranting(&id)).await?;
        let expected = IssueReclaimGrantOutcome::ReclaimCapExceeded {
            execution_id: id.clone(),
            reclaim_count: most,
        };
        if given.is_none() {
            expect_eq!(granted, expected, "no grant");
            expect_eq!(world.observe(&id).await?, before, "what is shown of it");
            continue;
        }
        expect!(granted != expected, "the policy permits one");
        let args = changed(world.reclaiming(&id), |args| args.max_reclaim_count = given);
        let answer = world.reclaim_execution(args).await?;
        let expected = ReclaimExecutionOutcome::ReclaimCapExceeded {
            execution_id: id.clone(),
            reclaim_count: most,
        };
        expect_eq!(answer, expected, "no reclaim");
        world
            .expect_fields(&id, [("terminal_outcome", "failed"), ("lease_reclaim_count", "1")])
            .await?;
    }
    Ok(())
}

/// A hundred times where nobody says otherwise.
#[case(LSE_029)]
async fn cap_by_default(world: World) -> Verdict {
    let (id, _) = world.claimed().await?;
    for _ in 0..100 {
        world.revoke_lease(revocation(&id)).await?;
        world.regranted(&id).await?;
        world.reclaim(world.reclaiming(&id)).await?;
    }
    world.revoke_lease(revocation(&id)).await?;
    let granted = world.issue_reclaim_grant(world.regranting(&id)).await?;
    let is_over =
        matches!(granted, IssueReclaimGrantOutcome::ReclaimCapExceeded { reclaim_count: 100, .. });
    expect!(is_over, "the hundred and first time: {granted:?}");
    Ok(())
}

/// Eight at once.
#[case(LSE_030, needs(concurrency))]
async fn at_once(world: World) -> Verdict {
    let left = world.lapsed().await?;
    world.regranted(&left.id).await?;
    let answers =
        join_all((0..8).map(|_| world.reclaim_execution(world.reclaiming(&left.id)))).await;
    let mut claimed = 0;
    for answer in answers {
        match answer? {
            ReclaimExecutionOutcome::Claimed(_) => claimed += 1,
            ReclaimExecutionOutcome::NotReclaimable { .. } => {}
            other => return Err(Failure::new(format!("the others come too late, not {other:?}"))),
        }
    }
    expect_eq!(claimed, 1, "taken over");
    Ok(())
}

/// What is wrong with a grant, and with each that follows one thing less.
#[case(LSE_031)]
async fn first_decides_a_grant(world: World) -> Verdict {
    let capped = world.execution().requires(&["gpu"]).policy(|policy| policy.max_reclaim_count = 0);
    let capped = capped.create().await?;
    let granted = world.execution().requires(&["gpu"]).create().await?;
    let free = world.execution().requires(&["gpu"]).create().await?;
    for _ in 0..3 {
        world.worker().offers(&["gpu"]).claim().await?;
    }
    for id in [&capped, &granted, &free] {
        world.revoke_lease(revocation(id)).await?;
    }
    let able =
        |args: &mut IssueReclaimGrantArgs| args.worker_capabilities.extend(["gpu".to_owned()]);
    world.issue_reclaim_grant(changed(world.regranting(&granted), able)).await?;
    let elsewhere = |id: &ExecutionId| {
        changed(world.regranting(id), |args| args.lane_id = LaneId::new("elsewhere"))
    };
    let unknown = world.execution_id();
    let spoilt = changed(elsewhere(&unknown), |args| args.grant_ttl_ms = 0);
    expect_refused!(world.issue_reclaim_grant(spoilt).await, "validation.invalid_input", "0 ms");
    let answer = world.issue_reclaim_grant(elsewhere(&unknown)).await;
    expect_refused!(answer, "not_found.execution", "unknown");
    let answer = world.issue_reclaim_grant(elsewhere(&capped)).await?;
    let is_over = matches!(answer, IssueReclaimGrantOutcome::ReclaimCapExceeded { .. });
    expect!(is_over, "reclaimed too often: {answer:?}");
    let answer = world.issue_reclaim_grant(elsewhere(&granted)).await;
    expect_refused!(answer, "state.grant_already_exists", "granted");
    let answer = world.issue_reclaim_grant(elsewhere(&free)).await;
    expect_refused!(answer, "contention.execution_not_in_eligible_set", "of another lane");
    let answer = world.issue_reclaim_grant(world.regranting(&free)).await;
    expect_refused!(answer, "validation.capability_mismatch", "without the capability");
    Ok(())
}

/// What is wrong with a reclaim, likewise.
#[case(LSE_031)]
async fn first_decides_a_reclaim(world: World) -> Verdict {
    let left = world.revoked().await?;
    let id = &left.id;
    let mut args = changed(world.reclaiming(&world.execution_id()), |args| {
        args.lease_ttl_ms = 0;
        args.lane_id = LaneId::new("elsewhere");
        (args.lease_id, args.attempt_id) = (left.fence.lease_id, left.fence.attempt_id);
        args.max_reclaim_count = Some(0);
    });
    let reclaim = async |args: &ReclaimExecutionArgs| world.reclaim_execution(args.clone()).await;
    expect_refused!(reclaim(&args).await, "validation.invalid_input", "0 ms");
    args.lease_ttl_ms = 30_000;
    expect_refused!(reclaim(&args).await, "not_found.execution", "unknown");
    args.execution_id = id.clone();
    let answer = reclaim(&args).await?;
    expect!(
        matches!(answer, ReclaimExecutionOutcome::GrantNotFound { .. }),
        "no grant: {answer:?}"
    );
    world.regranted(id).await?;
    let answer = reclaim(&args).await;
    expect_refused!(answer, "contention.execution_not_in_eligible_set", "of another lane");
    args.lane_id = world.lane_of(id);
    expect_refused!(reclaim(&args).await, "validation.invalid_input", "a lease that it has had");
    args.lease_id = world.reclaiming(id).lease_id;
    expect_refused!(reclaim(&args).await, "validation.invalid_input", "an attempt that it has had");
    args.attempt_id = world.reclaiming(id).attempt_id;
    let answer = reclaim(&args).await?;
    let is_over = matches!(answer, ReclaimExecutionOutcome::ReclaimCapExceeded { .. });
    expect!(is_over, "reclaimed too often: {answer:?}");
    Ok(())
}

/// What a claim would refuse as well, hints that are wrong, and why an execution has failed.
#[case(LSE_032)]
async fn arguments(world: World) -> Verdict {
    let left = world.revoked().await?;
    let id = &left.id;
    let bad: [SpoiltGrant; 4] = [
        ("a TTL of 0", |args| args.grant_ttl_ms = 0),
        ("a nameless worker", |args| args.worker_id = WorkerId::new("")),
        ("a nameless instance", |args| args.worker_instance_id = WorkerInstanceId::new("")),
        ("a nameless lane", |args| args.lane_id = LaneId::new("")),
    ];
    for (what, spoil) in bad {
        let answer = world.issue_reclaim_grant(changed(world.regranting(id), spoil)).await;
        expect_refused!(answer, "validation.invalid_input", "{what}");
    }
    world.regranted(id).await?;
    let bad: [Spoilt; 4] = [
        ("a TTL of 0", |args| args.lease_ttl_ms = 0),
        ("a nameless worker", |args| args.worker_id = WorkerId::new("")),
        ("a nameless instance", |args| args.worker_instance_id = WorkerInstanceId::new("")),
        ("a nameless lane", |args| args.lane_id = LaneId::new("")),
    ];
    for (what, spoil) in bad {
        let answer: Result<_, EngineError> =
            world.reclaim_execution(changed(world.reclaiming(id), spoil)).await;
        expect_refused!(answer, "validation.invalid_input", "{what}");
    }
    world
        .reclaim(changed(world.reclaiming(id), |args| {
            args.current_attempt_index = AttemptIndex::new(7);
            args.old_worker_instance_id = WorkerInstanceId::new("nobody");
            args.capability_hash = Some("another".to_owned());
        }))
        .await?;
    world.revoke_lease(revocation(id)).await?;
    world.regranted(id).await?;
    let args = changed(world.reclaiming(id), |args| args.max_reclaim_count = Some(1));
    world.reclaim_execution(args).await?;
    world.expect_fields(id, [("failure_reason", "max_reclaims_exceeded")]).await
}

/// 2 000 executions and eight workers of which four stop renewing at random: with nothing but time and what it makes due,
/// all end, each once, and every takeover is counted.
#[case(LSE_026, LSE_030, needs(clock, concurrency, housekeeping))]
async fn crashes(world: World) -> Verdict {
    let last = world.partitions().num_flow_partitions - 1;
    let mut ids = BTreeSet::new();
    for partition in [0, last / 2, last, 0].repeat(500) {
        ids.insert(world.execution_in(partition).create().await?);
    }
    let (mut ended, mut takeovers) = (Vec::new(), 0);
    // Who stops leaves its lease to run out; the others go on until nothing is left for them.
    for _ in 0..100 {
        let work = (0..8).map(|number| {
            let (world, crashes) = (world.clone(), number < 4);
            tokio::spawn(async move { world.works_on(crashes).await })
        });
        for worked in join_all(work.collect::<Vec<_>>()).await {
            let worked =
                worked.map_err(|panic| Failure::new(format!("a task died: {panic}")))??;
            ended.extend(worked.ended);
            takeovers += worked.takeovers;
        }
        if ended.len() >= ids.len() {
            break;
        }
        world.pass_ms(30_000).await?;
        world.settle().await?;
    }
    expect_eq!(ended.len(), ids.len(), "each ends once");
    expect!(ended.iter().collect::<BTreeSet<_>>() == ids.iter().collect(), "all end");
    expect!(takeovers > 0, "some stop");
    let mut counted = 0;
    for id in &ids {
        let reclaims = world.field(id, "lease_reclaim_count").await?.unwrap_or_default();
        counted += reclaims.parse::<u32>().unwrap_or_default();
        world.expect_fields(id, [("public_state", "completed")]).await?;
    }
    expect_eq!(counted, takeovers, "the reclaims");
    expect_eq!(world.due().await?, [], "nothing is due");
    Ok(())
}

/// What a worker has done.
#[derive(Default)]
struct Worked {
    ended: Vec<ExecutionId>,
    takeovers: u32,
}

impl World {
    /// Takes over what was left behind, then claims; renews each lease now and then, and completes. One that crashes
    /// knows nothing of each eighth execution any more.
    async fn works_on(&self, crashes: bool) -> Result<Worked, Failure> {
        let mut worked = Worked::default();
        let expired = self.list_expired_leases(ListExpiredLeasesArgs::new(self.in_ms(0))).await?;
        let mut left = expired.entries.into_iter().map(|lease| lease.execution_id);
        loop {
            let next = match left.next() {
                Some(id) => {
                    let Some(handle) = self.takes_over(&id).await? else { continue };
                    worked.takeovers += 1;
                    Some((id, handle))
                }
                None => match self.assigns().await? {
                    Some(id) => {
                        let claimed = self.redeem(self.redeeming(&id)).await?;
                        Some((id, claimed.handle))
                    }
                    None => None,
                },
            };
            let Some((id, handle)) = next else { return Ok(worked) };
            for _ in 0..self.random() % 3 {
                self.renew(&handle).await?;
            }
            if crashes && self.random().is_multiple_of(8) {
                continue;
            }
            self.complete(&handle, None).await?;
            worked.ended.push(id);
        }
    }

    /// Unless somebody else does.
    async fn takes_over(&self, id: &ExecutionId) -> Result<Option<Handle>, Failure> {
        match self.issue_reclaim_grant(self.regranting(id)).await {
            Ok(IssueReclaimGrantOutcome::Granted(_)) => {}
            Ok(IssueReclaimGrantOutcome::NotReclaimable { .. })
            | Err(EngineError::State(StateKind::GrantAlreadyExists)) => return Ok(None),
            other => return Err(Failure::new(format!("it is granted or not: {other:?}"))),
        }
        match self.reclaim_execution(self.reclaiming(id)).await? {
            ReclaimExecutionOutcome::Claimed(handle) => Ok(Some(handle)),
            ReclaimExecutionOutcome::GrantNotFound { .. }
            | ReclaimExecutionOutcome::NotReclaimable { .. } => Ok(None),
            other => Err(Failure::new(format!("it is taken over or not: {other:?}"))),
        }
    }
}
