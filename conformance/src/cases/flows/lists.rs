//! Listing flows.

use std::collections::BTreeSet;

use ff_core::call::Method;
use ff_core::contracts::{FlowStatus, FlowSummary};
use ff_core::engine_backend::EngineBackend;
use ff_core::partition::{Partition, PartitionFamily, PartitionKey};
use ff_core::types::FlowId;
use uuid::Uuid;

use crate::play::Listing;
use crate::stage::{Failure, Verdict, World, case, declare};

declare!(|topic| FLOWS.cases(topic));

static FLOWS: Listing = Listing {
    method: Method::ListFlows,
    order: &["FLW-018"],
    limits: &["FLW-020"],
    ceiling: &["FLW-036"],
    growth: &["FLW-034"],
    id: Some("flow_id"),
    new: |world, partition| world.flow_id_in(partition).to_string(),
    add: |world, id| {
        Box::pin(async move {
            let id = FlowId::parse(&id).map_err(|error| Failure::new(error.to_string()))?;
            world.create_flow(world.flow_args(id)).await?;
            Ok(())
        })
    },
    bad_cursors: &[],
    is_of_partition: true,
};

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
#[case(FLW_017, FLW_019)]
async fn summaries(world: World) -> Verdict {
    let flows = created(&world, 3).await?;
    let created_at = world.now();
    world.pass_ms(20).await?;
    let member = world.execution_for(&flows[0]).create().await?;
    world.join(&flows[0], &member).await?;
    world.complete(&world.worker().claim().await?, None).await?;
    world.close(&flows[1]).await?;
    let key = world.partition_key_of_flow(&flows[0]);
    let page = world.list_flows(key, None, 10).await?;
    let summary = |place: usize, status| {
        let shown = page.flows.get(place).map_or(created_at, |flow| flow.created_at);
        FlowSummary::new(flows[place], world.snapped_to(shown, created_at), status)
    };
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
