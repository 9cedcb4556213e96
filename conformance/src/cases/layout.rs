//! What no call shows: that a deployment keeps its number of partitions.

use std::sync::Arc;

use ff_core::backend::{CapabilitySet, ClaimPolicy};
use ff_core::engine_backend::EngineBackend;
use ff_core::partition::{Partition, PartitionConfig, PartitionFamily, PartitionKey};
use ff_core::types::{ExecutionId, LaneId};
use uuid::Uuid;

use crate::stage::{Verdict, plain_execution};

/// Opens one deployment several times. An instance that counts its partitions otherwise than the first is
/// refused by `prepare` and by calls without it, and changes nothing; the others go on.
pub async fn check_layout<B: EngineBackend>(
    open: impl AsyncFn(PartitionConfig) -> Arc<B>,
) -> Verdict {
    let layout = PartitionConfig::default();
    let first = open(layout).await;
    first.prepare().await?;
    let id = |partition| ExecutionId::from_parts(partition, Uuid::new_v4());
    let known = id(200);
    let execution = |id| plain_execution(id, LaneId::new("lane"));
    first.create_execution(execution(known.clone())).await?;

    let (mut flow, mut budget, mut quota) = (layout, layout, layout);
    flow.num_flow_partitions = 128;
    budget.num_budget_partitions += 1;
    quota.num_quota_partitions += 1;
    for other in [flow, budget, quota] {
        let refused = "validation.invalid_input";
        let later = open(other).await;
        later.ping().await?;
        let new = id(7);
        let created = later.create_execution(execution(new.clone())).await;
        expect_refused!(created, refused, "{other:?}");
        let policy = ClaimPolicy::new("worker".into(), "worker-1".into(), 30_000, None);
        let claimed = later.claim(&LaneId::new("lane"), &CapabilitySet::default(), policy).await;
        expect_refused!(claimed, refused, "{other:?}");
        let listed = later.list_executions(at(7), None, 10).await;
        expect_refused!(listed, refused, "{other:?}");
        expect_refused!(later.prepare().await, refused, "{other:?}");
        let seen = first.describe_execution(&new).await?;
        expect!(seen.is_none(), "a refused creation leaves nothing");
    }
    let again = open(layout).await;
    let seen = again.describe_execution(&known).await?;
    expect!(seen.is_some(), "an instance with the same number sees it");
    again.prepare().await?;
    Ok(())
}

fn at(index: u16) -> PartitionKey {
    PartitionKey::from(&Partition { family: PartitionFamily::Flow, index })
}
