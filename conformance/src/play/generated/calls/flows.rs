//! Calls that build flows and cancel them.

use std::time::Duration;

use ff_core::backend::{CancelFlowPolicy, CancelFlowWait, Namespace};
use ff_core::call::{Call, Method};
use ff_core::contracts::{
    AddExecutionToFlowArgs, ApplyDependencyToChildArgs, CancelFlowArgs, CreateFlowArgs,
    EdgeDependencyPolicy, OnSatisfied, StageDependencyEdgeArgs,
};
use ff_core::partition::{Partition, PartitionFamily, flow_partition};
use ff_core::types::{EdgeId, ExecutionId, FlowId, TimestampMs};
use ff_mock::{Edge, EdgeState, Flow};
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::arguments::{NUL, TOO_LARGE, TOO_LATE, Ways, any_execution, mostly, spoilt, too_long};
use super::offer::{Offer, offer};
use crate::play::generated::reference::Reference;
use crate::stage::CALLERS_NOW;

pub(super) const OFFERS: &[Offer] = &[
    offer(Method::CreateFlow, 4, create_flow)
        .when(|now| !now.has_open_flow, 600)
        .when(|_| true, 30),
    offer(Method::AddExecutionToFlow, 13, add_execution)
        .when(|now| !(now.known && now.has_flow), 10)
        .when(|now| now.has_open_flow && !now.has_pair, 300),
    offer(Method::StageDependencyEdge, 26, stage)
        .when(|now| !now.has_pair, 5)
        .when(|now| !now.has_edge, 250),
    offer(Method::ApplyDependencyToChild, 10, apply)
        .when(|now| !now.has_edge, 10)
        .when(|now| now.has_staged_edge, 250),
    offer(Method::SetEdgeGroupPolicy, 6, set_policy)
        .when(|now| !(now.known && now.has_open_flow), 10),
    offer(Method::CancelFlow, 2, cancel).when(|now| now.has_staged_edge, 250),
    offer(Method::CancelFlowHeader, 2, cancel_header),
    offer(Method::AckCancelMember, 2, acknowledge),
    offer(Method::ProjectFlowSummary, 3, project),
];

pub(super) fn any_flow(reference: &Reference) -> BoxedStrategy<FlowId> {
    select(reference.universe.flows()).boxed()
}

/// Mostly one of the flows to which this applies, if there are any.
pub(super) fn flow_that(
    reference: &Reference,
    applies: impl Fn(&Flow) -> bool,
) -> BoxedStrategy<FlowId> {
    let likely = reference.snapshot.flows().filter(|flow| applies(flow));
    let likely: Vec<FlowId> = likely.map(|flow| flow.id).collect();
    if likely.is_empty() {
        return any_flow(reference);
    }
    prop_oneof![9 => select(likely), 1 => any_flow(reference)].boxed()
}

fn create_flow(reference: &Reference) -> BoxedStrategy<Call> {
    let known = reference.snapshot.flows().count();
    let all = reference.universe.flows();
    let next = Just(all[known.min(all.len() - 1)]);
    let good = (prop_oneof![3 => next, 1 => select(all)], select(vec!["dag", "list"])).prop_map(
        |(flow_id, kind)| CreateFlowArgs {
            flow_id,
            flow_kind: kind.to_owned(),
            namespace: Namespace::new("tenant"),
            now: CALLERS_NOW,
        },
    );
    let bad: Ways<CreateFlowArgs> = &[
        |args| args.flow_kind.clear(),
        |args| args.flow_kind = too_long(),
        |args| args.namespace = Namespace::new(""),
        |args| args.namespace = Namespace::new(NUL),
        |args| args.now = TOO_LATE,
    ];
    spoilt(good, 6, bad).prop_map(|args| Call::CreateFlow { args }).boxed()
}

/// Mostly an execution in the flow's partition, known or not.
fn candidate(reference: &Reference, flow: FlowId) -> BoxedStrategy<ExecutionId> {
    let home = flow_partition(&flow, &reference.universe.partitions).index;
    let known = reference.alive().map(|known| known.id.clone());
    let near = |ids: Vec<ExecutionId>| {
        let near = ids.into_iter().filter(|id| id.partition() == home);
        mostly(reference, near.collect())
    };
    let any = near(reference.universe.executions());
    prop_oneof![4 => near(known.collect()), 1 => any].boxed()
}

fn add_execution(reference: &Reference) -> BoxedStrategy<Call> {
    let reference = reference.clone();
    let good = flow_that(&reference, Flow::is_open)
        .prop_flat_map(move |flow_id| (Just(flow_id), candidate(&reference, flow_id)))
        .prop_map(|(flow_id, execution_id)| AddExecutionToFlowArgs {
            flow_id,
            execution_id,
            now: CALLERS_NOW,
        });
    spoilt(good, 20, &[|args| args.now = TOO_LATE])
        .prop_map(|args| Call::AddExecutionToFlow { args })
        .boxed()
}

fn stage(reference: &Reference) -> BoxedStrategy<Call> {
    let flows: Vec<Flow> = reference.snapshot.flows().cloned().collect();
    let reference = reference.clone();
    flow_that(&reference, |flow| flow.is_open() && flow.node_count > 1)
        .prop_flat_map(move |id| {
            let revision = flows.iter().find(|flow| flow.id == id);
            let revision = revision.map_or(0, |flow| flow.graph_revision);
            staged(&reference, id, revision)
        })
        .prop_map(|args| Call::StageDependencyEdge { args })
        .boxed()
}

fn members(reference: &Reference, flow: FlowId) -> Vec<ExecutionId> {
    let executions = reference.snapshot.executions();
    let members = executions.filter(|execution| execution.flow == Some(flow));
    members.map(|execution| execution.id.clone()).collect()
}

fn set_policy(reference: &Reference) -> BoxedStrategy<Call> {
    let reference = reference.clone();
    let both = [OnSatisfied::CancelRemaining, OnSatisfied::LetRun];
    let on_satisfied = select(both.to_vec());
    let policy = prop_oneof![
        Just(EdgeDependencyPolicy::all_of()),
        on_satisfied.clone().prop_map(EdgeDependencyPolicy::any_of),
        (select(vec![1, 2, 3, 0, u32::MAX]), on_satisfied)
            .prop_map(|(k, on_satisfied)| EdgeDependencyPolicy::quorum(k, on_satisfied)),
    ];
    let open = flow_that(&reference, Flow::is_open);
    let member = prop_oneof![5 => open, 1 => any_flow(&reference)].prop_flat_map(move |flow| {
        let likely = members(&reference, flow);
        (Just(flow), mostly(&reference, likely))
    });
    (member, policy)
        .prop_map(|((flow_id, downstream_execution_id), policy)| Call::SetEdgeGroupPolicy {
            flow_id,
            downstream_execution_id,
            policy,
        })
        .boxed()
}

/// Mostly a new edge between two members at the present revision.
fn staged(
    reference: &Reference,
    flow_id: FlowId,
    revision: u64,
) -> BoxedStrategy<StageDependencyEdgeArgs> {
    let members = members(reference, flow_id);
    let any = mostly(reference, members.clone());
    let any = (any.clone(), any);
    let ends = if members.len() < 2 {
        any.boxed()
    } else {
        let two = subsequence(members, 2).prop_shuffle();
        let two = two.prop_map(|two| (two[0].clone(), two[1].clone()));
        prop_oneof![6 => two, 1 => any].boxed()
    };
    let good = (
        edge_id(reference),
        ends,
        select(vec!["success_only", "any"]),
        weighted(0.3, select(vec!["ref", ""])),
        prop_oneof![8 => Just(revision), 1 => Just(revision + 1), 1 => Just(revision.max(1) - 1)],
    )
        .prop_map(move |(edge_id, ends, kind, data, revision)| StageDependencyEdgeArgs {
            flow_id,
            edge_id,
            upstream_execution_id: ends.0,
            downstream_execution_id: ends.1,
            dependency_kind: kind.to_owned(),
            data_passing_ref: data.map(str::to_owned),
            expected_graph_revision: revision,
            now: CALLERS_NOW,
        });
    let bad: Ways<StageDependencyEdgeArgs> = &[
        |args| args.dependency_kind.clear(),
        |args| args.dependency_kind = NUL.to_owned(),
        |args| args.data_passing_ref = Some(too_long()),
        |args| args.expected_graph_revision = TOO_LARGE,
        |args| args.now = TOO_LATE,
        |args| args.upstream_execution_id = args.downstream_execution_id.clone(),
    ];
    spoilt(good, 12, bad)
}

/// Mostly the next edge that there is not yet.
fn edge_id(reference: &Reference) -> BoxedStrategy<EdgeId> {
    let all = reference.universe.edges();
    let known: Vec<EdgeId> = reference.snapshot.edges().map(|edge| edge.id).collect();
    let next = Just(all[known.len().min(all.len() - 1)]);
    if known.is_empty() {
        return next.boxed();
    }
    prop_oneof![2 => next, 1 => select(known)].boxed()
}

fn apply(reference: &Reference) -> BoxedStrategy<Call> {
    let known: Vec<Edge> = reference.snapshot.edges().cloned().collect();
    let nothing = (any_flow(reference), any_execution(reference), any_execution(reference))
        .prop_map(|(flow_id, up, down)| ApplyDependencyToChildArgs {
            flow_id,
            edge_id: EdgeId::from_uuid(uuid::Uuid::nil()),
            upstream_execution_id: up,
            downstream_execution_id: down,
            dependency_kind: "success_only".to_owned(),
            data_passing_ref: None,
            graph_revision: 1,
            now: CALLERS_NOW,
        });
    let args = if known.is_empty() {
        nothing.boxed()
    } else {
        let waiting = known.iter().filter(|edge| edge.state == EdgeState::Staged);
        let waiting: Vec<Edge> = waiting.cloned().collect();
        let likely = if waiting.is_empty() { known.clone() } else { waiting };
        let edge = prop_oneof![2 => select(likely), 1 => select(known)];
        let staged = edge.prop_map(|edge| ApplyDependencyToChildArgs {
            flow_id: edge.flow,
            edge_id: edge.id,
            upstream_execution_id: edge.upstream,
            downstream_execution_id: edge.downstream,
            dependency_kind: edge.dependency_kind,
            data_passing_ref: edge.data_passing_ref,
            graph_revision: 1,
            now: CALLERS_NOW,
        });
        prop_oneof![12 => staged, 1 => nothing].boxed()
    };
    let bad: Ways<ApplyDependencyToChildArgs> = &[
        |args| args.dependency_kind = "other".to_owned(),
        |args| args.data_passing_ref = Some("elsewhere".to_owned()),
        |args| args.upstream_execution_id = args.downstream_execution_id.clone(),
        |args| args.graph_revision = TOO_LARGE,
        |args| args.now = TOO_LATE,
    ];
    spoilt(args, 6, bad).prop_map(|args| Call::ApplyDependencyToChild { args }).boxed()
}

fn cancel(reference: &Reference) -> BoxedStrategy<Call> {
    let policies = vec![
        CancelFlowPolicy::CancelAll,
        CancelFlowPolicy::CancelPending,
        CancelFlowPolicy::FlowOnly,
    ];
    // Whoever waits longer waits for calls that are never made.
    let waits = vec![CancelFlowWait::NoWait, CancelFlowWait::WaitTimeout(Duration::ZERO)];
    (flow_that(reference, |_| true), select(policies), select(waits))
        .prop_map(|(id, policy, wait)| Call::CancelFlow { id, policy, wait })
        .boxed()
}

fn cancel_header(reference: &Reference) -> BoxedStrategy<Call> {
    let policies = vec!["cancel_all", "cancel_pending", "flow_only"];
    let good = (flow_that(reference, |_| true), select(policies), select(vec!["", "late"]))
        .prop_map(|(flow_id, policy, reason)| CancelFlowArgs {
            flow_id,
            cancellation_policy: policy.to_owned(),
            reason: reason.to_owned(),
            now: CALLERS_NOW,
        });
    let bad: Ways<CancelFlowArgs> = &[
        |args| args.cancellation_policy = "cancel_flow_only".to_owned(),
        |args| args.reason = too_long(),
        |args| args.reason = NUL.to_owned(),
        |args| args.now = TOO_LATE,
    ];
    spoilt(good, 10, bad).prop_map(|args| Call::CancelFlowHeader { args }).boxed()
}

fn acknowledge(reference: &Reference) -> BoxedStrategy<Call> {
    let reference = reference.clone();
    flow_that(&reference, |flow| !flow.is_open())
        .prop_flat_map(move |flow| {
            let likely = members(&reference, flow);
            (Just(flow), mostly(&reference, likely))
        })
        .prop_map(|(flow_id, execution_id)| Call::AckCancelMember { flow_id, execution_id })
        .boxed()
}

fn project(reference: &Reference) -> BoxedStrategy<Call> {
    let partitions = reference.universe.partitions;
    let good = flow_that(reference, |flow| flow.node_count > 0)
        .prop_map(move |flow_id| (flow_partition(&flow_id, &partitions), flow_id, CALLERS_NOW));
    let bad: Ways<(Partition, FlowId, TimestampMs)> = &[
        |(partition, ..)| partition.family = PartitionFamily::Quota,
        |(partition, ..)| partition.index += 1,
        |(.., now)| *now = TOO_LATE,
    ];
    spoilt(good, 8, bad)
        .prop_map(|(partition, flow_id, now_ms)| Call::ProjectFlowSummary {
            partition,
            flow_id,
            now_ms,
        })
        .boxed()
}
