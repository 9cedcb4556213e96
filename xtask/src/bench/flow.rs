//! A flow is built, member by member and edge by edge, and cancelled.

use std::sync::Arc;
use std::time::Duration;

use ff_conformance::{HarnessError, plain_execution};
use ff_core::backend::{CancelFlowPolicy, CancelFlowWait};
use ff_core::contracts::{
    AddExecutionToFlowArgs, ApplyDependencyToChildArgs, CreateFlowArgs, StageDependencyEdgeArgs,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::partition::{PartitionConfig, flow_partition};
use ff_core::types::{EdgeId, ExecutionId, FlowId, LaneId, TimestampMs};
use uuid::Uuid;

use super::measure::{AsyncWorker, Row, Times, beside_limits, timed};
use crate::backends::Backend;

const MEMBERS: u64 = 100;

/// Builds and cancels flows, each member of which waits for the one before.
struct Builder(Arc<dyn EngineBackend>);

impl AsyncWorker for Builder {
    async fn work(&mut self, times: &mut Times) -> Result<(), HarnessError> {
        let backend = &self.0;
        let (flow_id, now) = (FlowId::new(), TimestampMs::now());
        let flow =
            CreateFlowArgs { flow_id, flow_kind: "dag".to_owned(), namespace: "bench".into(), now };
        timed(times, backend.create_flow(flow)).await?;
        let home = flow_partition(&flow_id, &PartitionConfig::default()).index;
        let mut members: Vec<ExecutionId> = Vec::new();
        for _ in 0..MEMBERS {
            let execution_id = ExecutionId::from_parts(home, Uuid::new_v4());
            let args = plain_execution(execution_id.clone(), LaneId::new("bench"));
            timed(times, backend.create_execution(args)).await?;
            members.push(execution_id.clone());
            let member = AddExecutionToFlowArgs { flow_id, execution_id, now };
            timed(times, backend.add_execution_to_flow(member)).await?;
        }
        for (revision, pair) in (MEMBERS..).zip(members.windows(2)) {
            let edge_id = EdgeId::new();
            let (upstream_execution_id, downstream_execution_id) =
                (pair[0].clone(), pair[1].clone());
            let edge = StageDependencyEdgeArgs {
                flow_id,
                edge_id,
                upstream_execution_id: upstream_execution_id.clone(),
                downstream_execution_id: downstream_execution_id.clone(),
                dependency_kind: "success_only".to_owned(),
                data_passing_ref: None,
                expected_graph_revision: revision,
                now,
            };
            timed(times, backend.stage_dependency_edge(edge)).await?;
            let edge = ApplyDependencyToChildArgs {
                flow_id,
                edge_id,
                upstream_execution_id,
                downstream_execution_id,
                dependency_kind: "success_only".to_owned(),
                data_passing_ref: None,
                graph_revision: revision + 1,
                now,
            };
            timed(times, backend.apply_dependency_to_child(edge)).await?;
        }
        let (all, wait) = (CancelFlowPolicy::CancelAll, CancelFlowWait::WaitIndefinite);
        timed(times, backend.cancel_flow(&flow_id, all, wait)).await?;
        Ok(())
    }
}

/// Over this many connections, each with flows of its own.
pub(super) async fn measure(
    backend: Backend,
    connections: &[usize],
    time: Duration,
    rows: &mut Vec<Row>,
) -> Result<(), HarnessError> {
    let worker = |instance, _| Builder(instance);
    beside_limits((backend, "flow"), connections, time, 1, worker, rows).await
}
