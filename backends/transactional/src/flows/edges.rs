//! Looking at dependencies.

use ff_core::contracts::{EdgeDirection, EdgeSnapshot};
use ff_core::types::{EdgeId, FlowId};

use super::snapshot;
use crate::engine::Rule;
use crate::records::Edge;
use crate::session::Session;
use crate::store::Tx;

/// GRA-020, GRA-021, GRA-027.
pub(crate) async fn describe_edge<T: Tx>(
    tx: &mut Session<T>,
    flow: &FlowId,
    id: &EdgeId,
) -> Rule<Option<EdgeSnapshot>> {
    Ok(tx.get(Edge::at(flow, id)).await?.as_ref().map(snapshot))
}

/// GRA-017, GRA-029.
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
