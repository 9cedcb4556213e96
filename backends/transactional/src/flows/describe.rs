//! Describing flows.

use ff_core::contracts::FlowSnapshot;
use ff_core::types::FlowId;

use crate::engine::Rule;
use crate::records::{EdgeGroup, Flow, FlowTags};
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
