//! A flow of many members is cancelled.

use std::sync::Arc;
use std::time::Instant;

use ff_conformance::{Harness, HarnessError, Nemesis, plain_execution};
use ff_core::backend::{CancelFlowPolicy, CancelFlowWait};
use ff_core::contracts::{AddExecutionToFlowArgs, CreateFlowArgs};
use ff_core::engine_backend::EngineBackend;
use ff_core::partition::{PartitionConfig, flow_partition};
use ff_core::state::PublicState;
use ff_core::types::{ExecutionId, FlowId, LaneId, TimestampMs};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use uuid::Uuid;

use super::{Cost, counted};

/// Calls at once while the flow is built and looked at.
const AT_ONCE: usize = 16;

pub(super) struct Measured {
    pub(super) cost: Cost,
    /// Members that have not ended after all.
    pub(super) alive: usize,
}

/// Builds a flow of this many members, and cancels all of them.
pub(super) async fn measure(
    harness: &dyn Harness,
    members: usize,
) -> Result<Measured, HarnessError> {
    let deployment = counted(harness).await?;
    let backend = deployment.backend();
    let flow = FlowId::new();
    let ids = build(backend, &flow, members).await?;
    let requests = || deployment.nemesis().map_or(0, Nemesis::requests);
    let (before, begun) = (requests(), Instant::now());
    backend.cancel_flow(&flow, CancelFlowPolicy::CancelAll, CancelFlowWait::WaitIndefinite).await?;
    let cost = Cost {
        time: begun.elapsed(),
        round_trips: harness.server_version().map(|_| requests() - before),
    };
    let alive = alive(backend, &ids).await?;
    Ok(Measured { cost, alive })
}

async fn build(
    backend: &Arc<dyn EngineBackend>,
    flow: &FlowId,
    members: usize,
) -> Result<Vec<ExecutionId>, HarnessError> {
    let now = TimestampMs::now();
    let args = CreateFlowArgs {
        flow_id: *flow,
        flow_kind: "dag".to_owned(),
        namespace: "bench".into(),
        now,
    };
    backend.create_flow(args).await?;
    let home = flow_partition(flow, &PartitionConfig::default()).index;
    let adding = stream::iter(0..members).map(|_| async move {
        let id = ExecutionId::from_parts(home, Uuid::new_v4());
        let args = plain_execution(id.clone(), LaneId::new("bench"));
        backend.create_execution(args).await?;
        let args = AddExecutionToFlowArgs { flow_id: *flow, execution_id: id.clone(), now };
        backend.add_execution_to_flow(args).await?;
        Ok(id)
    });
    adding.buffer_unordered(AT_ONCE).try_collect().await
}

async fn alive(
    backend: &Arc<dyn EngineBackend>,
    members: &[ExecutionId],
) -> Result<usize, HarnessError> {
    let looking = stream::iter(members).map(|id| backend.read_execution_state(id));
    let states: Vec<_> = looking.buffer_unordered(AT_ONCE).try_collect().await?;
    let ended = Some(PublicState::Cancelled);
    Ok(states.into_iter().filter(|state| *state != ended).count())
}

#[cfg(test)]
mod tests {
    use ff_provision::{Kind, Servers};

    use super::*;
    use crate::backends::{Backend, Time};

    /// Round trips may grow with the members, but no faster.
    async fn grows_linearly(kind: Kind) {
        let servers = Servers::default();
        let harness = Backend::on(kind).harness(&servers, Time::Turned).await.unwrap();
        let mut trips = Vec::new();
        for members in [100, 300] {
            let measured = measure(&*harness, members).await.unwrap();
            assert_eq!(measured.alive, 0);
            trips.push(measured.cost.round_trips.unwrap());
        }
        assert!(trips[0] > 0 && trips[1] <= 3 * trips[0], "{trips:?}");
        harness.finish().await.unwrap();
        servers.down().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn needs_valkey() {
        grows_linearly(Kind::Valkey).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn needs_postgres() {
        grows_linearly(Kind::Postgres).await;
    }
}
