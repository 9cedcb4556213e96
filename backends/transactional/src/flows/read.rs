//! Looking at flows and their dependencies.

use ff_core::contracts::{EdgeDirection, EdgeSnapshot, FlowSnapshot, FlowSummary, ListFlowsPage};
use ff_core::partition::PartitionKey;
use ff_core::types::{EdgeId, ExecutionId, FlowId};

use super::snapshot;
use crate::engine::Rule;
use crate::page::{Page, partition_of};
use crate::record::{EdgeGroup, Flow};
use crate::store::Tx;

/// FLW-011 to FLW-014.
pub(crate) async fn describe<T: Tx>(tx: &mut T, id: &FlowId) -> Rule<Option<FlowSnapshot>> {
    let Some(flow) = tx.flow(id).await? else {
        return Ok(None);
    };
    let tags = tx.flow_tags(id).await?;
    let groups = tx.groups(id).await?;
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
        tags,
        groups.iter().map(EdgeGroup::snapshot).collect(),
    )))
}

/// FLW-017 to FLW-020.
pub(crate) async fn list<T: Tx>(
    tx: &mut T,
    key: &PartitionKey,
    cursor: Option<&FlowId>,
    limit: usize,
) -> Rule<ListFlowsPage> {
    let partition = partition_of(key)?;
    let page = Page::of(limit);
    let found = tx
        .flows_after(partition.index, cursor, page.wanted())
        .await?;
    let (flows, next) = page.cut(found);
    let summary = |flow: &Flow| FlowSummary::new(flow.id, flow.created_at, flow.status());
    Ok(ListFlowsPage::new(
        flows.iter().map(summary).collect(),
        next.map(|flow| flow.id),
    ))
}

/// FLW-027.
pub(crate) async fn resolve_flow<T: Tx>(tx: &mut T, id: &ExecutionId) -> Rule<Option<FlowId>> {
    Ok(tx.execution(id).await?.and_then(|execution| execution.flow))
}

/// GRA-020, GRA-021.
pub(crate) async fn describe_edge<T: Tx>(
    tx: &mut T,
    flow: &FlowId,
    id: &EdgeId,
) -> Rule<Option<EdgeSnapshot>> {
    Ok(tx.edge(flow, id).await?.as_ref().map(snapshot))
}

/// GRA-017.
pub(crate) async fn list_edges<T: Tx>(
    tx: &mut T,
    flow: &FlowId,
    direction: &EdgeDirection,
) -> Rule<Vec<EdgeSnapshot>> {
    let (subject, mut edges) = match direction {
        EdgeDirection::Incoming { to_node } => (to_node, tx.edges_to(flow, to_node).await?),
        EdgeDirection::Outgoing { from_node } => (from_node, tx.edges_from(flow, from_node).await?),
    };
    // A store may look for the id without its partition.
    edges.retain(|edge| edge.upstream == *subject || edge.downstream == *subject);
    Ok(edges.iter().map(snapshot).collect())
}
