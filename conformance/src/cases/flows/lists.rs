//! Listing flows.

use std::collections::BTreeSet;

use ff_core::contracts::{FlowStatus, FlowSummary};
use ff_core::engine_backend::EngineBackend;
use ff_core::partition::{Partition, PartitionFamily, PartitionKey};
use ff_core::types::FlowId;
use uuid::Uuid;

use crate::stage::{Failure, Verdict, World, case};

/// So many flows of one partition, in order, and one of another partition if there are several.
async fn created(world: &World, count: usize) -> Result<Vec<FlowId>, Failure> {
    let mut ids = BTreeSet::new();
    let other = world.partitions().num_flow_partitions.min(2) - 1;
    for _ in 0..count {
        let id = world.flow_id_in(0);
        world.create_flow(world.flow_args(id)).await?;
        ids.insert(id);
    }
    if other > 0 {
        let id = world.flow_id_in(other);
        world.create_flow(world.flow_args(id)).await?;
    }
    Ok(ids.into_iter().collect())
}

fn ids(flows: &[FlowSummary]) -> Vec<FlowId> {
    flows.iter().map(|flow| flow.flow_id).collect()
}

/// Pages of every size together are the whole list, in order.
#[case(FLW_018)]
async fn pages(world: World) -> Verdict {
    let expected = created(&world, 7).await?;
    let key = world.partition_key_of_flow(&expected[0]);
    for size in 1..=8 {
        let mut seen = Vec::new();
        let mut cursor = None;
        loop {
            let page = world.list_flows(key.clone(), cursor, size).await?;
            expect!(page.flows.len() <= size, "a page has at most {size}");
            seen.extend(ids(&page.flows));
            expect!(seen.len() <= expected.len(), "each flow is listed once: {seen:?}");
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
            expect_eq!(seen.last(), cursor.as_ref(), "the cursor is the last id");
        }
        expect_eq!(seen, expected, "pages of {size}");
    }
    Ok(())
}

/// A cursor need not be a flow; a page that ends with the list has none.
#[case(FLW_018)]
async fn cursor(world: World) -> Verdict {
    let flows = created(&world, 3).await?;
    let key = world.partition_key_of_flow(&flows[0]);
    let absent = world.flow_id_in(0);
    let expected: Vec<_> = flows.iter().filter(|id| **id > absent).copied().collect();
    let page = world.list_flows(key.clone(), Some(absent), 10).await?;
    expect_eq!(ids(&page.flows), expected, "strictly after");
    let page = world.list_flows(key.clone(), None, 3).await?;
    expect_eq!(page.next_cursor, None, "all three");
    let page = world.list_flows(key, Some(flows[2]), 3).await?;
    expect_eq!((page.flows, page.next_cursor), (Vec::new(), None), "the end");
    Ok(())
}

/// Flows are created before and behind the cursor, between any two pages.
#[case(FLW_034)]
async fn growing(world: World) -> Verdict {
    let expected = created(&world, 9).await?;
    let key = world.partition_key_of_flow(&expected[0]);
    for size in [1, 2, 4] {
        let (mut seen, mut cursor) = (Vec::new(), None);
        let mut new = (0..15).map(|_| world.flow_id_in(0));
        loop {
            let page = world.list_flows(key.clone(), cursor, size).await?;
            seen.extend(ids(&page.flows));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
            // Of several new ones some come before the cursor and some after it.
            for id in new.by_ref().take(3) {
                world.create_flow(world.flow_args(id)).await?;
            }
            expect!(seen.len() < 100, "a list comes to an end");
        }
        let distinct: BTreeSet<&FlowId> = seen.iter().collect();
        expect_eq!(distinct.len(), seen.len(), "pages of {size}: none twice");
        for id in &expected {
            expect!(distinct.contains(id), "pages of {size}: {id} is listed");
        }
    }
    Ok(())
}

/// Ids of flows, and the CRC-16/XMODEM of their bytes.
const CHECKSUMS: [(u128, u16); 5] = [
    (0, 0),
    (u128::MAX, 0x0041),
    (0x1111_1111_1111_4111_8111_1111_1111_1111, 0x76bf),
    (0x6ba7_b810_9dad_41d1_80b4_00c0_4fd4_30c8, 0x15c1),
    (0x0011_2233_4455_4677_8899_aabb_ccdd_eeff, 0x2b45),
];

/// Flows whose partitions were worked out by hand.
#[case(FLW_006)]
async fn partition(world: World) -> Verdict {
    let count = world.partitions().num_flow_partitions;
    for (id, checksum) in CHECKSUMS {
        let id = FlowId::from_uuid(Uuid::from_u128(id));
        world.create_flow(world.flow_args(id)).await?;
        let own = checksum % count;
        for index in [own, (own + 1) % count] {
            let family = PartitionFamily::Flow;
            let key = PartitionKey::from(&Partition { family, index });
            let listed = ids(&world.list_flows(key, None, 10).await?.flows);
            expect_eq!(listed.contains(&id), index == own, "{id} in {index}");
            let execution = world.execution_id_in(index);
            let execution = world.execution().id(&execution).create().await?;
            let joined = world.join(&id, &execution).await;
            expect_eq!(joined.is_ok(), index == own, "{execution} joins {id}");
        }
    }
    Ok(())
}

/// Open and cancelled flows, with members that have ended and without any.
#[case(FLW_017, FLW_019, needs(clock))]
async fn summaries(world: World) -> Verdict {
    let flows = created(&world, 3).await?;
    let created_at = world.now();
    world.advance_ms(20);
    let member = world.execution_for(&flows[0]).create().await?;
    world.join(&flows[0], &member).await?;
    world.complete(&world.worker().claim().await?, None).await?;
    world.close(&flows[1]).await?;
    let key = world.partition_key_of_flow(&flows[0]);
    let page = world.list_flows(key, None, 10).await?;
    let summary = |place: usize, status| FlowSummary::new(flows[place], created_at, status);
    expect_eq!(
        page.flows,
        vec![
            summary(0, FlowStatus::Active),
            summary(1, FlowStatus::Cancelled),
            summary(2, FlowStatus::Active),
        ]
    );
    Ok(())
}

/// Nothing for 0, at most 1 000 for more.
#[case(FLW_020)]
async fn limits(world: World) -> Verdict {
    let flows = created(&world, 1_001).await?;
    let key = world.partition_key_of_flow(&flows[0]);
    let page = world.list_flows(key.clone(), None, 0).await?;
    expect_eq!((page.flows, page.next_cursor), (Vec::new(), None), "none");
    for limit in [1_000, 1_001, 5_000] {
        let page = world.list_flows(key.clone(), None, limit).await?;
        expect_eq!(ids(&page.flows), flows[..1_000], "a page for {limit}");
        expect_eq!(page.next_cursor, Some(flows[999]), "there is one more");
    }
    Ok(())
}

/// Keys that are none, of other families, or not the cursor's.
#[case(FLW_020)]
async fn bad_keys(world: World) -> Verdict {
    let refused = "validation.invalid_input";
    for key in ["", "x", "{fp:x}", "{fp:0", "{b:0}", "{q:0}"] {
        for limit in [0, 10] {
            let answer = world.list_flows(PartitionKey::new(key), None, limit).await;
            expect_refused!(answer, refused, "{key:?} for {limit}");
        }
    }
    let flows = created(&world, 1).await?;
    let next = Partition { family: PartitionFamily::Flow, index: 1 };
    let answer = world.list_flows(PartitionKey::from(&next), Some(flows[0]), 10).await;
    expect_refused!(answer, refused, "a cursor of another partition");
    Ok(())
}
