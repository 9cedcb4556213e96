//! Listing leases that have run out.

use ff_core::backend::Namespace;
use ff_core::contracts::{
    ExpiredLeaseInfo, ExpiredLeasesCursor, ListExpiredLeasesArgs, ListExpiredLeasesResult,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::types::{AttemptIndex, ExecutionId, LeaseEpoch, TimestampMs, WorkerInstanceId};

use crate::stage::{ExecutionBuilder, Failure, Verdict, World, case, revocation};

impl World {
    /// A new execution that is held for so long.
    async fn held_for(
        &self,
        execution: ExecutionBuilder,
        ttl: u32,
    ) -> Result<ExecutionId, Failure> {
        let worker = self.worker().lane(execution.args().lane_id.as_str()).ttl(ttl);
        let id = execution.create().await?;
        worker.claim().await?;
        Ok(id)
    }

    /// All leases that have run out by now, page by page.
    async fn expired(&self, limit: u32) -> Result<Vec<ExpiredLeaseInfo>, Failure> {
        let mut args = ListExpiredLeasesArgs::new(self.in_ms(0));
        args.limit = Some(limit);
        let mut seen = Vec::new();
        loop {
            let page = self.list_expired_leases(args.clone()).await?;
            expect!(page.entries.len() <= limit as usize, "a page of {limit}: {page:?}");
            seen.extend(page.entries);
            let Some(next) = page.cursor else { break };
            let last = seen.last().map(|last| (last.expires_at_ms, &last.execution_id));
            let cursor = (next.expires_at_ms, &next.execution_id);
            expect_eq!(Some(cursor), last, "the cursor is the last");
            args.after = Some(next);
        }
        Ok(seen)
    }

    async fn expired_ids(&self) -> Result<Vec<ExecutionId>, Failure> {
        Ok(self.expired(100).await?.into_iter().map(|lease| lease.execution_id).collect())
    }
}

/// Marked or not; nothing that is live, revoked, given up, set aside, taken over or at its end.
#[case(LSE_033)]
async fn content(world: World) -> Verdict {
    let unmarked = world.execution().create().await?;
    world.worker().named("w", "w-1").ttl(50).claim().await?;
    let marked = world.held_for(world.execution(), 50).await?;
    world.held_for(world.execution(), 60_000).await?;
    let revoked = world.held_for(world.execution(), 50).await?;
    world.revoke_lease(revocation(&revoked)).await?;
    world.execution().create().await?;
    let completed = world.worker().ttl(50).claim().await?;
    world.complete(&completed, None).await?;
    world.execution().create().await?;
    let delayed = world.worker().ttl(50).claim().await?;
    world.delay(&delayed, world.in_ms(60_000)).await?;
    let reclaimed = world.held_for(world.execution(), 50).await?;
    let cancelled = world.held_for(world.execution(), 50).await?;
    world.cancel_execution(crate::stage::cancellation(&cancelled)).await?;
    world.pass_ms(50).await?;
    world.mark_lapsed(&marked).await?;
    world.mark_lapsed(&reclaimed).await?;
    world.issue_reclaim_grant(world.regranting(&reclaimed)).await?;
    world.reclaim_execution(world.reclaiming(&reclaimed)).await?;
    let before = world.observe(&unmarked).await?;
    let fence = world.fence_of(&unmarked).await?;
    let listed = world.expired(100).await?;
    let mut ids: Vec<_> = listed.iter().map(|lease| lease.execution_id.clone()).collect();
    ids.sort();
    let mut expected = vec![unmarked.clone(), marked];
    expected.sort();
    expect_eq!(ids, expected, "which have run out");
    let seen = listed.into_iter().find(|lease| lease.execution_id == unmarked);
    let until = world.field(&unmarked, "lease_expires_at").await?.unwrap_or_default();
    let until = TimestampMs(until.parse().unwrap_or_default());
    let instance = WorkerInstanceId::new("w-1");
    let expected = ExpiredLeaseInfo::new(
        unmarked.clone(),
        fence.lease_id,
        LeaseEpoch::new(1),
        instance,
        until,
        AttemptIndex::new(0),
    );
    expect_eq!(seen, Some(expected), "the entry of the unmarked lease");
    expect_eq!(world.observe(&unmarked).await?, before, "listing changes nothing");
    Ok(())
}

/// The first to run out first, whatever page.
#[case(LSE_034)]
async fn order(world: World) -> Verdict {
    let mut expected = Vec::new();
    for ttl in [90, 10, 50, 30, 70] {
        let id = world.held_for(world.execution(), ttl).await?;
        let until = world.field(&id, "lease_expires_at").await?.unwrap_or_default();
        expected.push((until.parse::<i64>().unwrap_or_default(), id));
    }
    expected.sort_by_key(|(until, id)| (*until, id.partition(), id.uuid()));
    world.pass_ms(90).await?;
    for limit in [1, 2, 4, 5, 6] {
        let listed = world.expired(limit).await?;
        let seen = listed.into_iter().map(|lease| (lease.expires_at_ms.0, lease.execution_id));
        expect_eq!(seen.collect::<Vec<_>>(), expected, "pages of {limit}");
    }
    let mut none = ListExpiredLeasesArgs::new(world.in_ms(0));
    none.limit = Some(0);
    let page = world.list_expired_leases(none).await?;
    expect_eq!(page, ListExpiredLeasesResult::new(Vec::new(), None), "a limit of 0");
    Ok(())
}

/// At one time by partition and id; hints, and numbers that say nothing.
#[case(LSE_035, needs(clock))]
async fn ties(world: World) -> Verdict {
    let count = world.partitions().num_flow_partitions;
    let mut expected = Vec::new();
    for index in [135, 2, 10, 2, 100, 10, 20].map(|index| index % count) {
        let id = world.execution_id_in(index);
        expected.push(world.held_for(world.execution().id(&id), 50).await?);
    }
    expected.sort_by_key(|id| (id.partition(), id.uuid()));
    world.pass_ms(50).await?;
    for limit in [1, 2, 3, 7, 10] {
        let listed = world.expired(limit).await?;
        let seen: Vec<_> = listed.into_iter().map(|lease| lease.execution_id).collect();
        expect_eq!(seen, expected, "pages of {limit}");
    }
    let mut args = ListExpiredLeasesArgs::new(world.in_ms(0));
    for hint in [1, 2, u32::MAX] {
        args.max_partitions_per_call = Some(hint);
        let page = world.list_expired_leases(args.clone()).await?;
        expect_eq!(page.entries.len(), expected.len(), "a hint of {hint} hides nothing");
    }
    args.max_partitions_per_call = Some(0);
    let refused = world.list_expired_leases(args.clone()).await;
    expect_refused!(refused, "validation.invalid_input", "no partitions");
    args.limit = Some(0);
    let refused = world.list_expired_leases(args).await;
    expect_refused!(refused, "validation.invalid_input", "no partitions, no entries");
    Ok(())
}

/// Of one namespace among others.
#[case(LSE_036)]
async fn namespaces(world: World) -> Verdict {
    let mut ours = Vec::new();
    for number in 0..6 {
        let namespace = if number % 3 == 0 { "ours" } else { "theirs" };
        let id = world.held_for(world.execution().namespace(namespace), 5).await?;
        world.pass_ms(1).await?;
        if namespace == "ours" {
            ours.push(id);
        }
    }
    world.pass_ms(5).await?;
    let mut args = ListExpiredLeasesArgs::new(world.in_ms(0));
    args.limit = Some(1);
    args.namespace = Some(Namespace::new("ours"));
    let mut seen = Vec::new();
    for place in 0..2 {
        let page = world.list_expired_leases(args.clone()).await?;
        expect_eq!(page.entries.len(), 1, "a full page: {page:?}");
        expect_eq!(page.cursor.is_some(), place == 0, "whether another follows");
        seen.extend(page.entries.into_iter().map(|lease| lease.execution_id));
        args.after = page.cursor;
    }
    expect_eq!(seen, ours, "its leases");
    args.namespace = Some(Namespace::new("nobody"));
    args.after = None;
    expect_eq!(world.list_expired_leases(args).await?.entries, [], "of another");
    expect_eq!(world.expired_ids().await?.len(), 6, "of all");
    Ok(())
}

/// A time to come lists what is live.
#[case(LSE_037)]
async fn as_of(world: World) -> Verdict {
    let id = world.held_for(world.execution(), 60_000).await?;
    let until = world.field(&id, "lease_expires_at").await?.unwrap_or_default();
    let until = until.parse::<i64>().unwrap_or_default();
    for (as_of, is_listed) in [(until - 1, false), (until, true), (until + 100_000, true)] {
        let args = ListExpiredLeasesArgs::new(TimestampMs(as_of));
        let listed = world.list_expired_leases(args).await?.entries;
        let ids: Vec<_> = listed.into_iter().map(|lease| lease.execution_id).collect();
        let expected = if is_listed { vec![id.clone()] } else { Vec::new() };
        expect_eq!(ids, expected, "by {as_of}, and it runs out at {until}");
    }
    let mut args = ListExpiredLeasesArgs::new(TimestampMs(until));
    args.after = Some(ExpiredLeasesCursor::new(TimestampMs(until), id));
    expect_eq!(world.list_expired_leases(args).await?.entries, [], "after itself");
    Ok(())
}
