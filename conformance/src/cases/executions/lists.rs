//! Listing executions and lanes.

use std::collections::BTreeSet;

use ff_core::backend::FailureClass;
use ff_core::call::Method;
use ff_core::engine_backend::EngineBackend;
use ff_core::types::{ExecutionId, LaneId};

use crate::play::Listing;
use crate::stage::{Failure, Verdict, World, case, declare};

declare!(|topic| EXECUTIONS.cases(topic));

static EXECUTIONS: Listing = Listing {
    method: Method::ListExecutions,
    order: &["EXE-033"],
    limits: &["EXE-034"],
    ceiling: &["EXE-049"],
    growth: &["EXE-044"],
    id: None,
    new: |world, partition| world.execution_id_in(partition).to_string(),
    add: |world, id| {
        Box::pin(async move {
            let id = ExecutionId::parse(&id).map_err(|error| Failure::new(error.to_string()))?;
            world.execution().id(&id).create().await.map(|_| ())
        })
    },
    bad_cursors: &[],
    is_of_partition: true,
};

declare!(|topic| LANES.cases(topic));

static LANES: Listing = Listing {
    method: Method::ListLanes,
    order: &["EXE-036"],
    limits: &["EXE-036"],
    ceiling: &["EXE-050"],
    growth: &["EXE-045"],
    id: None,
    new: |world, _| format!("lane {}", world.uuid()),
    add: |world, lane| {
        Box::pin(async move {
            // A lane of several executions, in several partitions, is listed once.
            for partition in [0, world.random().to_le_bytes()[0].into()] {
                let id = world.execution_id_in(partition % world.partitions().num_flow_partitions);
                world.execution().id(&id).lane(&lane).create().await?;
            }
            Ok(())
        })
    },
    bad_cursors: &["", "a\0", "\u{e9}", "a\n", TOO_LONG],
    is_of_partition: false,
};

/// A byte more than a lane's name may have.
const TOO_LONG: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

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
    let longest = LaneId::new("a".repeat(64));
    let page = world.list_lanes(Some(longest), 1).await?;
    expect_eq!(page.lanes, expected[3..4], "after the longest name there can be");
    Ok(())
}
