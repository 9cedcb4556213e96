//! Deviants that look at flows, tag them, or group their edges wrongly.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ff_core::call::{Call, Reply};
use ff_core::contracts::{
    EdgeDependencyPolicy, EdgeDirection, FlowSnapshot, FlowStatus, SetEdgeGroupPolicyResult,
};
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::{ConflictKind, EngineError, StateKind};
use ff_core::partition::PartitionConfig;
use ff_core::types::FlowId;

use super::tampering::{Subject, Tampering, answer, around, call, pause};
use super::{Deviant, deviant};

pub(super) const DEVIANTS: &[Deviant] = &[
    deviant!(
        "namespaces-in-lower-case",
        "FLW-011",
        "Shows a flow's namespace in lower case.",
        described(|flow| flow.namespace.0.make_ascii_lowercase())
    ),
    deviant!(
        "unknown-flow-is-an-error",
        "FLW-011",
        "Refuses to describe a flow that is not there.",
        around(|subject, call| Box::pin(async move {
            let answer = subject.model.dispatch(call).await;
            if let Ok(Reply::DescribeFlow(None)) = answer {
                return Err(EngineError::NotFound { entity: "flow" });
            }
            answer
        }))
    ),
    deviant!(
        "edges-count-as-members",
        "FLW-011",
        "Counts edges among the members.",
        described(|flow| flow.node_count += flow.edge_count)
    ),
    deviant!(
        "invents-a-reason",
        "FLW-012",
        "Gives a reason for every cancellation.",
        described(|flow| {
            if flow.cancelled_at.is_some() {
                flow.cancel_reason = Some("flow_cancelled".to_owned());
            }
        })
    ),
    deviant!(
        "groups-of-applied-edges",
        "FLW-013",
        "Shows no group before an edge of it is applied.",
        described(|flow| flow.edge_groups.retain(|group| group.total_deps > 0))
    ),
    deviant!(
        "groups-the-other-way",
        "FLW-013",
        "Shows groups in descending order.",
        described(|flow| flow.edge_groups.reverse())
    ),
    deviant!(
        "flow-never-modified",
        "FLW-014",
        "Shows the time of creation as that of the last modification.",
        described(|flow| flow.last_mutation_at = flow.created_at)
    ),
    deviant!(
        "flow-always-active",
        "FLW-017",
        "Lists cancelled flows as active.",
        answer(|_, answer| {
            if let Ok(Reply::ListFlows(page)) = answer {
                for flow in &mut page.flows {
                    flow.status = FlowStatus::Active;
                }
            }
        })
    ),
    deviant!(
        "flows-always-more",
        "FLW-018",
        "Gives a cursor with every page.",
        answer(|_, answer| {
            if let Ok(Reply::ListFlows(page)) = answer {
                page.next_cursor = page.flows.last().map(|flow| flow.flow_id);
            }
        })
    ),
    deviant!(
        "gaps-between-pages",
        "FLW-018",
        "Leaves out the last flow of a page that another follows.",
        answer(|_, answer| {
            if let Ok(Reply::ListFlows(page)) = answer
                && page.next_cursor.is_some()
            {
                page.flows.pop();
            }
        })
    ),
    deviant!(
        "cancelled-flows-unlisted",
        "FLW-019",
        "Lists open flows only.",
        answer(|_, answer| {
            if let Ok(Reply::ListFlows(page)) = answer {
                page.flows.retain(|flow| flow.status == FlowStatus::Active);
            }
        })
    ),
    deviant!(
        "no-limit-of-flows",
        "FLW-020",
        "Takes a limit of 0 for none.",
        call(|call| {
            if let Call::ListFlows { limit, .. } = call
                && *limit == 0
            {
                *limit = 1_000;
            }
        })
    ),
    deviant!(
        "cursor-from-anywhere",
        "FLW-020",
        "Ignores a cursor that is of another partition.",
        call(|call| {
            if let Call::ListFlows { cursor, partition, .. } = call
                && !lives_in(cursor.as_ref(), partition.as_str())
            {
                *cursor = None;
            }
        })
    ),
    deviant!(
        "flow-forgotten-at-the-end",
        "FLW-027",
        "Does not say of which flow an ended execution was.",
        around(|subject, call| Box::pin(async move {
            if let Call::ResolveExecutionFlowId { execution_id } = &call
                && subject.field(execution_id, "completed_at").await.is_some()
            {
                return Ok(Reply::ResolveExecutionFlowId(None));
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "flow-keys-mended",
        "FLW-028",
        "Takes keys of flows' tags in any case.",
        call(|call| {
            if let Call::SetFlowTag { key, .. } | Call::GetFlowTag { key, .. } = call {
                key.make_ascii_lowercase();
            }
        })
    ),
    deviant!(
        "closed-flows-untagged",
        "FLW-029",
        "Refuses tags on a cancelled flow.",
        around(|subject, call| Box::pin(async move {
            if let Call::SetFlowTag { flow_id, .. } = &call
                && described_by(subject, flow_id)
                    .await
                    .is_some_and(|flow| flow.cancelled_at.is_some())
            {
                return Err(EngineError::State(StateKind::FlowAlreadyTerminal));
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "tags-for-no-flow",
        "FLW-029",
        "Says that it has tagged a flow that is not there.",
        answer(|call, answer| {
            if let (Call::SetFlowTag { .. }, Err(EngineError::NotFound { .. })) = (call, &answer) {
                *answer = Ok(Reply::SetFlowTag(()));
            }
        })
    ),
    deviant!(
        "flow-tag-again",
        "FLW-029",
        "Refuses a tag that is set already.",
        around(|subject, call| Box::pin(async move {
            if let Call::SetFlowTag { flow_id, key, value } = &call
                && described_by(subject, flow_id)
                    .await
                    .is_some_and(|flow| flow.tags.get(key) == Some(value))
            {
                return Err(EngineError::invalid_input("nothing new"));
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "flows-described-without-tags",
        "FLW-030",
        "Leaves tags out where a flow is described.",
        described(|flow| flow.tags.clear())
    ),
    deviant!(
        "flow-tags-emptied",
        "FLW-030",
        "Empties the tags that are set while it sets another.",
        flow_tags_emptied()
    ),
    deviant!(
        "one-end-for-both",
        "GRA-017",
        "Lists the edges that leave, whichever were asked for.",
        call(|call| {
            if let Call::ListEdges { direction, .. } = call {
                let from_node = direction.subject().clone();
                *direction = EdgeDirection::Outgoing { from_node };
            }
        })
    ),
    deviant!(
        "strangers-refused",
        "GRA-017",
        "Refuses to list the edges of an execution that is no member.",
        around(|subject, call| Box::pin(async move {
            if let Call::ListEdges { flow_id, direction } = &call
                && subject.field(direction.subject(), "flow_id").await != Some(flow_id.to_string())
            {
                return Err(EngineError::State(StateKind::ExecutionNotInFlow));
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "edges-in-descending-order",
        "GRA-017",
        "Lists the edges with the largest ids first.",
        answer(|_, answer| {
            if let Ok(Reply::ListEdges(edges)) = answer {
                edges.reverse();
            }
        })
    ),
    deviant!(
        "applied-edges-vanish",
        "GRA-020",
        "Does not know an edge any more once it is applied.",
        answer(|_, answer| {
            if let Ok(Reply::DescribeEdge(edge)) = answer {
                *edge = edge.take().filter(|edge| edge.edge_state == "pending");
            }
        })
    ),
    deviant!(
        "unknown-edge-is-an-error",
        "GRA-020",
        "Refuses to describe an edge that is not there.",
        around(|subject, call| Box::pin(async move {
            let answer = subject.model.dispatch(call).await;
            if let Ok(Reply::DescribeEdge(None)) = answer {
                return Err(EngineError::NotFound { entity: "edge" });
            }
            answer
        }))
    ),
    deviant!(
        "edges-go-with-the-flow",
        "GRA-020",
        "Does not know the edges of a cancelled flow.",
        around(|subject, call| Box::pin(async move {
            if let Call::DescribeEdge { flow_id, .. } = &call
                && described_by(subject, flow_id)
                    .await
                    .is_some_and(|flow| flow.cancelled_at.is_some())
            {
                return Ok(Reply::DescribeEdge(None));
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "edges-always-pending",
        "GRA-021",
        "Shows applied edges as pending.",
        answer(|_, answer| match answer {
            Ok(Reply::DescribeEdge(Some(edge))) => edge.edge_state = "pending".to_owned(),
            Ok(Reply::ListEdges(edges)) => {
                for edge in edges {
                    edge.edge_state = "pending".to_owned();
                }
            }
            _ => {}
        })
    ),
    deviant!(
        "quorum-of-none",
        "DEP-001",
        "Takes a quorum of 0 for one of 1.",
        call(|call| {
            if let Call::SetEdgeGroupPolicy { policy, .. } = call
                && let EdgeDependencyPolicy::Quorum { k: k @ 0, .. } = policy
            {
                *k = 1;
            }
        })
    ),
    deviant!(
        "any-edge-will-do",
        "DEP-001",
        "Shows the edge with the largest id where the smallest is due.",
        largest_edge()
    ),
    deviant!(
        "policies-alike-by-kind",
        "DEP-002",
        "Takes policies of one kind for the same.",
        around(|subject, call| Box::pin(async move {
            if let Call::SetEdgeGroupPolicy { flow_id, downstream_execution_id, policy } = &call
                && let Some(flow) = described_by(subject, flow_id).await
                && flow.edge_groups.iter().any(|group| {
                    group.downstream_execution_id == *downstream_execution_id
                        && group.policy.variant_str() == policy.variant_str()
                        && group.total_deps == 0
                })
                && flow.edge_count == 0
            {
                let same = SetEdgeGroupPolicyResult::AlreadySet;
                return Ok(Reply::SetEdgeGroupPolicy(same));
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "policy-marks-the-member",
        "DEP-002",
        "Leaves a mark on the member whose policy is set.",
        around(|subject, call| Box::pin(async move {
            let answer = subject.model.dispatch(call.clone()).await;
            if let (Call::SetEdgeGroupPolicy { downstream_execution_id, .. }, Ok(_)) =
                (&call, &answer)
            {
                subject.leave_trace(downstream_execution_id).await;
            }
            answer
        }))
    ),
    deviant!(
        "policy-always-set",
        "DEP-002",
        "Never says that a policy was set already.",
        answer(|_, answer| {
            if let Ok(Reply::SetEdgeGroupPolicy(result)) = answer {
                *result = SetEdgeGroupPolicyResult::Set;
            }
        })
    ),
    deviant!(
        "small-quorums-only",
        "DEP-003",
        "Makes a quorum of more than a hundred one of a hundred.",
        call(|call| {
            if let Call::SetEdgeGroupPolicy { policy, .. } = call
                && let EdgeDependencyPolicy::Quorum { k, .. } = policy
                && *k <= i32::MAX.unsigned_abs()
            {
                *k = (*k).min(100);
            }
        })
    ),
    deviant!(
        "policy-looks-too-early",
        "DEP-004",
        "Does not notice an edge that is staged while it sets a policy.",
        policy_looks_too_early()
    ),
];

/// Changes how flows are described.
fn described(change: fn(&mut FlowSnapshot)) -> Tampering {
    answer(move |_, answer| {
        if let Ok(Reply::DescribeFlow(Some(flow))) = answer {
            change(flow);
        }
    })
}

pub(super) async fn described_by(subject: &Subject, id: &FlowId) -> Option<FlowSnapshot> {
    match subject.model.dispatch(Call::DescribeFlow { id: *id }).await {
        Ok(Reply::DescribeFlow(flow)) => flow,
        _ => None,
    }
}

/// Whether the flow, if there is one, is in the partition of this key.
fn lives_in(flow: Option<&FlowId>, key: &str) -> bool {
    flow.is_none_or(|flow| {
        let home = ff_core::partition::flow_partition(flow, &PartitionConfig::default());
        key == home.hash_tag()
    })
}

fn flow_tags_emptied() -> Tampering {
    around(|subject, call| {
        Box::pin(async move {
            let Call::SetFlowTag { flow_id, key, .. } = &call else {
                return subject.model.dispatch(call).await;
            };
            let tags = async || described_by(subject, flow_id).await.map(|flow| flow.tags);
            let before = tags().await.unwrap_or_default();
            pause().await;
            let answer = subject.model.dispatch(call.clone()).await;
            let after = tags().await.unwrap_or_default();
            let meanwhile = |other: &String| other != key && !before.contains_key(other);
            for key in after.into_keys().filter(meanwhile) {
                let call = Call::SetFlowTag { flow_id: *flow_id, key, value: String::new() };
                subject.model.dispatch(call).await?;
            }
            answer
        })
    })
}

fn largest_edge() -> Tampering {
    around(|subject, call| {
        Box::pin(async move {
            let answer = subject.model.dispatch(call.clone()).await;
            let Call::SetEdgeGroupPolicy { flow_id, downstream_execution_id: to_node, .. } = call
            else {
                return answer;
            };
            let edges = Call::ListEdges { flow_id, direction: EdgeDirection::Incoming { to_node } };
            match (answer, subject.model.dispatch(edges).await) {
                (
                    Err(EngineError::Conflict(ConflictKind::DependencyAlreadyExists { .. })),
                    Ok(Reply::ListEdges(mut edges)),
                ) if !edges.is_empty() => {
                    let existing = edges.remove(edges.len() - 1);
                    let conflict = ConflictKind::DependencyAlreadyExists { existing };
                    Err(EngineError::Conflict(conflict))
                }
                (answer, _) => answer,
            }
        })
    })
}

fn policy_looks_too_early() -> Tampering {
    let staged: Arc<AtomicUsize> = Arc::default();
    around(move |subject, call| {
        let staged = Arc::clone(&staged);
        Box::pin(async move {
            if matches!(call, Call::StageDependencyEdge { .. }) {
                staged.fetch_add(1, Ordering::SeqCst);
            }
            if !matches!(call, Call::SetEdgeGroupPolicy { .. }) {
                return subject.model.dispatch(call).await;
            }
            let before = staged.load(Ordering::SeqCst);
            pause().await;
            let answer = subject.model.dispatch(call).await;
            let conflict = matches!(answer, Err(EngineError::Conflict(_)));
            if conflict && staged.load(Ordering::SeqCst) > before {
                return Ok(Reply::SetEdgeGroupPolicy(SetEdgeGroupPolicyResult::Set));
            }
            answer
        })
    })
}
