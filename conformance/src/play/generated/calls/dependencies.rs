//! Calls that resolve dependencies, and look at what has come of it.

use ff_core::backend::CompletionPayload;
use ff_core::call::{Call, Method};
use ff_core::contracts::{EvaluateFlowEligibilityArgs, ResolveDependencyArgs};
use ff_core::partition::{Partition, PartitionFamily, flow_partition};
use ff_core::types::{AttemptIndex, EdgeId, ExecutionId, FlowId, LaneId};
use ff_mock::Edge;
use proptest::prelude::*;
use proptest::sample::select;

use super::arguments::{NUL, TOO_LATE, Ways, any_execution, execution, mostly, spoilt, too_long};
use super::flows::any_flow;
use super::offer::{Offer, offer, unresolved, untold};
use crate::play::generated::reference::Reference;
use crate::stage::CALLERS_NOW;

pub(super) const OFFERS: &[Offer] =
    &[
        offer(Method::ResolveDependency, 9, resolve).when(|now| !now.has_applied_edge, 10),
        offer(Method::CascadeCompletion, 9, cascade)
            .when(|now| !now.has_edge, 10)
            .when(|now| now.has_untold_end, 500),
        offer(Method::EvaluateFlowEligibility, 3, |reference| {
            let id = execution(reference);
            id.prop_map(|execution_id| Call::EvaluateFlowEligibility {
                args: EvaluateFlowEligibilityArgs { execution_id },
            })
            .boxed()
        }),
        offer(Method::DrainSiblingCancelGroup, 4, |reference| {
            group(reference)
                .prop_map(|(flow_partition, flow_id, downstream_eid)| {
                    Call::DrainSiblingCancelGroup { flow_partition, flow_id, downstream_eid }
                })
                .boxed()
        })
        .when(|now| !now.has_edge, 10),
        offer(Method::ReconcileSiblingCancelGroup, 4, |reference| {
            group(reference)
                .prop_map(|(flow_partition, flow_id, downstream_eid)| {
                    Call::ReconcileSiblingCancelGroup { flow_partition, flow_id, downstream_eid }
                })
                .boxed()
        })
        .when(|now| !now.has_edge, 10),
    ];

fn resolve(reference: &Reference) -> BoxedStrategy<Call> {
    let partitions = reference.universe.partitions;
    let known: Vec<Edge> = reference.snapshot.edges().cloned().collect();
    let waiting: Vec<Edge> = unresolved(reference).cloned().collect();
    let nothing = (any_flow(reference), any_execution(reference), any_execution(reference))
        .prop_map(|(flow, up, down)| (flow, EdgeId::from_uuid(uuid::Uuid::nil()), up, down));
    let named = |edge: Edge| (edge.flow, edge.id, edge.upstream, edge.downstream);
    let edge = if known.is_empty() {
        nothing.boxed()
    } else {
        let likely = if waiting.is_empty() { known.clone() } else { waiting };
        let edge = prop_oneof![5 => select(likely), 1 => select(known)];
        prop_oneof![12 => edge.prop_map(named), 1 => nothing].boxed()
    };
    let outcome = prop_oneof![
        5 => Just("success"),
        5 => select(vec!["failed", "cancelled", "expired", "skipped"]),
    ];
    let good = (edge, outcome).prop_map(move |((flow, edge, up, down), outcome)| {
        ResolveDependencyArgs::new(
            flow_partition(&flow, &partitions),
            flow,
            down,
            up,
            edge,
            LaneId::new("default"),
            AttemptIndex::new(0),
            outcome.to_owned(),
            CALLERS_NOW,
        )
    });
    let bad: Ways<ResolveDependencyArgs> = &[
        |args| args.upstream_outcome = "none".to_owned(),
        |args| args.upstream_outcome.clear(),
        |args| args.partition.family = PartitionFamily::Budget,
        |args| args.partition.index += 1,
        |args| args.now = TOO_LATE,
        |args| args.upstream_execution_id = args.downstream_execution_id.clone(),
    ];
    spoilt(good, 10, bad).prop_map(|args| Call::ResolveDependency { args }).boxed()
}

fn cascade(reference: &Reference) -> BoxedStrategy<Call> {
    let untold: Vec<ExecutionId> = untold(reference).map(|ended| ended.id.clone()).collect();
    let flows: Vec<(ExecutionId, Option<FlowId>)> =
        reference.snapshot.executions().map(|known| (known.id.clone(), known.flow)).collect();
    let likely = mostly(reference, untold).prop_map(move |id| {
        let known = flows.iter().find(|(known, _)| *known == id);
        let flow = known.and_then(|(_, flow)| *flow);
        (id, flow)
    });
    let strange = (any_execution(reference), any_flow(reference));
    let strange = strange.prop_map(|(id, flow)| (id, Some(flow)));
    let outcome = select(vec!["success", "failed", "nonsense"]);
    let good =
        (prop_oneof![9 => likely, 1 => strange], outcome).prop_map(|((id, flow), outcome)| {
            let completion = CompletionPayload::new(id, outcome, None, CALLERS_NOW);
            match flow {
                Some(flow) => completion.with_flow_id(flow),
                None => completion,
            }
        });
    let bad: Ways<CompletionPayload> = &[
        |completion| completion.outcome = NUL.to_owned(),
        |completion| completion.payload_bytes = Some(too_long().into_bytes()),
        |completion| completion.produced_at_ms = TOO_LATE,
    ];
    spoilt(good, 8, bad).prop_map(|payload| Call::CascadeCompletion { payload }).boxed()
}

/// Mostly a group that there is, sometimes with a partition that is not its flow's.
fn group(reference: &Reference) -> BoxedStrategy<(Partition, FlowId, ExecutionId)> {
    let partitions = reference.universe.partitions;
    let edges = reference.snapshot.edges();
    let known: Vec<_> = edges.map(|edge| (edge.flow, edge.downstream.clone())).collect();
    let any = (any_flow(reference), any_execution(reference));
    let named = if known.is_empty() {
        any.boxed()
    } else {
        prop_oneof![9 => select(known), 1 => any].boxed()
    };
    let good = named.prop_map(move |(flow, member)| {
        let home = flow_partition(&flow, &partitions);
        (home, flow, member)
    });
    let bad: Ways<(Partition, FlowId, ExecutionId)> = &[
        |(partition, ..)| partition.family = PartitionFamily::Quota,
        |(partition, ..)| partition.index += 1,
    ];
    spoilt(good, 8, bad)
}
