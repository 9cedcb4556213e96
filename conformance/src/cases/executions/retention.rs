//! Removing executions that ended long ago.

use std::collections::BTreeSet;

use ff_core::backend::{Handle, ScannerFilter, SuspendArgs};
use ff_core::contracts::{ClaimExecutionArgs, CreateExecutionResult, DeliverSignalResult};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::partition::{Partition, PartitionFamily};
use ff_core::policy::StreamPolicy;
use ff_core::types::{ExecutionId, LeaseId, SignalId};

use crate::stage::{
    CALLERS_NOW, ExecutionBuilder, FIRST, Failure, Graph, Verdict, World, any_at, cancellation,
    case, plain_signal,
};

/// More than any case creates.
pub(super) const ALL: u32 = 1_000;

/// What the parts of an execution are called.
struct Names {
    begin: ClaimExecutionArgs,
    again: LeaseId,
    suspend: SuspendArgs,
    signal: SignalId,
}

impl World {
    /// Removes what ended so long ago on the default lane of the first partition.
    pub(super) async fn trims(&self, retention_ms: u64, most: u32) -> Result<u32, EngineError> {
        let partition = Partition { family: PartitionFamily::Flow, index: FIRST };
        let (lane, filter) = (self.lane(), ScannerFilter::NOOP);
        self.trim_retention(partition, &lane, retention_ms, CALLERS_NOW, most, &filter).await
    }

    /// One that has ended, where nothing else is to be claimed.
    pub(super) async fn ended(&self, execution: ExecutionBuilder) -> Result<ExecutionId, Failure> {
        let (id, handle) = execution.claimed().await?;
        self.complete(&handle, Some(b"result".to_vec())).await.map_err(Failure::setup_refused)?;
        Ok(id)
    }

    /// One that is suspended, likewise.
    pub(super) async fn suspended_in(
        &self,
        execution: ExecutionBuilder,
    ) -> Result<ExecutionId, Failure> {
        self.sign().await?;
        let claimed = execution.claimed().await?;
        Ok(self.suspended_by(claimed, self.plain_suspension()).await?.id)
    }

    /// What is left in a partition.
    async fn left(&self, partition: u16) -> Result<Vec<ExecutionId>, Failure> {
        let key = self.partition_key_of(&self.execution_id_in(partition));
        Ok(self.list_executions(key, None, ALL as usize).await?.executions)
    }

    /// Begins an attempt, suspends it, sends it a signal and lets it go on and end; whoever comes after must not be
    /// told from the first.
    async fn lives(&self, id: &ExecutionId, names: &Names) -> Verdict {
        self.execution().id(id).tag("app.key", "value").payload(b"input").create().await?;
        self.granted(id).await?;
        let claimed = self.redeem(names.begin.clone()).await?;
        let suspended = self.suspended_by((id.clone(), claimed.handle), names.suspend.clone());
        let suspended = suspended.await?;
        let signal = plain_signal(&suspended.target(), names.signal);
        let delivered = self.deliver_signal(signal).await?;
        let is_new = matches!(delivered, DeliverSignalResult::Accepted { .. });
        expect!(is_new, "the signal is new: {delivered:?}");
        self.granted(id).await?;
        let mut again = self.going_on(id);
        again.lease_id = names.again;
        let handle: Handle = self.go_on(again).await?.handle;
        self.complete(&handle, Some(b"result".to_vec())).await?;
        Ok(())
    }
}

/// What has ended, however; nothing that has not, nor anywhere else.
#[case(OPS_015)]
async fn selection(world: World) -> Verdict {
    let one = || world.execution_in(FIRST);
    let mut kept = Vec::new();
    world.ended(one()).await?;
    let (_, handle) = one().claimed().await?;
    world.cancel(&handle, "why").await.map_err(Failure::setup_refused)?;
    let cancelled = one().create().await?;
    world.cancel_execution(cancellation(&cancelled)).await.map_err(Failure::setup_refused)?;
    kept.push(world.ended(one().lane("other")).await?);
    let elsewhere = match world.another_partition() {
        Some(other) => Some(world.ended(world.execution_in(other)).await?),
        None => None,
    };
    kept.push(one().create().await?);
    world.worker().ttl(50).claim().await?;
    kept.push(world.suspended_in(one()).await?);
    kept.push(one().claimed().await?.0);
    kept.push(one().delay_until(world.in_ms(60_000)).create().await?);
    expect_eq!(world.trims(60_000, ALL).await?, 0, "a minute is not over");
    world.pass_ms(50).await?;
    expect_eq!(world.trims(50, ALL).await?, 3, "what has ended");
    let mut left = world.left(FIRST).await?;
    left.sort();
    kept.sort();
    expect_eq!(left, kept, "what has not ended, or is of another lane");
    if let Some(elsewhere) = elsewhere {
        expect_eq!(world.left(elsewhere.partition()).await?, [elsewhere], "in another partition");
    }
    Ok(())
}

/// A millisecond before its time, and then.
#[case(OPS_015, needs(clock))]
async fn to_the_millisecond(world: World) -> Verdict {
    world.ended(world.execution_in(FIRST)).await?;
    world.pass_ms(49).await?;
    expect_eq!(world.trims(50, ALL).await?, 0, "it is kept");
    world.pass_ms(1).await?;
    expect_eq!(world.trims(50, ALL).await?, 1, "it may go");
    Ok(())
}

/// Reads and lists, and one beside it that stays as it is.
#[case(OPS_020)]
async fn gone(world: World) -> Verdict {
    let other = world.another_partition().unwrap_or(FIRST);
    let other = world.execution_in(other).lane("other").tag("app.a", "b");
    let other = world.ended(other).await?;
    let beside = world.execution_in(FIRST).delay_until(world.in_ms(60_000));
    let beside = beside.create().await?;
    let id = world.ended(world.execution_in(FIRST).tag("app.a", "b")).await?;
    let (before, next) = (world.observe(&other).await?, world.observe(&beside).await?);
    expect_eq!(world.trims(0, ALL).await?, 1, "which is removed");
    let nobody = world.execution_id_in(FIRST);
    expect_eq!(world.observe(&id).await?, world.observe(&nobody).await?, "what is shown of it");
    expect_eq!(world.get_execution_result(&id).await?, None, "its result");
    expect_refused!(
        world.read_execution_context(&id).await,
        "validation.invalid_input",
        "its input"
    );
    expect_eq!(world.get_execution_tag(&id, "app.a").await?, None, "its tag");
    let here = [&beside, &other].into_iter().filter(|id| id.partition() == FIRST);
    let here: BTreeSet<_> = here.cloned().collect();
    expect_eq!(world.left(FIRST).await?, Vec::from_iter(here), "what is listed");
    expect_eq!(world.observe(&other).await?, before, "one of another lane");
    expect_eq!(world.observe(&beside).await?, next, "one beside it");
    Ok(())
}

/// Lives twice, under the same names, and shows the same both times.
#[case(OPS_020)]
async fn as_new(world: World) -> Verdict {
    let id = world.execution_id_in(FIRST);
    world.sign().await?;
    world.remember(id.clone(), world.lane());
    let condition = any_at("wp");
    let names = Names {
        begin: world.redeeming(&id),
        again: LeaseId::from_uuid(world.uuid()),
        suspend: world.suspending(condition, &["wp"]),
        signal: SignalId::from_uuid(world.uuid()),
    };
    let mut seen = Vec::new();
    for _ in 0..2 {
        world.lives(&id, &names).await?;
        seen.push(world.observe(&id).await?.without(&["_at", "_at_ms"]));
        expect_eq!(world.trims(0, ALL).await?, 1, "which is removed");
    }
    expect_eq!(seen[0], seen[1], "what both have shown");
    Ok(())
}

/// So many and no more, until nothing is left.
#[case(OPS_021)]
async fn batches(world: World) -> Verdict {
    for _ in 0..5 {
        world.ended(world.execution_in(FIRST)).await?;
    }
    for (most, count, left) in [(0, 0, 5), (2, 2, 3), (2, 2, 1), (ALL, 1, 0), (ALL, 0, 0)] {
        expect_eq!(world.trims(0, most).await?, count, "of at most {most}");
        expect_eq!(world.left(FIRST).await?.len(), left, "what is left");
    }
    Ok(())
}

/// All of 70 at once.
#[case(OPS_021)]
async fn many(world: World) -> Verdict {
    for _ in 0..70 {
        let id = world.execution_in(FIRST).create().await?;
        world.cancel_execution(cancellation(&id)).await.map_err(Failure::setup_refused)?;
    }
    expect_eq!(world.trims(0, 69).await?, 69, "all but one");
    expect_eq!(world.trims(0, ALL).await?, 1, "the last");
    Ok(())
}

/// In the order of their ends.
#[case(OPS_025)]
async fn oldest(world: World) -> Verdict {
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(world.execution_in(FIRST).create().await?);
    }
    for place in [2, 0, 3, 1] {
        world.pass_ms(1).await?;
        let cancel = world.cancel_execution(cancellation(&ids[place])).await;
        cancel.map_err(Failure::setup_refused)?;
    }
    for gone in [2, 0, 3, 1] {
        expect_eq!(world.trims(0, 1).await?, 1, "one");
        let left = world.left(FIRST).await?;
        expect!(!left.contains(&ids[gone]), "{} has gone, not another: {left:?}", ids[gone]);
    }
    Ok(())
}

/// Until its end has been counted.
#[case(OPS_022)]
async fn members(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let (first, second) = (graph.member().await?, graph.member().await?);
    let edge = graph.depend(&first, &second).await?;
    let handle = graph.claim(&first).await?;
    world.complete(&handle, None).await.map_err(Failure::setup_refused)?;
    let (home, lane, filter) =
        (world.partition_of(&first), world.lane_of(&first), ScannerFilter::NOOP);
    let trim = || world.trim_retention(home, &lane, 0, CALLERS_NOW, ALL, &filter);
    expect_eq!(trim().await?, 0, "its end is not counted");
    graph.cascade(&first).await.map_err(Failure::setup_refused)?;
    let flow = world.described_flow(&graph.flow).await?;
    let shown = world.describe_edge(&graph.flow, &edge.edge_id).await?;
    expect_eq!(trim().await?, 1, "it is counted");
    expect_eq!(world.described_flow(&graph.flow).await?, flow, "the flow");
    expect_eq!(world.describe_edge(&graph.flow, &edge.edge_id).await?, shown, "the dependency");
    graph.claim(&second).await.map(drop)
}

/// Longer than the call says, never shorter.
#[case(OPS_023)]
async fn terms(world: World) -> Verdict {
    let keeping = |millis| {
        let one = world.execution_in(FIRST);
        one.policy(|policy| {
            policy.stream_policy = Some(StreamPolicy {
                durability_mode: "durable".to_owned(),
                retention_maxlen: 10,
                retention_ttl_ms: Some(millis),
            });
        })
    };
    let long = world.ended(keeping(60_000)).await?;
    let short = world.ended(keeping(10)).await?;
    let plain = world.ended(world.execution_in(FIRST)).await?;
    world.pass_ms(50).await?;
    expect_eq!(world.trims(60_000, ALL).await?, 0, "a minute is not over");
    expect_eq!(world.trims(50, ALL).await?, 2, "both but the first");
    expect_eq!(world.left(FIRST).await?, [long], "neither {short} nor {plain}");
    Ok(())
}

/// Keys and lanes.
#[case(OPS_024)]
async fn remembered(world: World) -> Verdict {
    let id = world.ended(world.execution_in(FIRST).key("key")).await?;
    expect_eq!(world.trims(0, ALL).await?, 1, "which is removed");
    let again = world.execution_in(FIRST).key("key").try_create().await?;
    let known =
        matches!(&again, CreateExecutionResult::Duplicate { execution_id } if *execution_id == id);
    expect!(known, "the key stands for {id}: {again:?}");
    let lanes = world.list_lanes(None, 10).await?.lanes;
    expect!(lanes.contains(&world.lane()), "the lane is there: {lanes:?}");
    Ok(())
}

/// Of one namespace and with one tag, behind 40 others.
#[case(OPS_026)]
async fn filters(world: World) -> Verdict {
    let one = || world.execution_in(FIRST);
    let mut others = Vec::new();
    for number in 0..40 {
        let tag = if number % 2 == 0 { "app.key" } else { "app.other" };
        let id = one().namespace("theirs").tag(tag, "other").create().await?;
        world.cancel_execution(cancellation(&id)).await.map_err(Failure::setup_refused)?;
        others.push(id);
    }
    for _ in 0..2 {
        let untagged = one().namespace("ours").create().await?;
        let cancel = world.cancel_execution(cancellation(&untagged)).await;
        cancel.map_err(Failure::setup_refused)?;
        others.push(untagged);
    }
    let tagged = world.ended(one().namespace("theirs").tag("app.key", "value")).await?;
    let ours = world.ended(one().namespace("ours").tag("app.key", "value")).await?;
    let home = world.partition_of(&ours);
    for (filter, expected) in [
        (ScannerFilter::new().with_namespace("ours").with_instance_tag("app.key", "nothing"), 0),
        (ScannerFilter::new().with_namespace("nobody"), 0),
        (ScannerFilter::new().with_namespace("ours").with_instance_tag("app.key", "value"), 1),
        (ScannerFilter::new().with_instance_tag("app.key", "value"), 1),
        (ScannerFilter::new().with_namespace("theirs"), 40),
        (ScannerFilter::new().with_namespace("ours"), 2),
    ] {
        let lane = world.lane();
        let trimmed = world.trim_retention(home, &lane, 0, CALLERS_NOW, ALL, &filter).await?;
        expect_eq!(trimmed, expected, "by {filter:?}");
    }
    expect_eq!(world.left(FIRST).await?, [], "neither {tagged} nor another is left");
    Ok(())
}

/// A partition that is none, or of others, and no lane.
#[case(OPS_027)]
async fn nowhere(world: World) -> Verdict {
    for (what, partition, lane) in world.nowhere() {
        let filter = ScannerFilter::NOOP;
        let answer = world.trim_retention(partition, &lane, 0, CALLERS_NOW, 0, &filter).await;
        expect_refused!(answer, "validation.invalid_input", "{what}");
    }
    Ok(())
}
