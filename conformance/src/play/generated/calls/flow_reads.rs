//! Calls that only look at flows, and tags of flows.

use ff_core::call::{Call, Method};
use ff_core::contracts::EdgeDirection;
use ff_core::types::{EdgeId, ExecutionId, FlowId};
use ff_mock::Edge;
use proptest::prelude::*;
use proptest::sample::select;

use super::arguments::{any_execution, execution, tag, tag_key};
use super::flows::{any_flow, flow_that};
use super::offer::{Offer, offer};
use crate::play::generated::reference::Reference;

pub(super) const OFFERS: &[Offer] = &[
    offer(Method::DescribeFlow, 3, |reference| {
        let id = flow_that(reference, |_| true);
        id.prop_map(|id| Call::DescribeFlow { id }).boxed()
    }),
    offer(Method::ResolveExecutionFlowId, 1, |reference| {
        let id = execution(reference);
        id.prop_map(|execution_id| Call::ResolveExecutionFlowId { execution_id }).boxed()
    }),
    offer(Method::DescribeEdge, 2, describe_edge).when(|now| !now.has_edge, 10),
    offer(Method::ListEdges, 3, list_edges).when(|now| !now.has_edge, 10),
    offer(Method::SetFlowTag, 4, |reference| {
        (flow_that(reference, |_| true), tag())
            .prop_map(|(flow_id, (key, value))| Call::SetFlowTag { flow_id, key, value })
            .boxed()
    }),
    offer(Method::GetFlowTag, 2, |reference| {
        (flow_that(reference, |_| true), tag_key())
            .prop_map(|(flow_id, key)| Call::GetFlowTag { flow_id, key })
            .boxed()
    }),
];

/// An edge that there is, with its flow, or nearly.
fn edge(reference: &Reference) -> BoxedStrategy<(FlowId, EdgeId, ExecutionId)> {
    let known: Vec<Edge> = reference.snapshot.edges().cloned().collect();
    let any_edge = select(reference.universe.edges());
    let any = (any_flow(reference), any_edge, any_execution(reference));
    if known.is_empty() {
        return any.boxed();
    }
    let ends = |edge: Edge| (edge.flow, edge.id, edge.upstream);
    let upstream = select(known.clone()).prop_map(ends);
    let downstream = select(known).prop_map(|edge| (edge.flow, edge.id, edge.downstream));
    prop_oneof![3 => upstream, 3 => downstream, 1 => any].boxed()
}

fn describe_edge(reference: &Reference) -> BoxedStrategy<Call> {
    edge(reference)
        .prop_map(|(flow_id, edge_id, _)| Call::DescribeEdge { flow_id, edge_id })
        .boxed()
}

fn list_edges(reference: &Reference) -> BoxedStrategy<Call> {
    (edge(reference), any::<bool>())
        .prop_map(|((flow_id, _, node), leaving)| Call::ListEdges {
            flow_id,
            direction: if leaving {
                EdgeDirection::Outgoing { from_node: node }
            } else {
                EdgeDirection::Incoming { to_node: node }
            },
        })
        .boxed()
}
