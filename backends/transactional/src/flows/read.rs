//! Looking at flows and their dependencies.

use ff_core::contracts::{EdgeDirection, EdgeSnapshot, FlowSnapshot, FlowSummary, ListFlowsPage};
use ff_core::partition::PartitionKey;
use ff_core::types::{EdgeId, ExecutionId, FlowId};

use super::snapshot;
use crate::engine::Rule;
use crate::page::{Page, partition_of};
use crate::records::{Edge, EdgeGroup, Execution, Flow, FlowTags};
use crate::session::Session;
use crate::store::Tx;

/// FLW-011 to FLW-014.
pub(crate) async fn describe<T: Tx>(
    tx: &mut Session<T>,
    id: &FlowId,
) -> Rule<Option<FlowSnapshot>> {
    let asked = (Flow::at(id), FlowTags::at(id), EdgeGroup::KEY.of(id));
    let (Some(flow), tags, groups) = tx.get(asked).await? else {
        return Ok(None);
    };
    Ok(Some(FlowSnapshot::new(
        flow.id,
        flow.kind,
        flow.namespace,
        flow.public_flow_state,
        flow.graph_revision,
        flow.node_count,
        flow.edge_count,
        flow.created_at,
        flow.last_mutation_at,
        flow.cancelled_at,
        flow.cancel_reason,
        flow.cancellation_policy,
        tags.map(|found| found.tags).unwrap_or_default(),
        groups.iter().map(EdgeGroup::snapshot).collect(),
    )))
}

/// FLW-017 to FLW-020.
pub(crate) async fn list<T: Tx>(
    tx: &mut Session<T>,
    key: &PartitionKey,
    cursor: Option<&FlowId>,
    limit: usize,
) -> Rule<ListFlowsPage> {
    let partition = partition_of(key)?;
    let page = Page::of(limit);
    let listed = Flow::LISTED.of(&partition.index).after(cursor);
    let found = tx.get(listed.limit(page.wanted())).await?;
    let (flows, next) = page.cut(found);
    let summary = |flow: &Flow| FlowSummary::new(flow.id, flow.created_at, flow.status());
    Ok(ListFlowsPage::new(flows.iter().map(summary).collect(), next.map(|flow| flow.id)))
}

/// FLW-027.
pub(crate) async fn resolve_flow<T: Tx>(
    tx: &mut Session<T>,
    id: &ExecutionId,
) -> Rule<Option<FlowId>> {
    let found = tx.get(Execution::at(id)).await?;
    Ok(found.and_then(|execution| execution.flow))
}

/// GRA-020, GRA-021.
pub(crate) async fn describe_edge<T: Tx>(
    tx: &mut Session<T>,
    flow: &FlowId,
    id: &EdgeId,
) -> Rule<Option<EdgeSnapshot>> {
    Ok(tx.get(Edge::at(flow, id)).await?.as_ref().map(snapshot))
}

/// GRA-017.
pub(crate) async fn list_edges<T: Tx>(
    tx: &mut Session<T>,
    flow: &FlowId,
    direction: &EdgeDirection,
) -> Rule<Vec<EdgeSnapshot>> {
    let edges = match direction {
        EdgeDirection::Incoming { to_node } => Edge::IN.of(flow).and(to_node),
        EdgeDirection::Outgoing { from_node } => Edge::OUT.of(flow).and(from_node),
    };
    let edges = tx.get(edges).await?;
    Ok(edges.iter().map(snapshot).collect())
}
