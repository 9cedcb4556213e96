//! The chapter of flows: members, dependencies, cancellation.

mod apply;
mod cancel;
mod cascade;
mod describe;
mod edges;
mod eligibility;
mod groups;
mod headers;
mod interrupt;
mod lists;
mod members;
mod resolve;
mod siblings;
mod stage;
mod state;
mod summaries;
mod tags;

pub(crate) use apply::apply_dependency;
pub(crate) use cancel::cancel;
pub(crate) use cascade::cascade;
pub(crate) use describe::describe;
pub(crate) use edges::{describe_edge, list_edges};
pub(crate) use eligibility::evaluate_eligibility;
pub(crate) use groups::{is_satisfied, reopen, set_policy};
pub(crate) use headers::cancel_header;
pub(crate) use interrupt::{interrupt, tell_revoked};
pub(crate) use lists::list;
pub(crate) use members::{add_execution, create, resolve_flow};
pub(crate) use resolve::resolve;
pub(crate) use siblings::{drain, forget_cancellation, has_backlog, reconcile};
pub(crate) use stage::stage_edge;
pub(crate) use summaries::project;
pub(crate) use tags::{get_tag, set_tag};

use ff_core::contracts::EdgeSnapshot;
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::types::{ExecutionId, FlowId, TimestampMs};

use crate::engine::Rule;
use crate::records::{Edge, EdgeState, Execution, Flow};
use crate::session::Session;
use crate::store::{StoreError, Tx};

async fn known_flow<T: Tx>(tx: &mut Session<T>, id: &FlowId) -> Rule<Flow> {
    let flow = tx.lock(Flow::at(id)).await?;
    found(flow)
}

fn found(flow: Option<Flow>) -> Rule<Flow> {
    Ok(flow.ok_or(EngineError::NotFound { entity: "flow" })?)
}

/// Locks the flow of an execution, if it has one, as a rule must that changes both: flows come first.
/// What is read of the execution afterwards is for [`still_of`] to confirm.
pub(crate) async fn lock_flow_of<T: Tx>(
    tx: &mut Session<T>,
    id: &ExecutionId,
) -> Rule<Option<FlowId>> {
    let seen = tx.get(Execution::at(id)).await?;
    let flow = seen.and_then(|execution| execution.flow);
    if let Some(flow) = flow {
        tx.lock(Flow::at(&flow)).await?;
    }
    Ok(flow)
}

/// Whether an execution is of the flow that was locked before it, and has joined none meanwhile.
pub(crate) fn still_of(execution: &Execution, flow: Option<FlowId>) -> Result<(), StoreError> {
    if execution.flow == flow {
        return Ok(());
    }
    Err(StoreError::Conflict)
}

async fn open_flow<T: Tx>(tx: &mut Session<T>, id: &FlowId) -> Rule<Flow> {
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
fn grow<T: Tx>(tx: &mut Session<T>, flow: &mut Flow, now: TimestampMs) {
    flow.graph_revision += 1;
    flow.touch(now);
    tx.put(flow);
}

fn snapshot(edge: &Edge) -> EdgeSnapshot {
    let state = if edge.state == EdgeState::Staged { "pending" } else { "applied" };
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
