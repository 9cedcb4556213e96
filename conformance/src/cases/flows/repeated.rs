//! Calls about flows, made again and again.

use ff_core::backend::CancelFlowPolicy;
use ff_core::call::Method;
use ff_core::contracts::{EdgeDependencyPolicy, OnSatisfied};

use crate::written::cast::{cancel_flow, tag_flow};
use crate::written::{Cast, Line, Repetition, call, pass};

pub(super) const REPETITIONS: &[Repetition] = &[
    Repetition {
        method: Method::CreateFlow,
        clauses: &["FLW-009", "FLW-010"],
        before: |_| Vec::new(),
        call: |cast| cast.create_flow(1),
        answers: &[
            (1, "created.flow_id=f1"),
            (9, "already_satisfied.flow_id=f1"),
        ],
    },
    Repetition {
        method: Method::AddExecutionToFlow,
        clauses: &["FLW-022", "FLW-023", "FLW-025"],
        before: |cast| {
            vec![
                cast.created(1),
                call(cast.create_flow(1), "created.flow_id=f1"),
            ]
        },
        call: |cast| cast.join(1, 1),
        answers: &[
            (1, "added.execution_id=e1 added.new_node_count=1"),
            (
                9,
                "already_member.execution_id=e1 already_member.node_count=1",
            ),
        ],
    },
    Repetition {
        method: Method::SetFlowTag,
        clauses: &["FLW-014", "FLW-029", "FLW-030"],
        before: |cast| vec![call(cast.create_flow(1), "created.flow_id=f1"), pass(5)],
        call: |_| tag_flow(1, "app.key", "value"),
        answers: &[(10, "ok, nothing")],
    },
    Repetition {
        method: Method::SetEdgeGroupPolicy,
        clauses: &["DEP-002", "DEP-003"],
        before: two_members,
        call: |cast| {
            let quorum = EdgeDependencyPolicy::quorum(2, OnSatisfied::LetRun);
            cast.set_policy(2, quorum)
        },
        answers: &[(1, "set"), (9, "already_set")],
    },
    Repetition {
        method: Method::StageDependencyEdge,
        clauses: &["GRA-001", "GRA-002", "GRA-003", "GRA-008"],
        before: two_members,
        call: |cast| cast.stage(1, 1, 2, 2),
        answers: &[
            (1, "staged.edge_id=d1 staged.new_graph_revision=3"),
            (9, "refused: contention.stale_graph_revision"),
        ],
    },
    Repetition {
        method: Method::ApplyDependencyToChild,
        clauses: &["GRA-011", "GRA-012", "GRA-013"],
        before: |cast| {
            let mut lines = two_members(cast);
            lines.push(call(
                cast.stage(1, 1, 2, 2),
                "staged.edge_id=d1 staged.new_graph_revision=3",
            ));
            lines
        },
        call: |cast| cast.apply(1, 1, 2),
        answers: &[(1, "applied.unsatisfied_count=1"), (9, "already_applied")],
    },
    Repetition {
        method: Method::CancelFlow,
        clauses: &["CAN-005", "CAN-010", "CAN-012"],
        before: two_members,
        call: |_| cancel_flow(1, CancelFlowPolicy::CancelAll),
        answers: &[(
            10,
            "cancelled.cancellation_policy=cancel_all cancelled.member_execution_ids=[\"e1\",\"e2\"]",
        )],
    },
];

/// A flow of two executions, at revision 2.
fn two_members(cast: &Cast) -> Vec<Line> {
    vec![
        cast.created(1),
        cast.created(2),
        call(cast.create_flow(1), "created.flow_id=f1"),
        call(
            cast.join(1, 1),
            "added.execution_id=e1 added.new_node_count=1",
        ),
        call(
            cast.join(1, 2),
            "added.execution_id=e2 added.new_node_count=2",
        ),
    ]
}
