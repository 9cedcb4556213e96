//! Short histories of flows, with every answer written by hand.

use ff_core::backend::{CancelFlowPolicy, FailureClass};
use ff_core::contracts::{EdgeDependencyPolicy, OnSatisfied};

use crate::case::{Case, Verdict, case};
use crate::world::World;
use crate::written::cast::{cancel_flow, complete, describe_flow, fail, renew, tag_flow};
use crate::written::{Cast, call, pass, play};

pub(super) const CASES: &[Case] = &[
    case!(
        "flows.written.graph",
        ["FLW-009", "FLW-021", "FLW-022", "GRA-001", "GRA-002", "GRA-006", "GRA-008"],
        "Members join, and dependencies are staged revision by revision.",
        graph,
        Clock
    ),
    case!(
        "flows.written.dependencies",
        ["GRA-010", "GRA-011", "GRA-012", "GRA-013"],
        "Dependencies applied to a child that waits, and to one that runs.",
        dependencies,
        Clock
    ),
    case!(
        "flows.written.diamond",
        ["DEP-006", "DEP-015", "DEP-017", "DEP-021", "DEP-022", "DEP-032", "DEP-044", "GRA-015"],
        "Four members in a diamond: one side fails, the other is enough.",
        diamond,
        Clock
    ),
    case!(
        "flows.written.cancellation",
        ["CAN-003", "CAN-005", "CAN-006", "CAN-010", "CAN-012", "CAN-015"],
        "A flow is cancelled under a worker, then again with another policy.",
        cancellation,
        Clock
    ),
];

/// 1 is above 2 and 5, which are above 6, which needs one of them.
async fn diamond(world: World) -> Verdict {
    let cast = Cast::of(&world);
    let any_of = EdgeDependencyPolicy::any_of(OnSatisfied::LetRun);
    let lines = vec![
        cast.created(1),
        pass(1),
        cast.created(2),
        cast.created(5),
        cast.created(6),
        cast.flow_created(1),
        cast.joined(1, 1, 1),
        cast.joined(1, 2, 2),
        cast.joined(1, 5, 3),
        cast.joined(1, 6, 4),
        call(cast.set_policy(6, any_of), "set"),
        cast.staged(1, 1, 2, 4),
        cast.staged(2, 1, 5, 5),
        cast.staged(3, 2, 6, 6),
        cast.staged(4, 5, 6, 7),
        call(cast.resolve(1, 1, 2, "success"), "refused: validation.invalid_dependency"),
        call(cast.apply(1, 1, 2), "applied.unsatisfied_count=1"),
        call(cast.apply(3, 2, 6), "applied.unsatisfied_count=1"),
        call(cast.apply(4, 5, 6), "applied.unsatisfied_count=2"),
        call(cast.eligibility(5), "status.status=eligible"),
        call(cast.eligibility(6), "status.status=blocked_by_dependencies"),
        call(cast.cascade(1), "cascaded_children=0 resolved=0 synchronous=true"),
        call(cast.claim("w1"), "handle=fresh"),
        call(cast.eligibility(1), "status.status=not_runnable"),
        call(fail("w1", FailureClass::Permanent), "terminal_failed"),
        call(cast.cascade(1), "cascaded_children=1 resolved=2 synchronous=true"),
        call(cast.state(2), "skipped"),
        call(cast.state(5), "waiting"),
        call(cast.state(6), "waiting_children"),
        // The edge to 5 is applied after the end that decides it.
        call(cast.apply(2, 1, 5), "applied.unsatisfied_count=1"),
        call(cast.state(5), "waiting_children"),
        call(cast.resolve(2, 1, 5, "success"), "satisfied"),
        call(cast.cascade(1), "cascaded_children=0 resolved=0 synchronous=true"),
        call(cast.claim("w2"), "handle=fresh"),
        call(complete("w2", "five"), "ok, nothing"),
        call(cast.state(6), "waiting_children"),
        call(cast.cascade(5), "cascaded_children=0 resolved=1 synchronous=true"),
        call(cast.state(6), "waiting"),
        call(cast.resolve(4, 5, 6, "failed"), "already_resolved"),
        call(cast.claim("w3"), "handle=fresh"),
        call(cast.eligibility(4), "status.status=not_found"),
    ];
    play(&world, lines).await
}

async fn graph(world: World) -> Verdict {
    let cast = Cast::of(&world);
    let lines = vec![
        cast.created(1),
        cast.created(2),
        cast.created(5),
        call(cast.join(1, 1), "refused: not_found.flow"),
        cast.flow_created(1),
        call(cast.create_flow(1), "already_satisfied.flow_id=f1"),
        cast.flow_created(2),
        cast.joined(1, 1, 1),
        call(cast.join(1, 1), "already_member.execution_id=e1 already_member.node_count=1"),
        call(cast.join(2, 1), "refused: conflict.execution_already_in_flow"),
        call(cast.join(1, 6), "refused: not_found.execution"),
        cast.joined(1, 2, 2),
        call(cast.stage(1, 1, 2, 1), "refused: contention.stale_graph_revision"),
        call(cast.stage(1, 1, 2, 3), "refused: contention.stale_graph_revision"),
        call(cast.stage(1, 1, 1, 2), "refused: conflict.self_referencing_edge"),
        call(cast.stage(1, 1, 5, 2), "refused: state.execution_not_in_flow"),
        cast.staged(1, 1, 2, 2),
        call(cast.stage(2, 2, 1, 3), "refused: conflict.cycle_detected"),
        cast.staged(2, 1, 2, 3),
        cast.joined(1, 5, 3),
        cast.staged(3, 2, 5, 5),
        call(cast.stage(4, 5, 1, 6), "refused: conflict.cycle_detected"),
        call(cast.state(5), "waiting"),
        call(tag_flow(1, "app.key", "value"), "ok, nothing"),
        call(
            describe_flow(1),
            "cancel_reason=null cancellation_policy=null cancelled_at=null created_at=t+0 \
             edge_count=3 edge_groups.0.downstream_execution_id=e5 edge_groups.0.failed_count=0 \
             edge_groups.0.group_state=pending edge_groups.0.policy=all_of \
             edge_groups.0.running_count=0 edge_groups.0.satisfied_count=0 \
             edge_groups.0.skipped_count=0 edge_groups.0.total_deps=0 \
             edge_groups.1.downstream_execution_id=e2 edge_groups.1.failed_count=0 \
             edge_groups.1.group_state=pending edge_groups.1.policy=all_of \
             edge_groups.1.running_count=0 edge_groups.1.satisfied_count=0 \
             edge_groups.1.skipped_count=0 edge_groups.1.total_deps=0 flow_id=f1 flow_kind=dag \
             graph_revision=6 last_mutation_at=t+0 namespace=tenant node_count=3 \
             public_flow_state=open tags.app.key=value",
        ),
    ];
    play(&world, lines).await
}

async fn dependencies(world: World) -> Verdict {
    let cast = Cast::of(&world);
    let lines = vec![
        cast.created(1),
        cast.flow_created(1),
        cast.joined(1, 1, 1),
        call(cast.claim("w1"), "handle=fresh"),
        cast.created(2),
        cast.joined(1, 2, 2),
        cast.staged(1, 1, 2, 2),
        cast.staged(2, 1, 2, 3),
        call(cast.apply(3, 1, 2), "refused: validation.invalid_dependency"),
        call(cast.apply(1, 2, 1), "refused: validation.invalid_dependency"),
        call(cast.state(2), "waiting"),
        call(cast.apply(1, 1, 2), "applied.unsatisfied_count=1"),
        call(cast.state(2), "waiting_children"),
        call(cast.claim("w2"), "ok, nothing"),
        call(cast.apply(2, 1, 2), "applied.unsatisfied_count=2"),
        call(cast.apply(1, 1, 2), "already_applied"),
        cast.created(5),
        cast.joined(1, 5, 3),
        call(cast.claim("w5"), "handle=fresh"),
        cast.staged(3, 1, 5, 5),
        call(cast.apply(3, 1, 5), "applied.unsatisfied_count=1"),
        call(cast.state(5), "active"),
        call(complete("w5", "done"), "ok, nothing"),
        call(cast.state(5), "completed"),
        call(cast.state(2), "waiting_children"),
    ];
    play(&world, lines).await
}

async fn cancellation(world: World) -> Verdict {
    let cast = Cast::of(&world);
    let members = "cancelled.member_execution_ids=[\"e1\",\"e2\"]";
    let pending = format!("cancelled.cancellation_policy=cancel_pending {members}");
    let lines = vec![
        cast.created(1),
        call(cast.claim("w1"), "handle=fresh"),
        cast.created(2),
        call(cancel_flow(1, CancelFlowPolicy::CancelAll), "refused: not_found.flow"),
        cast.flow_created(1),
        cast.joined(1, 1, 1),
        cast.joined(1, 2, 2),
        cast.staged(1, 1, 2, 2),
        call(cancel_flow(1, CancelFlowPolicy::CancelPending), &*pending),
        call(cast.state(1), "active"),
        call(cast.state(2), "cancelled"),
        call(
            cast.fields(2, ["cancellation_reason", "cancelled_by", "terminal_outcome"]),
            "cancellation_reason=flow_cancelled cancelled_by=cancel_flow terminal_outcome=cancelled",
        ),
        call(cancel_flow(1, CancelFlowPolicy::CancelAll), &*pending),
        call(cast.state(1), "active"),
        call(renew("w1"), "expires_at_ms=t+30000 lease_epoch=1"),
        call(cast.join(1, 6), "refused: state.flow_already_terminal"),
        call(cast.apply(1, 1, 2), "refused: state.flow_already_terminal"),
        call(cast.create_flow(1), "already_satisfied.flow_id=f1"),
        call(complete("w1", "done"), "ok, nothing"),
        cast.created(5),
        call(cast.claim("w5"), "handle=fresh"),
        cast.flow_created(2),
        cast.joined(2, 5, 1),
        call(
            cancel_flow(2, CancelFlowPolicy::CancelAll),
            "cancelled.cancellation_policy=cancel_all cancelled.member_execution_ids=[\"e5\"]",
        ),
        call(cast.state(5), "cancelled"),
        call(
            complete("w5", "late"),
            "refused: contention.execution_not_active attempt_id=minted-1 lease_epoch=1 \
             lifecycle_phase=terminal terminal_outcome=cancelled",
        ),
    ];
    play(&world, lines).await
}
