//! Deviants that break the clauses under "Groups".

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ff_core::call::{Call, Reply};
use ff_core::contracts::{EdgeDependencyPolicy, EdgeDirection, SetEdgeGroupPolicyResult};
use ff_core::engine_error::{ConflictKind, EngineError};

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::{Fault, answer, around, pause};
use crate::deviants::flows::described_by;

deviant!("policies-after-edges", DEP_001,
    "Says that it set a policy although an edge enters." => answer(|call, answer| {
    if let (Call::SetEdgeGroupPolicy { .. }, Err(EngineError::Conflict(_))) = (call, &answer) {
        *answer = Ok(Reply::SetEdgeGroupPolicy(SetEdgeGroupPolicyResult::Set));
    }
}));

request!("quorum-of-none", DEP_050, "Takes a quorum of 0 for one of 1.",
SetEdgeGroupPolicy { policy: EdgeDependencyPolicy::Quorum { k: k @ 0, .. }, .. } => *k = 1);

deviant!("any-edge-will-do", DEP_050,
    "Shows the edge with the largest id where the smallest is due." =>
    largest_edge());

around!(
    "policies-alike-by-kind",
    DEP_002,
    "Takes policies of one kind for the same.",
    |subject, call| {
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
        subject.ask(call).await
    }
);

around!(
    "policy-marks-the-member",
    DEP_002,
    "Leaves a mark on the member whose policy is set.",
    |subject, call| {
        let answer = subject.ask(call.clone()).await;
        if let (Call::SetEdgeGroupPolicy { downstream_execution_id, .. }, Ok(_)) = (&call, &answer)
        {
            subject.leave_trace(downstream_execution_id).await;
        }
        answer
    }
);

reply!("policy-always-set", DEP_002, "Never says that a policy was set already.",
    SetEdgeGroupPolicy(result) => *result = SetEdgeGroupPolicyResult::Set);

request!("small-quorums-only", DEP_003, "Makes a quorum of more than a hundred one of a hundred.",
SetEdgeGroupPolicy { policy, .. } => {
    if let EdgeDependencyPolicy::Quorum { k, .. } = policy && *k <= i32::MAX.unsigned_abs() {
        *k = (*k).min(100);
    }
});

deviant!("policy-looks-too-early", DEP_004,
    "Does not notice an edge that is staged while it sets a policy." =>
    policy_looks_too_early());

fn largest_edge() -> Fault {
    around(|subject, call| {
        Box::pin(async move {
            let answer = subject.ask(call.clone()).await;
            let Call::SetEdgeGroupPolicy { flow_id, downstream_execution_id: to_node, .. } = call
            else {
                return answer;
            };
            let edges = Call::ListEdges { flow_id, direction: EdgeDirection::Incoming { to_node } };
            match (answer, subject.ask(edges).await) {
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

fn policy_looks_too_early() -> Fault {
    let staged: Arc<AtomicUsize> = Arc::default();
    around(move |subject, call| {
        let staged = Arc::clone(&staged);
        Box::pin(async move {
            if matches!(call, Call::StageDependencyEdge { .. }) {
                staged.fetch_add(1, Ordering::SeqCst);
            }
            if !matches!(call, Call::SetEdgeGroupPolicy { .. }) {
                return subject.ask(call).await;
            }
            let before = staged.load(Ordering::SeqCst);
            pause().await;
            let answer = subject.ask(call).await;
            let conflict = matches!(answer, Err(EngineError::Conflict(_)));
            if conflict && staged.load(Ordering::SeqCst) > before {
                return Ok(Reply::SetEdgeGroupPolicy(SetEdgeGroupPolicyResult::Set));
            }
            answer
        })
    })
}
