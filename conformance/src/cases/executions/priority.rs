//! Changing the place of what waits.

use ff_core::contracts::{ChangePriorityArgs, ChangePriorityResult};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::types::{ExecutionId, LaneId};

use crate::stage::{CALLERS_NOW, Failure, Verdict, World, case};

impl World {
    fn reprioritising(&self, id: &ExecutionId, new_priority: i32) -> ChangePriorityArgs {
        ChangePriorityArgs {
            execution_id: id.clone(),
            lane_id: self.lane_of(id),
            new_priority,
            now: CALLERS_NOW,
        }
    }

    async fn reprioritise(
        &self,
        id: &ExecutionId,
        priority: i32,
    ) -> Result<ChangePriorityResult, EngineError> {
        self.change_priority(self.reprioritising(id, priority)).await
    }
}

/// Up, down, and among those of its new priority by age.
#[case(OPS_006)]
async fn place(world: World) -> Verdict {
    let mut ids = Vec::new();
    for priority in [5, 5, 5, 7, 7] {
        ids.push(world.execution().priority(priority).create().await?);
        world.pass_ms(1).await?;
    }
    for (place, priority) in [(1, 7), (3, 5), (4, 0), (0, 5)] {
        let id = &ids[place];
        let before = world.observe(id).await?;
        let changed = world.reprioritise(id, priority).await?;
        let expected = ChangePriorityResult::Changed { execution_id: id.clone() };
        expect_eq!(changed, expected, "the answer");
        let touched = ["priority", "last_mutation_at"];
        expect_eq!(
            world.observe(id).await?.without(&touched),
            before.without(&touched),
            "nothing else changes"
        );
        world.expect_fields(id, [("priority", priority.to_string())]).await?;
    }
    let expected: Vec<ExecutionId> = [1, 0, 2, 3, 4].map(|place| ids[place].clone()).into();
    expect_eq!(world.worker().drains().await?, expected, "the order");
    Ok(())
}

/// Unknown, delayed, held, and ended.
#[case(OPS_013)]
async fn refused(world: World) -> Verdict {
    let unknown = world.reprioritise(&world.execution_id(), 1).await;
    expect_refused!(unknown, "not_found.execution");
    let delayed = world.execution().delay_until(world.in_ms(60_000)).create().await?;
    let (active, _) = world.claimed().await?;
    let (over, handle) = world.claimed().await?;
    world.complete(&handle, None).await.map_err(Failure::setup_refused)?;
    for id in [&delayed, &active, &over] {
        let before = world.observe(id).await?;
        let answer = world.reprioritise(id, 1).await;
        expect_refused!(answer, "contention.execution_not_eligible", "{id}");
        expect_eq!(world.observe(id).await?, before, "what is shown of it");
    }
    Ok(())
}

/// Priorities out of range, lanes, and a grant.
#[case(OPS_007)]
async fn arguments(world: World) -> Verdict {
    let id = world.execution().create().await?;
    for (given, stored) in [(9_001, "9000"), (-1, "0"), (i32::MAX, "9000"), (4_000, "4000")] {
        world.reprioritise(&id, given).await?;
        world.expect_fields(&id, [("priority", stored)]).await?;
    }
    let on = |id: &ExecutionId, lane: &str| {
        let args = world.reprioritising(id, 1);
        world.change_priority(ChangePriorityArgs { lane_id: LaneId::new(lane), ..args })
    };
    let other = "contention.execution_not_in_eligible_set";
    expect_refused!(on(&id, "elsewhere").await, other, "another lane");
    let (active, _) = world.execution().lane("busy").claimed().await?;
    let first = on(&active, "elsewhere").await;
    expect_refused!(first, "contention.execution_not_eligible", "its state comes first");
    on(&id, "").await?;
    world.expect_fields(&id, [("priority", "1")]).await?;
    world.granted(&id).await?;
    world.reprioritise(&id, 7).await?;
    expect_eq!(world.worker().claims().await?, None, "it is still granted");
    world.redeem(world.redeeming(&id)).await?;
    Ok(())
}
