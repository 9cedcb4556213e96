//! Calls about flows, made again and again.

use ff_core::backend::{CancelFlowPolicy, FailureClass};
use ff_core::call::Method;
use ff_core::contracts::{EdgeDependencyPolicy, OnSatisfied};

use crate::play::fixture::{cancel_flow, cancel_header, fail, tag_flow, wait_children};
use crate::play::{Fixture, Line, Repetition, around_calls, call, pass};
use crate::stage::declare;

declare!(|topic| around_calls(topic, REPETITIONS));

const REPETITIONS: &[Repetition] = &[
    Repetition {
        method: Method::CreateFlow,
        clauses: &["FLW-009", "FLW-010"],
        before: |_| Vec::new(),
        call: |fixture| fixture.create_flow(1),
        answers: &[(1, "created.flow_id=f1"), (9, "already_satisfied.flow_id=f1")],
    },
    Repetition {
        method: Method::AddExecutionToFlow,
        clauses: &["FLW-022", "FLW-023", "FLW-025"],
        before: |fixture| vec![fixture.created(1), fixture.flow_created(1)],
        call: |fixture| fixture.join(1, 1),
        answers: &[
            (1, "added.execution_id=e1 added.new_node_count=1"),
            (9, "already_member.execution_id=e1 already_member.node_count=1"),
        ],
    },
    Repetition {
        method: Method::SetFlowTag,
        clauses: &["FLW-029", "FLW-030"],
        before: |fixture| vec![fixture.flow_created(1), pass(5)],
        call: |_| tag_flow(1, "app.key", "value"),
        answers: &[(10, "ok, nothing")],
    },
    Repetition {
        method: Method::SetEdgeGroupPolicy,
        clauses: &["DEP-002", "DEP-003"],
        before: two_members,
        call: |fixture| {
            let quorum = EdgeDependencyPolicy::quorum(2, OnSatisfied::LetRun);
            fixture.set_policy(2, quorum)
        },
        answers: &[(1, "set"), (9, "already_set")],
    },
    Repetition {
        method: Method::StageDependencyEdge,
        clauses: &["GRA-001", "GRA-002", "GRA-003", "GRA-008"],
        before: two_members,
        call: |fixture| fixture.stage(1, 1, 2, 2),
        answers: &[
            (1, "staged.edge_id=d1 staged.new_graph_revision=3"),
            (9, "refused: contention.stale_graph_revision"),
        ],
    },
    Repetition {
        method: Method::ApplyDependencyToChild,
        clauses: &["GRA-011", "GRA-012", "GRA-013"],
        before: |fixture| {
            let mut lines = two_members(fixture);
            lines.push(fixture.staged(1, 1, 2, 2));
            lines
        },
        call: |fixture| fixture.apply(1, 1, 2),
        answers: &[(1, "applied.unsatisfied_count=1"), (9, "already_applied")],
    },
    Repetition {
        method: Method::ResolveDependency,
        clauses: &["DEP-011", "DEP-012", "DEP-015"],
        before: |fixture| dependent(fixture, OnSatisfied::LetRun),
        call: |fixture| fixture.resolve(1, 1, 2, "success"),
        answers: &[(1, "satisfied"), (9, "already_resolved")],
    },
    Repetition {
        method: Method::CascadeCompletion,
        clauses: &["DEP-021", "DEP-024"],
        before: |fixture| {
            let mut lines = dependent(fixture, OnSatisfied::LetRun);
            lines.push(call(fixture.claim("w1"), "handle=fresh"));
            lines.push(call(fail("w1", FailureClass::Permanent), "terminal_failed"));
            lines
        },
        call: |fixture| fixture.cascade(1),
        answers: &[
            (1, "cascaded_children=1 resolved=1 synchronous=true"),
            (9, "cascaded_children=0 resolved=0 synchronous=true"),
        ],
    },
    Repetition {
        method: Method::DrainSiblingCancelGroup,
        clauses: &["DEP-029", "DEP-031"],
        before: noted,
        call: |fixture| fixture.drain(2),
        answers: &[(10, "ok, nothing")],
    },
    Repetition {
        method: Method::ReconcileSiblingCancelGroup,
        clauses: &["DEP-030", "DEP-031"],
        before: noted,
        call: |fixture| fixture.reconcile(2),
        answers: &[(1, "completed_drain"), (9, "no_op")],
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
    Repetition {
        method: Method::CancelFlowHeader,
        clauses: &["CAN-016", "CAN-017", "CAN-018"],
        before: two_members,
        call: |_| cancel_header(1, "cancel_pending", "late"),
        answers: &[
            (
                1,
                "cancelled.cancellation_policy=cancel_pending \
                 cancelled.member_execution_ids=[\"e1\",\"e2\"]",
            ),
            (
                9,
                "already_terminal.member_execution_ids=[\"e1\",\"e2\"] \
                 already_terminal.stored_cancel_reason=late \
                 already_terminal.stored_cancellation_policy=cancel_pending",
            ),
        ],
    },
    Repetition {
        method: Method::AckCancelMember,
        clauses: &["CAN-020", "CAN-021"],
        before: |fixture| {
            let mut lines = two_members(fixture);
            lines.push(call(
                cancel_header(1, "cancel_all", ""),
                "cancelled.cancellation_policy=cancel_all \
                 cancelled.member_execution_ids=[\"e1\",\"e2\"]",
            ));
            lines
        },
        call: |fixture| fixture.acknowledge(1),
        answers: &[(10, "ok, nothing")],
    },
    Repetition {
        method: Method::ProjectFlowSummary,
        clauses: &["FLW-031", "FLW-033"],
        before: two_members,
        call: |fixture| fixture.project(1),
        answers: &[(10, "true")],
    },
    Repetition {
        method: Method::ReplayExecution,
        clauses: &["OPS-008"],
        before: |fixture| {
            let mut lines = dependent(fixture, OnSatisfied::LetRun);
            lines.push(call(fixture.resolve(1, 1, 2, "failed"), "impossible"));
            lines
        },
        call: |fixture| fixture.replay(2),
        answers: &[
            (1, "replayed.public_state=waiting_children"),
            (9, "refused: state.execution_not_terminal"),
        ],
    },
    Repetition {
        method: Method::WaitChildren,
        clauses: &["ATT-003"],
        before: |fixture| {
            let mut lines = two_members(fixture);
            lines.push(call(fixture.claim("w1"), "handle=fresh"));
            lines
        },
        call: |_| wait_children("w1"),
        answers: &[(10, "ok, nothing")],
    },
];

/// A flow of two executions, of which the second depends on the first.
fn dependent(fixture: &Fixture, on_satisfied: OnSatisfied) -> Vec<Line> {
    let mut lines = two_members(fixture);
    let any_of = EdgeDependencyPolicy::any_of(on_satisfied);
    lines.push(call(fixture.set_policy(2, any_of), "set"));
    lines.push(fixture.staged(1, 1, 2, 2));
    lines.push(call(fixture.apply(1, 1, 2), "applied.unsatisfied_count=1"));
    lines
}

/// The same, with a note on what remains to be cancelled.
fn noted(fixture: &Fixture) -> Vec<Line> {
    let mut lines = dependent(fixture, OnSatisfied::CancelRemaining);
    lines.push(call(fixture.resolve(1, 1, 2, "success"), "satisfied"));
    lines
}

/// A flow of two executions, at revision 2.
fn two_members(fixture: &Fixture) -> Vec<Line> {
    vec![
        fixture.created(1),
        fixture.created(2),
        fixture.flow_created(1),
        fixture.joined(1, 1, 1),
        fixture.joined(1, 2, 2),
    ]
}
