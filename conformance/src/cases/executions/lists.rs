//! Listing executions and lanes.

use std::collections::BTreeSet;

use ff_core::backend::FailureClass;
use ff_core::engine_backend::EngineBackend;
use ff_core::partition::{Partition, PartitionFamily, PartitionKey};
use ff_core::types::{ExecutionId, LaneId};
use futures_util::future::join_all;

use crate::stage::{Failure, Verdict, World, case};

async fn created(world: &World, count: usize) -> Result<BTreeSet<ExecutionId>, Failure> {
    let mut ids = BTreeSet::new();
    for _ in 0..count {
        ids.insert(world.execution().create().await?);
    }
    Ok(ids)
}

/// Pages of every size together are the whole list, in order.
#[case(EXE_033)]
async fn pages(world: World) -> Verdict {
    let ids = created(&world, 7).await?;
    let expected: Vec<_> = ids.iter().cloned().collect();
    let key = world.partition_key_of(&expected[0]);
    for size in 1..=8 {
        let mut seen = Vec::new();
        let mut cursor = None;
        loop {
            let page = world.list_executions(key.clone(), cursor, size).await?;
            expect!(page.executions.len() <= size, "a page has at most {size}");
            seen.extend(page.executions);
            expect!(seen.len() <= expected.len(), "each id is listed once: {seen:?}");
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

/// A cursor need not be an execution.
#[case(EXE_033)]
async fn cursor(world: World) -> Verdict {
    let ids: Vec<_> = created(&world, 3).await?.into_iter().collect();
    let key = world.partition_key_of(&ids[0]);
    let absent = world.execution_id_in(ids[0].partition());
    let expected: Vec<_> = ids.iter().filter(|id| **id > absent).cloned().collect();
    let page = world.list_executions(key, Some(absent), 10).await?;
    expect_eq!(page.executions, expected, "strictly after");
    Ok(())
}

/// A page that ends with the list has no cursor.
#[case(EXE_033)]
async fn full_page(world: World) -> Verdict {
    let ids: Vec<_> = created(&world, 3).await?.into_iter().collect();
    let key = world.partition_key_of(&ids[0]);
    let page = world.list_executions(key.clone(), None, 3).await?;
    expect_eq!((page.executions.len(), page.next_cursor), (3, None), "all three");
    let page = world.list_executions(key, Some(ids[2].clone()), 3).await?;
    expect_eq!((page.executions.len(), page.next_cursor), (0, None), "after the last");
    Ok(())
}

/// Nothing for 0, at most 1 000 for more.
#[case(EXE_034)]
async fn limits(world: World) -> Verdict {
    let ids = created(&world, 1_001).await?;
    let key = world.partition_key_of(ids.first().ok_or_else(|| Failure::new("there are ids"))?);
    let none = world.list_executions(key.clone(), None, 0).await?;
    expect_eq!((none.executions.len(), none.next_cursor), (0, None), "a limit of 0");
    let most = world.list_executions(key, None, 1 << 40).await?;
    expect_eq!(most.executions.len(), 1_000, "the longest page");
    expect_eq!(most.next_cursor.as_ref(), most.executions.last(), "another follows");
    Ok(())
}

/// Keys that are none, of other families, or not the cursor's.
#[case(EXE_034)]
async fn bad_keys(world: World) -> Verdict {
    let refused = "validation.invalid_input";
    for text in ["", "fp:0", "{fp:0", "{fp:}", "{fp:-1}", "{fp:00}", "{zz:0}", "{b:0}", "{q:0}"] {
        let answer = world.list_executions(PartitionKey::new(text), None, 10).await;
        expect_refused!(answer, refused, "key {text:?}");
    }
    let id = world.execution().create().await?;
    let other = Partition { family: PartitionFamily::Flow, index: id.partition() + 1 };
    let answer = world.list_executions(PartitionKey::from(&other), Some(id), 10).await;
    expect_refused!(answer, refused, "a cursor of another partition");
    Ok(())
}

/// Ended executions are listed like any other, other partitions' are not.
#[case(EXE_035)]
async fn every_state(world: World) -> Verdict {
    let (completed, handle) = world.claimed().await?;
    world.complete(&handle, None).await?;
    let (failed, handle) = world.claimed().await?;
    world.fail_with(&handle, FailureClass::Permanent).await?;
    let (active, _) = world.claimed().await?;
    let waiting = world.execution().create().await?;
    let expected: BTreeSet<_> = [completed, failed, active, waiting.clone()].into();
    if world.partitions().num_flow_partitions > 1 {
        let elsewhere = (waiting.partition() + 1) % world.partitions().num_flow_partitions;
        let elsewhere = world.execution_id_in(elsewhere);
        world.execution().id(&elsewhere).create().await?;
    }
    let page = world.list_executions(world.partition_key_of(&waiting), None, 100).await?;
    expect_eq!(page.executions, expected.into_iter().collect::<Vec<_>>(), "the whole partition");
    Ok(())
}

/// Lanes in order, in pages.
#[case(EXE_036)]
async fn lanes(world: World) -> Verdict {
    for lane in ["b", "a", "B", "a a", "~"] {
        world.execution().lane(lane).create().await?;
    }
    let expected: Vec<LaneId> = ["B", "a", "a a", "b", "~"].map(LaneId::new).into();
    let all = world.list_lanes(None, 10).await?;
    expect_eq!((all.lanes, all.next_cursor), (expected.clone(), None), "in byte order");
    let page = world.list_lanes(None, 2).await?;
    expect_eq!(page.lanes, expected[..2], "the first page");
    expect_eq!(page.next_cursor.as_ref(), Some(&expected[1]), "its cursor");
    let page = world.list_lanes(page.next_cursor, 3).await?;
    expect_eq!((page.lanes, page.next_cursor), (expected[2..].to_vec(), None), "the last page");
    let absent = world.list_lanes(Some(LaneId::new("a0")), 1).await?;
    expect_eq!(absent.lanes, expected[3..4], "after a cursor that is no lane");
    let none = world.list_lanes(None, 0).await?;
    expect_eq!((none.lanes.len(), none.next_cursor), (0, None), "a limit of 0");
    Ok(())
}

/// Cursors that no lane can have as its name.
#[case(EXE_036)]
async fn lane_cursors(world: World) -> Verdict {
    world.execution().lane("a").create().await?;
    for limit in [0, 10] {
        for cursor in ["", "a\0", "\u{e9}", "a\n", &"a".repeat(65)] {
            let listed = world.list_lanes(Some(LaneId::new(cursor)), limit).await;
            expect_refused!(listed, "validation.invalid_input", "after {cursor:?}");
        }
        world.list_lanes(Some(LaneId::new("a".repeat(64))), limit).await?;
    }
    Ok(())
}

/// More lanes than a page has, in all partitions, some in several.
#[case(EXE_036)]
async fn many_lanes(world: World) -> Verdict {
    let names: Vec<String> = (0..1_010).map(|number| format!("lane {number:04}")).collect();
    let partitions = world.partitions().num_flow_partitions;
    for (some, partition) in names.chunks(32).zip(0..) {
        let creations = some.iter().chain(&names[..1]).zip(partition..);
        let creations = creations.map(|(lane, partition): (_, u16)| {
            let id = world.execution_id_in(partition % partitions);
            world.execution().id(&id).lane(lane).create()
        });
        for creation in join_all(creations).await {
            creation?;
        }
    }
    let expected: Vec<LaneId> = names.into_iter().map(LaneId::new).collect();
    let page = world.list_lanes(None, 5_000).await?;
    expect!(page.lanes == expected[..1_000], "the first thousand");
    expect_eq!(page.next_cursor.as_ref(), Some(&expected[999]), "its cursor");
    let page = world.list_lanes(page.next_cursor, 5_000).await?;
    expect_eq!((page.lanes, page.next_cursor), (expected[1_000..].to_vec(), None), "the rest");
    let page = world.list_lanes(None, 300).await?;
    expect!(page.lanes == expected[..300], "the first three hundred");
    expect_eq!(page.next_cursor.as_ref(), Some(&expected[299]), "its cursor");
    Ok(())
}
