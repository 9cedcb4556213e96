//! Flows and their members.

use ff_core::contracts::{
    AddExecutionToFlowArgs, AddExecutionToFlowResult, CreateFlowArgs, CreateFlowResult,
};
use ff_core::engine_error::{ConflictKind, EngineError};
use ff_core::partition::{PartitionConfig, flow_partition};
use ff_core::types::{ExecutionId, FlowId};

use super::{grow, open_flow};
use crate::engine::Rule;
use crate::executions::existing;
use crate::records::{Execution, Flow};
use crate::session::Session;
use crate::store::Tx;

/// Creates a flow, or recognises one (FLW-010).
pub(crate) async fn create<T: Tx>(
    tx: &mut Session<T>,
    partitions: &PartitionConfig,
    args: &CreateFlowArgs,
) -> Rule<CreateFlowResult> {
    let flow_id = args.flow_id;
    if tx.get(Flow::at(&flow_id)).await?.is_some() {
        return Ok(CreateFlowResult::AlreadySatisfied { flow_id });
    }
    let now = tx.now().await?;
    let flow = Flow {
        id: flow_id,
        partition: flow_partition(&flow_id, partitions).index,
        kind: args.flow_kind.clone(),
        namespace: args.namespace.clone(),
        public_flow_state: Flow::OPEN.to_owned(),
        graph_revision: 0,
        node_count: 0,
        edge_count: 0,
        created_at: now,
        last_mutation_at: now,
        cancelled_at: None,
        cancel_reason: None,
        cancellation_policy: None,
        projection: None,
    };
    tx.put(&flow);
    Ok(CreateFlowResult::Created { flow_id })
}

/// Makes an execution a member (FLW-021 to FLW-024, FLW-037).
pub(crate) async fn add_execution<T: Tx>(
    tx: &mut Session<T>,
    args: &AddExecutionToFlowArgs,
) -> Rule<AddExecutionToFlowResult> {
    let mut flow = open_flow(tx, &args.flow_id).await?;
    let mut execution = existing(tx, &args.execution_id).await?;
    let execution_id = execution.id.clone();
    if execution.flow == Some(flow.id) {
        return Ok(AddExecutionToFlowResult::AlreadyMember {
            execution_id,
            node_count: flow.node_count,
        });
    }
    if execution.flow.is_some() {
        return Err(EngineError::Conflict(ConflictKind::ExecutionAlreadyInFlow).into());
    }
    let now = tx.now().await?;
    execution.flow = Some(flow.id);
    execution.touch(now);
    tx.put(&execution);
    flow.node_count += 1;
    grow(tx, &mut flow, now);
    Ok(AddExecutionToFlowResult::Added { execution_id, new_node_count: flow.node_count })
}

/// FLW-027.
pub(crate) async fn resolve_flow<T: Tx>(
    tx: &mut Session<T>,
    id: &ExecutionId,
) -> Rule<Option<FlowId>> {
    let found = tx.get(Execution::at(id)).await?;
    Ok(found.and_then(|execution| execution.flow))
}
