//! Putting executions back where the indexes should have them.

use ff_core::backend::ScannerFilter;
use ff_core::contracts::ListExpiredLeasesArgs;
use ff_core::engine_backend::{EngineBackend, ReconcileCounts};
use ff_core::engine_error::EngineError;
use ff_core::partition::{Partition, PartitionFamily};
use ff_core::types::{ExecutionId, LaneId};

use super::retention::ALL;
use crate::stage::{FIRST, Failure, Graph, Verdict, World, cancellation, case};

impl World {
    /// Goes over the first partition.
    async fn reconciles(&self, filter: &ScannerFilter) -> Result<ReconcileCounts, EngineError> {
        let partition = Partition { family: PartitionFamily::Flow, index: FIRST };
        self.reconcile_execution_index(partition, &[], filter).await
    }

    /// What the lists know: what waits, is suspended and is held for too long.
    async fn listed(&self) -> Result<[Vec<ExecutionId>; 3], Failure> {
        let anywhere = self.execution_id_in(FIRST);
        let waiting = self.scans(&anywhere, ALL).await?;
        let suspended = self.list_suspended(self.partition_key_of(&anywhere), None, 100).await?;
        let suspended = suspended.entries.into_iter().map(|entry| entry.execution_id).collect();
        let held = self.list_expired_leases(ListExpiredLeasesArgs::new(self.in_ms(0))).await?;
        let held = held.entries.into_iter().map(|lease| lease.execution_id).collect();
        Ok([waiting, suspended, held])
    }

    /// Two that wait, of which the second has ended.
    async fn pair(&self, namespace: &str) -> Result<[ExecutionId; 2], Failure> {
        let one = || self.execution_in(FIRST).namespace(namespace).tag("app.key", namespace);
        let pair = [one().create().await?, one().create().await?];
        let cancel = self.cancel_execution(cancellation(&pair[1])).await;
        cancel.map_err(Failure::setup_refused)?;
        Ok(pair)
    }
}

/// What a call counts that finds so many out of place.
fn found(processed: u32) -> ReconcileCounts {
    ReconcileCounts { processed, errors: 0 }
}

/// Of executions in one state, each in the indexes of one in another.
#[case(SCH_020, needs(vandal))]
async fn states(world: World) -> Verdict {
    let one = || world.execution_in(FIRST);
    let held = one().create().await?;
    world.worker().ttl(50).claim().await?;
    let suspended = world.suspended_in(one()).await?;
    let begun = world.interrupted(one().priority(5)).await?;
    let ended = world.ended(one()).await?;
    let waiting = one().priority(9).requires(&["gpu"]).create().await?;
    let delayed = one().delay_until(world.in_ms(60_000)).create().await?;
    world.pass_ms(50).await?;
    let before = world.listed().await?;
    let expected =
        [vec![waiting.clone(), begun.clone()], vec![suspended.clone()], vec![held.clone()]];
    expect_eq!(before, expected, "what is listed at first");
    let mut displaced = world.exchange(&waiting, &ended).await?;
    displaced += world.exchange(&suspended, &held).await?;
    displaced += world.exchange(&begun, &delayed).await?;
    expect_eq!(world.reconciles(&ScannerFilter::NOOP).await?, found(displaced));
    expect_eq!(world.listed().await?, before, "what is listed in the end");
    for id in [&waiting, &begun] {
        let mut args = world.assigning();
        args.worker_capabilities.insert("gpu".to_owned());
        let kept = world.assigned(args).await?.map(|grant| grant.execution_id);
        expect_eq!(kept.as_ref(), Some(id), "the next that waits");
    }
    expect_eq!(world.assigns().await?, None, "nothing else waits");
    expect_eq!(world.trims(0, ALL).await?, 1, "nothing else has ended");
    expect_eq!(world.describe_execution(&ended).await?, None, "{ended} is removed");
    Ok(())
}

/// A member, exchanged with one of no flow.
#[case(SCH_020, needs(vandal))]
async fn members(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let member = graph.member().await?;
    let other = world.execution_in(member.partition()).create().await?;
    let displaced = world.exchange(&member, &other).await?;
    let home = world.partition_of(&member);
    let counts = world.reconcile_execution_index(home, &[], &ScannerFilter::NOOP).await?;
    expect_eq!(counts, found(displaced));
    expect_eq!(world.assigns().await?, Some(other), "on its lane");
    graph.claim(&member).await.map(drop)
}

/// The first and the last of more than a page takes, and some between.
#[case(SCH_020, needs(vandal))]
async fn many(world: World) -> Verdict {
    let mut ids: Vec<_> = (0..300).map(|_| world.execution_id_in(FIRST)).collect();
    ids.sort_by_key(ExecutionId::uuid);
    for (priority, id) in (0..).zip(&ids) {
        world.execution().id(id).priority(priority).create().await?;
    }
    ids.reverse();
    let mut displaced = 0;
    for (one, other) in [(0, 299), (100, 150), (127, 128)] {
        displaced += world.exchange(&ids[one], &ids[other]).await?;
    }
    expect_eq!(world.reconciles(&ScannerFilter::NOOP).await?, found(displaced));
    let seen = world.scans(&ids[0], ALL).await?;
    expect!(seen == ids, "{} in their order", seen.len());
    expect_eq!(world.reconciles(&ScannerFilter::NOOP).await?, found(0), "again");
    Ok(())
}

/// Where everything is in its place: one in each state.
#[case(SCH_021)]
async fn sound(world: World) -> Verdict {
    let mut ids = world.elsewhere_than_waiting().await?;
    ids.push(world.execution_in(FIRST).create().await?);
    ids.push(world.interrupted(world.execution_in(FIRST).priority(9)).await?);
    let mut before = Vec::new();
    for id in &ids {
        before.push(world.observe(id).await?);
    }
    expect_eq!(world.reconciles(&ScannerFilter::NOOP).await?, found(0));
    for (id, before) in ids.iter().zip(&before) {
        expect_eq!(&world.observe(id).await?, before, "what is shown of {id}");
    }
    Ok(())
}

/// Two that are not in their places, and one that does not decode.
#[case(SCH_021, needs(vandal))]
async fn counted(world: World) -> Verdict {
    let [waiting, ended] = world.pair("ours").await?;
    let damaged = world.execution_in(FIRST).lane("other").create().await?;
    let before = (world.observe(&waiting).await?, world.observe(&ended).await?);
    let processed = world.exchange(&waiting, &ended).await?;
    world.damage(&damaged).await?;
    for processed in [processed, 0] {
        let counts = world.reconciles(&ScannerFilter::NOOP).await?;
        expect_eq!(counts, ReconcileCounts { processed, errors: 1 });
    }
    let after = (world.observe(&waiting).await?, world.observe(&ended).await?);
    expect_eq!(after, before, "what is shown");
    Ok(())
}

/// By namespace, by tag, and whatever lanes are named.
#[case(SCH_022, needs(vandal))]
async fn filters(world: World) -> Verdict {
    let untagged = world.execution_in(FIRST).create().await?;
    let first = world.execution_in(FIRST).priority(9).create().await?;
    let mut displaced = world.exchange(&untagged, &first).await?;
    for namespace in ["ours", "theirs", "others"] {
        let [waiting, ended] = world.pair(namespace).await?;
        displaced = world.exchange(&waiting, &ended).await?;
    }
    let partition = world.partition_of(&world.execution_id_in(FIRST));
    let elsewhere = [LaneId::new("elsewhere")];
    for (filter, processed) in [
        (ScannerFilter::new().with_namespace("nobody"), 0),
        (ScannerFilter::new().with_instance_tag("app.key", "nothing"), 0),
        (ScannerFilter::new().with_namespace("ours").with_instance_tag("app.key", "theirs"), 0),
        (ScannerFilter::new().with_namespace("ours"), displaced),
        (ScannerFilter::new().with_instance_tag("app.key", "theirs"), displaced),
        (ScannerFilter::NOOP, 2 * displaced),
    ] {
        let counts = world.reconcile_execution_index(partition, &elsewhere, &filter).await?;
        expect_eq!(counts, found(processed), "by {filter:?}");
    }
    Ok(())
}

/// A partition that is none, or of others, and no lane.
#[case(SCH_023)]
async fn nowhere(world: World) -> Verdict {
    for (what, partition, lane) in world.nowhere() {
        let filter = ScannerFilter::NOOP;
        let answer = world.reconcile_execution_index(partition, &[lane], &filter).await;
        expect_refused!(answer, "validation.invalid_input", "{what}");
    }
    Ok(())
}
