//! Short histories of flows, with every answer written by hand.

use ff_core::backend::{CancelFlowPolicy, FailureClass};
use ff_core::contracts::{EdgeDependencyPolicy, OnSatisfied};

use crate::play::fixture::{cancel_flow, complete, describe_flow, fail, renew, tag_flow};
use crate::play::{Fixture, call, pass, play};
use crate::stage::{Verdict, World, case};

/// Four members in a diamond: one side fails, the other is enough.
///
/// 1 is above 2 and 5, which are above 6, which needs one of them.
#[case(DEP_006, DEP_015, DEP_017, DEP_021, DEP_044, GRA_015, needs(passive))]
async fn diamond(world: World) -> Verdict {
    let fixture = Fixture::of(&world);
    let any_of = EdgeDependencyPolicy::any_of(OnSatisfied::LetRun);
    let lines = vec![
        fixture.created(1),
        pass(1),
        fixture.created(2),
        fixture.created(5),
        fixture.created(6),
        fixture.flow_created(1),
        fixture.joined(1, 1, 1),
        fixture.joined(1, 2, 2),
        fixture.joined(1, 5, 3),
        fixture.joined(1, 6, 4),
        call(fixture.set_policy(6, any_of), "set"),
        fixture.staged(1, 1, 2, 4),
        fixture.staged(2, 1, 5, 5),
        fixture.staged(3, 2, 6, 6),
        fixture.staged(4, 5, 6, 7),
        call(fixture.resolve(1, 1, 2, "success"), "refused: validation.invalid_dependency"),
        call(fixture.apply(1, 1, 2), "applied.unsatisfied_count=1"),
        call(fixture.apply(3, 2, 6), "applied.unsatisfied_count=1"),
        call(fixture.apply(4, 5, 6), "applied.unsatisfied_count=2"),
        call(fixture.eligibility(5), "status.status=eligible"),
        call(fixture.eligibility(6), "status.status=blocked_by_dependencies"),
        call(fixture.cascade(1), "cascaded_children=0 resolved=0 synchronous=true"),
        call(fixture.claim("w1"), "handle=fresh"),
        call(fixture.eligibility(1), "status.status=not_runnable"),
        call(fail("w1", FailureClass::Permanent), "terminal_failed"),
        call(fixture.cascade(1), "cascaded_children=1 resolved=2 synchronous=true"),
        call(fixture.state(2), "skipped"),
        call(fixture.state(5), "waiting"),
        call(fixture.state(6), "waiting_children"),
        // The edge to 5 is applied after the end that decides it.
        call(fixture.apply(2, 1, 5), "applied.unsatisfied_count=1"),
        call(fixture.state(5), "waiting_children"),
        call(fixture.resolve(2, 1, 5, "success"), "satisfied"),
        call(fixture.cascade(1), "cascaded_children=0 resolved=0 synchronous=true"),
        call(fixture.claim("w2"), "handle=fresh"),
        call(complete("w2", "five"), "ok, nothing"),
        call(fixture.state(6), "waiting_children"),
        call(fixture.cascade(5), "cascaded_children=0 resolved=1 synchronous=true"),
        call(fixture.state(6), "waiting"),
        call(fixture.resolve(4, 5, 6, "failed"), "already_resolved"),
        call(fixture.claim("w3"), "handle=fresh"),
        call(fixture.eligibility(4), "status.status=not_found"),
    ];
    play(&world, lines).await
}

/// Members join, and dependencies are staged revision by revision.
#[case(FLW_009, FLW_021, FLW_022, GRA_001, GRA_002, GRA_006, GRA_008)]
async fn graph(world: World) -> Verdict {
    let fixture = Fixture::of(&world);
    let lines = vec![
        fixture.created(1),
        fixture.created(2),
        fixture.created(5),
        call(fixture.join(1, 1), "refused: not_found.flow"),
        fixture.flow_created(1),
        call(fixture.create_flow(1), "already_satisfied.flow_id=f1"),
        fixture.flow_created(2),
        fixture.joined(1, 1, 1),
        call(fixture.join(1, 1), "already_member.execution_id=e1 already_member.node_count=1"),
        call(fixture.join(2, 1), "refused: conflict.execution_already_in_flow"),
        call(fixture.join(1, 6), "refused: not_found.execution"),
        fixture.joined(1, 2, 2),
        call(fixture.stage(1, 1, 2, 1), "refused: contention.stale_graph_revision"),
        call(fixture.stage(1, 1, 2, 3), "refused: contention.stale_graph_revision"),
        call(fixture.stage(1, 1, 1, 2), "refused: conflict.self_referencing_edge"),
        call(fixture.stage(1, 1, 5, 2), "refused: state.execution_not_in_flow"),
        fixture.staged(1, 1, 2, 2),
        call(fixture.stage(2, 2, 1, 3), "refused: conflict.cycle_detected"),
        fixture.staged(2, 1, 2, 3),
        fixture.joined(1, 5, 3),
        fixture.staged(3, 2, 5, 5),
        call(fixture.stage(4, 5, 1, 6), "refused: conflict.cycle_detected"),
        call(fixture.state(5), "waiting"),
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

/// Dependencies applied to a child that waits, and to one that runs.
#[case(GRA_010, GRA_011, GRA_012, GRA_013)]
async fn dependencies(world: World) -> Verdict {
    let fixture = Fixture::of(&world);
    let lines = vec![
        fixture.created(1),
        fixture.flow_created(1),
        fixture.joined(1, 1, 1),
        call(fixture.claim("w1"), "handle=fresh"),
        fixture.created(2),
        fixture.joined(1, 2, 2),
        fixture.staged(1, 1, 2, 2),
        fixture.staged(2, 1, 2, 3),
        call(fixture.apply(3, 1, 2), "refused: validation.invalid_dependency"),
        call(fixture.apply(1, 2, 1), "refused: validation.invalid_dependency"),
        call(fixture.state(2), "waiting"),
        call(fixture.apply(1, 1, 2), "applied.unsatisfied_count=1"),
        call(fixture.state(2), "waiting_children"),
        call(fixture.claim("w2"), "ok, nothing"),
        call(fixture.apply(2, 1, 2), "applied.unsatisfied_count=2"),
        call(fixture.apply(1, 1, 2), "already_applied"),
        fixture.created(5),
        fixture.joined(1, 5, 3),
        call(fixture.claim("w5"), "handle=fresh"),
        fixture.staged(3, 1, 5, 5),
        call(fixture.apply(3, 1, 5), "applied.unsatisfied_count=1"),
        call(fixture.state(5), "active"),
        call(complete("w5", "done"), "ok, nothing"),
        call(fixture.state(5), "completed"),
        call(fixture.state(2), "waiting_children"),
    ];
    play(&world, lines).await
}

/// A flow is cancelled under a worker, then again with another policy.
#[case(CAN_003, CAN_005, CAN_006, CAN_010, CAN_012, CAN_015)]
async fn cancellation(world: World) -> Verdict {
    let fixture = Fixture::of(&world);
    let members = "cancelled.member_execution_ids=[\"e1\",\"e2\"]";
    let pending = format!("cancelled.cancellation_policy=cancel_pending {members}");
    let lines = vec![
        fixture.created(1),
        call(fixture.claim("w1"), "handle=fresh"),
        fixture.created(2),
        call(cancel_flow(1, CancelFlowPolicy::CancelAll), "refused: not_found.flow"),
        fixture.flow_created(1),
        fixture.joined(1, 1, 1),
        fixture.joined(1, 2, 2),
        fixture.staged(1, 1, 2, 2),
        call(cancel_flow(1, CancelFlowPolicy::CancelPending), &*pending),
        call(fixture.state(1), "active"),
        call(fixture.state(2), "cancelled"),
        call(
            fixture.fields(2, ["cancellation_reason", "cancelled_by", "terminal_outcome"]),
            "cancellation_reason=flow_cancelled cancelled_by=cancel_flow terminal_outcome=cancelled",
        ),
        call(cancel_flow(1, CancelFlowPolicy::CancelAll), &*pending),
        call(fixture.state(1), "active"),
        call(renew("w1"), "expires_at_ms=t+30000 lease_epoch=1"),
        call(fixture.join(1, 6), "refused: state.flow_already_terminal"),
        call(fixture.apply(1, 1, 2), "refused: state.flow_already_terminal"),
        call(fixture.create_flow(1), "already_satisfied.flow_id=f1"),
        call(complete("w1", "done"), "ok, nothing"),
        fixture.created(5),
        call(fixture.claim("w5"), "handle=fresh"),
        fixture.flow_created(2),
        fixture.joined(2, 5, 1),
        call(
            cancel_flow(2, CancelFlowPolicy::CancelAll),
            "cancelled.cancellation_policy=cancel_all cancelled.member_execution_ids=[\"e5\"]",
        ),
        call(fixture.state(5), "cancelled"),
        call(
            complete("w5", "late"),
            "refused: contention.execution_not_active attempt_id=minted-1 lease_epoch=1 \
             lifecycle_phase=terminal terminal_outcome=cancelled",
        ),
    ];
    play(&world, lines).await
}
