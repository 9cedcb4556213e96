//! Finding work for a worker, and keeping it for that worker.

use std::collections::{BTreeMap, BTreeSet};
use std::slice;

use ff_core::contracts::{ClaimForWorkerArgs, ScanEligibleArgs};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::types::{ExecutionId, LaneId, WorkerId, WorkerInstanceId};
use futures_util::future::join_all;

use crate::stage::{
    ExecutionBuilder, FIRST, Failure, Verdict, World, cancellation, case, revocation,
};

type Tokens = BTreeSet<String>;

/// What is spoilt in arguments, and how.
type Spoilt = (&'static str, fn(&mut ClaimForWorkerArgs));

impl World {
    /// What waits on the default lane where this execution is.
    pub(super) async fn scans(
        &self,
        at: &ExecutionId,
        limit: u32,
    ) -> Result<Vec<ExecutionId>, EngineError> {
        let args = ScanEligibleArgs::new(self.lane(), self.partition_of(at), limit);
        self.scan_eligible_executions(args).await
    }

    /// An attempt that may go on, in the place of this execution, where nothing else waits.
    pub(super) async fn interrupted(
        &self,
        execution: ExecutionBuilder,
    ) -> Result<ExecutionId, Failure> {
        self.sign().await?;
        let claimed = execution.claimed().await?;
        let id = self.suspended_by(claimed, self.plain_suspension()).await?.id;
        self.resume(&id).await.map_err(Failure::setup_refused)?;
        Ok(id)
    }

    /// One in each state that is not WAIT, on the default lane of the first partition.
    pub(super) async fn elsewhere_than_waiting(&self) -> Result<Vec<ExecutionId>, Failure> {
        let one = || self.execution_in(FIRST);
        let lapsed = one().create().await?;
        self.worker().ttl(50).claim().await?;
        self.pass_ms(50).await?;
        self.mark_lapsed(&lapsed).await.map_err(Failure::setup_refused)?;
        let (revoked, _) = one().claimed().await?;
        self.revoke_lease(revocation(&revoked)).await.map_err(Failure::setup_refused)?;
        let (over, handle) = one().claimed().await?;
        self.complete(&handle, None).await.map_err(Failure::setup_refused)?;
        self.sign().await?;
        let claimed = one().claimed().await?;
        let suspended = self.suspended_by(claimed, self.plain_suspension()).await?.id;
        let (active, _) = one().claimed().await?;
        let cancelled = one().create().await?;
        let cancel = self.cancel_execution(cancellation(&cancelled)).await;
        cancel.map_err(Failure::setup_refused)?;
        let routed = one().create().await?;
        self.block_route(self.routing(&routed)).await.map_err(Failure::setup_refused)?;
        let delayed = one().delay_until(self.in_ms(60_000)).create().await?;
        Ok(vec![lapsed, revoked, over, suspended, active, cancelled, routed, delayed])
    }
}

/// To a worker that offers these.
fn offering(mut args: ClaimForWorkerArgs, tokens: &Tokens) -> ClaimForWorkerArgs {
    args.worker_capabilities.clone_from(tokens);
    args
}

/// By priority and age, whatever is required and whether it has begun.
#[case(SCH_005)]
async fn order(world: World) -> Verdict {
    let one = || world.execution_in(FIRST);
    let begun = world.interrupted(one().priority(5)).await?;
    let mut expected = vec![(-5, begun)];
    for (number, priority) in [1, 9, 5, 1].into_iter().enumerate() {
        world.pass_ms(1).await?;
        let required: &[&str] = if number % 2 == 0 { &["gpu"] } else { &[] };
        let id = one().priority(priority).requires(required).create().await?;
        expected.push((-priority, id));
    }
    expected.sort_by_key(|(rank, _)| *rank);
    let expected: Vec<_> = expected.into_iter().map(|(_, id)| id).collect();
    expect_eq!(world.scans(&expected[0], 10).await?, expected);
    Ok(())
}

/// Nothing that does not wait, nor of another lane or partition; what is listed is free all the same.
#[case(SCH_005)]
async fn content(world: World) -> Verdict {
    world.elsewhere_than_waiting().await?;
    let waiting = world.execution_in(FIRST).create().await?;
    world.execution_in(FIRST).lane("other").create().await?;
    if let Some(last) = world.another_partition() {
        world.execution_in(last).create().await?;
    }
    let before = world.observe(&waiting).await?;
    for _ in 0..2 {
        expect_eq!(world.scans(&waiting, 10).await?, slice::from_ref(&waiting), "what waits there");
    }
    expect_eq!(world.observe(&waiting).await?, before, "what is shown of it");
    world.granted(&waiting).await
}

/// To the millisecond, whether it has begun or not.
#[case(SCH_006, needs(clock))]
async fn granted(world: World) -> Verdict {
    let one = |priority| world.execution_in(FIRST).priority(priority);
    let begun = world.interrupted(one(9)).await?;
    let (fresh, free) = (one(5).create().await?, one(1).create().await?);
    for id in [&begun, &fresh] {
        let mut args = world.granting(id);
        args.grant_ttl_ms = 50;
        world.grant(args).await?;
    }
    for millis in [49, 1] {
        let listed = world.scans(&free, 10).await?;
        expect_eq!(listed, slice::from_ref(&free), "while the grants last");
        world.pass_ms(millis).await?;
    }
    expect_eq!(
        world.scans(&free, 10).await?,
        [begun, fresh, free.clone()],
        "once they have run out"
    );
    Ok(())
}

/// Pages are full though grants keep what comes first.
#[case(SCH_019)]
async fn limits(world: World) -> Verdict {
    let mut ids: Vec<_> = (0..6).map(|_| world.execution_id_in(FIRST)).collect();
    ids.sort_by_key(ExecutionId::uuid);
    for (number, id) in (0..).zip(&ids) {
        world.execution().id(id).priority(10 - number).create().await?;
    }
    for kept in [0, 2] {
        world.granted(&ids[kept]).await?;
    }
    let free = [&ids[1], &ids[3], &ids[4], &ids[5]].map(Clone::clone);
    for (limit, count) in [(0, 0), (1, 1), (3, 3), (4, 4), (5, 4), (u32::MAX, 4)] {
        expect_eq!(world.scans(&ids[0], limit).await?, free[..count], "a limit of {limit}");
    }
    let lane = LaneId::new("nowhere");
    let args = ScanEligibleArgs::new(lane, world.partition_of(&ids[0]), 10);
    expect_eq!(world.scan_eligible_executions(args).await?, [], "a lane on which nothing was");
    Ok(())
}

/// More than a page takes, in the order of their ids where they are of one time.
#[case(SCH_019)]
async fn thousand(world: World) -> Verdict {
    let mut ids = Vec::new();
    for _ in 0..1_001 {
        let id = world.execution_id_in(FIRST);
        world.execution().id(&id).create().await?;
        let created = world.field(&id, "created_at").await?.unwrap_or_default();
        ids.push((created.parse::<i64>().unwrap_or_default(), id.uuid(), id));
    }
    ids.sort();
    let expected: Vec<_> = ids.iter().take(1_000).map(|(.., id)| id.clone()).collect();
    let seen = world.scans(&expected[0], u32::MAX).await?;
    expect!(seen == expected, "{} ids, in order: {}", seen.len(), expected.starts_with(&seen));
    Ok(())
}

/// A partition that is none, or of others, and no lane.
#[case(SCH_019)]
async fn nowhere(world: World) -> Verdict {
    for (what, partition, lane) in world.nowhere() {
        let answer =
            world.scan_eligible_executions(ScanEligibleArgs::new(lane, partition, 0)).await;
        expect_refused!(answer, "validation.invalid_input", "{what}");
    }
    Ok(())
}

/// The first is kept, and its worker claims it; then there is nothing.
#[case(CLM_032)]
async fn kept(world: World) -> Verdict {
    expect_eq!(world.assigns().await?, None, "an empty deployment");
    world.execution().lane("other").create().await?;
    let id = world.execution().create().await?;
    let before = world.observe(&id).await?;
    let grant = world.assigned(world.assigning()).await?;
    let grant = grant.ok_or_else(|| Failure::new("there is work"))?;
    expect_eq!(grant.execution_id, id, "which is kept");
    expect_eq!(grant.partition_key, world.partition_key_of(&id), "where it is");
    expect!(!grant.grant_key.is_empty(), "the grant has a name");
    expect_eq!(world.observe(&id).await?, before, "what is shown of it");
    expect_eq!(world.worker().claims().await?, None, "it is kept");
    let mut theirs = world.redeeming(&id);
    theirs.worker_id = WorkerId::new("other");
    expect_refused!(world.redeem(theirs).await, "contention.invalid_claim_grant");
    expect_eq!(world.assigns().await?, None, "nothing else waits");
    world.redeem(world.redeeming(&id)).await?;
    Ok(())
}

/// When the grant runs out.
#[case(CLM_032, needs(clock))]
async fn until(world: World) -> Verdict {
    world.execution().create().await?;
    let grant = world.assigned(world.assigning()).await?;
    let until = grant.map(|grant| grant.expires_at_ms);
    expect_eq!(until, Some(world.in_ms(60_000).0.unsigned_abs()), "in a minute");
    Ok(())
}

/// In the order of priorities, and each attempt goes on.
#[case(CLM_033)]
async fn goes_on(world: World) -> Verdict {
    let one = |priority| world.execution_in(FIRST).priority(priority);
    let second = world.interrupted(one(5)).await?;
    let first = one(9).create().await?;
    let third = one(3).create().await?;
    for id in [&first, &second, &third] {
        expect_eq!(world.assigns().await?.as_ref(), Some(id));
    }
    expect_eq!(world.assigns().await?, None, "nothing is left");
    world.go_on(world.going_on(&second)).await?;
    let other = world.interrupted(world.execution().lane("other")).await?;
    let mut args = world.assigning();
    args.lane_id = LaneId::new("other");
    let kept = world.assigned(args).await?.map(|grant| grant.execution_id);
    expect_eq!(kept, Some(other.clone()), "on the other lane");
    let handle = world.claim_from_resume_grant(world.resume_token(&other)).await?;
    expect!(handle.is_some(), "it goes on by a token");
    Ok(())
}

/// Behind 300 that it cannot run, one of them begun.
#[case(CLM_034)]
async fn deep(world: World) -> Verdict {
    let begun = world.execution().priority(100).requires(&["special-0"]).create().await?;
    world.sign().await?;
    let handle = world.worker().offers(&["special-0"]).claim().await?;
    let begun = world.suspended_by((begun, handle), world.plain_suspension()).await?.id;
    world.resume(&begun).await.map_err(Failure::setup_refused)?;
    let mut before = vec![(begun.clone(), world.observe(&begun).await?)];
    for number in 0..300 {
        let token = format!("special-{}", number % 7);
        let id = world.execution().priority(100).requires(&[&token]).create().await?;
        if number % 50 == 0 {
            before.push((id.clone(), world.observe(&id).await?));
        }
    }
    let id = world.execution().requires(&["gpu"]).create().await?;
    let gpu = Tokens::from(["gpu".to_owned()]);
    let kept = world.assigned(offering(world.assigning(), &gpu)).await?;
    expect_eq!(kept.map(|grant| grant.execution_id), Some(id), "the one that fits");
    let none = world.assigned(offering(world.assigning(), &gpu)).await?;
    expect_eq!(none, None, "and no other");
    for (id, before) in before {
        expect_eq!(world.observe(&id).await?, before, "passed over, not touched");
    }
    Ok(())
}

/// In any partition.
#[case(CLM_034)]
async fn everywhere(world: World) -> Verdict {
    let last = world.partitions().num_flow_partitions - 1;
    for partition in BTreeSet::from([0, last / 2, last]) {
        let id = world.execution_id_in(partition);
        world.execution().id(&id).create().await?;
        expect_eq!(world.assigns().await?, Some(id), "partition {partition}");
    }
    Ok(())
}

/// 1 000 executions with 20 requirement sets, 40 workers that offer one thing or another: what somebody can run is
/// run, by nobody who cannot.
#[case(CLM_034, needs(concurrency))]
async fn fair(world: World) -> Verdict {
    let tokens = |count: u64| -> Tokens {
        (0..count).map(|_| format!("token-{}", world.random() % 12)).collect()
    };
    let sets: Vec<Tokens> = (0..20).map(|number| tokens(number % 5)).collect();
    let workers: Vec<Tokens> = (0..40).map(|number| tokens(3 + number % 6)).collect();
    let mut required = BTreeMap::new();
    let last = world.partitions().num_flow_partitions - 1;
    let places = BTreeSet::from([0, last / 2, last]).into_iter().collect::<Vec<_>>();
    for number in 0..1_000 {
        let set = &sets[number % sets.len()];
        let texts: Vec<&str> = set.iter().map(String::as_str).collect();
        let id = world.execution_id_in(places[number % places.len()]);
        world.execution().id(&id).requires(&texts).create().await?;
        required.insert(id, set.clone());
    }
    let work = workers.iter().cloned().map(|offered| {
        let world = world.clone();
        tokio::spawn(async move { world.works(&offered).await })
    });
    let mut run = Vec::new();
    for (done, offered) in join_all(work.collect::<Vec<_>>()).await.into_iter().zip(&workers) {
        let done = done.map_err(|panic| Failure::new(format!("a task died: {panic}")))??;
        run.extend(done.into_iter().map(|id| (id, offered)));
    }
    // What was out of sight while others were at it.
    for offered in &workers {
        run.extend(world.works(offered).await?.into_iter().map(|id| (id, offered)));
    }
    for (id, offered) in &run {
        let needed = required.get(id).cloned().unwrap_or_default();
        expect!(needed.is_subset(offered), "{id} needs {needed:?}, was run by {offered:?}");
    }
    let runnable = |set: &Tokens| workers.iter().any(|offered| set.is_subset(offered));
    let mut expected: Vec<_> =
        required.iter().filter(|(_, set)| runnable(set)).map(|(id, _)| id.clone()).collect();
    let mut run: Vec<_> = run.into_iter().map(|(id, _)| id).collect();
    run.sort();
    expected.sort();
    expect!(run == expected, "{} can be run, {} were", expected.len(), run.len());
    Ok(())
}

impl World {
    /// Runs what there is for a worker that offers this, until nothing is found.
    async fn works(&self, offered: &Tokens) -> Result<Vec<ExecutionId>, Failure> {
        let mut done = Vec::new();
        while let Some(grant) = self.assigned(offering(self.assigning(), offered)).await? {
            let claimed = self.redeem(self.redeeming(&grant.execution_id)).await?;
            self.complete(&claimed.handle, None).await?;
            done.push(grant.execution_id);
        }
        Ok(done)
    }
}

/// To one after the other.
#[case(CLM_035)]
async fn once(world: World) -> Verdict {
    let begun = world.interrupted(world.execution()).await?;
    let fresh = world.execution().create().await?;
    let otherwise = world.execution().create().await?;
    world.granted(&otherwise).await?;
    let mut kept = BTreeSet::new();
    for _ in 0..2 {
        kept.extend(world.assigns().await?);
    }
    expect_eq!(kept, BTreeSet::from([begun, fresh]), "each once");
    expect_eq!(world.assigns().await?, None, "all are kept, one otherwise");
    Ok(())
}

/// As before once the grant has run out.
#[case(CLM_035)]
async fn run_out(world: World) -> Verdict {
    for has_begun in [true, false] {
        let id = if has_begun {
            world.interrupted(world.execution()).await?
        } else {
            world.execution().create().await?
        };
        let mut args = world.assigning();
        args.grant_ttl_ms = 50;
        let kept = world.assigned(args).await?.map(|grant| grant.execution_id);
        expect_eq!(kept.as_ref(), Some(&id), "it waits");
        world.pass_ms(50).await?;
        expect_eq!(world.assigns().await?, Some(id), "it waits again");
    }
    Ok(())
}

/// Eight at once, for five.
#[case(CLM_035, needs(concurrency))]
async fn at_once(world: World) -> Verdict {
    for _ in 0..5 {
        world.execution().create().await?;
    }
    let asked = (0..8).map(|_| {
        let world = world.clone();
        tokio::spawn(async move { world.assigns().await })
    });
    let mut kept = Vec::new();
    for answer in join_all(asked.collect::<Vec<_>>()).await {
        kept.extend(answer.map_err(|panic| Failure::new(format!("a task died: {panic}")))??);
    }
    while let Some(id) = world.assigns().await? {
        kept.push(id);
        expect!(kept.len() <= 5, "nothing is kept twice");
    }
    expect_eq!(kept.iter().collect::<BTreeSet<_>>().len(), 5, "all are kept");
    expect_eq!(kept.len(), 5, "each once");
    Ok(())
}

/// In none of the other states.
#[case(CLM_036)]
async fn nothing_else(world: World) -> Verdict {
    let others = world.elsewhere_than_waiting().await?;
    expect_eq!(world.assigns().await?, None, "nothing waits");
    for id in others {
        let kept = world.redeem(world.redeeming(&id)).await;
        expect!(kept.is_err(), "nobody may claim {id}");
    }
    Ok(())
}

/// What a claim and a grant would refuse.
#[case(CLM_037)]
async fn arguments(world: World) -> Verdict {
    world.execution().create().await?;
    let bad: [Spoilt; 5] = [
        ("a TTL of 0", |args| args.grant_ttl_ms = 0),
        ("a nameless worker", |args| args.worker_id = WorkerId::new("")),
        ("a nameless instance", |args| args.worker_instance_id = WorkerInstanceId::new("")),
        ("a nameless lane", |args| args.lane_id = LaneId::new("")),
        ("no lane at all", |args| args.lane_id = LaneId::new("a\nb")),
    ];
    for (what, spoil) in bad {
        let mut args = world.assigning();
        spoil(&mut args);
        let answer = world.claim_for_worker(args).await;
        expect_refused!(answer, "validation.invalid_input", "{what}");
    }
    let spaced = offering(world.assigning(), &Tokens::from(["a b".to_owned()]));
    let answer = world.claim_for_worker(spaced).await;
    expect_refused!(answer, "validation.invalid_capabilities", "a bad capability");
    Ok(())
}
