//! The chapter of flows: members, dependencies, cancellation.

mod cancel;
mod graph;
mod groups;
mod members;
mod read;
mod tags;

pub(crate) use cancel::cancel;
pub(crate) use graph::{apply_dependency, stage_edge};
pub(crate) use groups::set_policy;
pub(crate) use members::{add_execution, create};
pub(crate) use read::{describe, describe_edge, list, list_edges, resolve_flow};
pub(crate) use tags::{get_tag, set_tag};

use ff_core::contracts::EdgeSnapshot;
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::types::{FlowId, TimestampMs};

use crate::engine::Rule;
use crate::record::{Edge, EdgeState, Flow};
use crate::store::{StoreError, Tx};

async fn known_flow<T: Tx>(tx: &mut T, id: &FlowId) -> Rule<Flow> {
    let found = tx.flow(id).await?;
    Ok(found.ok_or(EngineError::NotFound { entity: "flow" })?)
}

async fn open_flow<T: Tx>(tx: &mut T, id: &FlowId) -> Rule<Flow> {
    let flow = known_flow(tx, id).await?;
    refuse_closed(&flow)?;
    Ok(flow)
}

fn refuse_closed(flow: &Flow) -> Rule<()> {
    if flow.is_open() {
        return Ok(());
    }
    Err(EngineError::State(StateKind::FlowAlreadyTerminal).into())
}

/// The graph has grown by a member or an edge (GRA-001).
async fn grow<T: Tx>(tx: &mut T, flow: &mut Flow, now: TimestampMs) -> Result<(), StoreError> {
    flow.graph_revision += 1;
    flow.touch(now);
    tx.put_flow(flow).await
}

fn snapshot(edge: &Edge) -> EdgeSnapshot {
    let state = if edge.state == EdgeState::Staged {
        "pending"
    } else {
        "applied"
    };
    EdgeSnapshot::new(
        edge.id,
        edge.flow,
        edge.upstream.clone(),
        edge.downstream.clone(),
        edge.dependency_kind.clone(),
        "all_required".to_owned(),
        edge.data_passing_ref.clone(),
        state.to_owned(),
        edge.created_at,
        "engine".to_owned(),
    )
}
