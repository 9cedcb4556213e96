//! How many of a member's dependencies must succeed.

use ff_core::contracts::{
    EdgeDependencyPolicy, OnSatisfied, SetEdgeGroupPolicyResult, StageDependencyEdgeResult,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{ConflictKind, EngineError};
use ff_core::types::{ExecutionId, FlowId};

use crate::stage::{Failure, Verdict, World, case};

const SET: SetEdgeGroupPolicyResult = SetEdgeGroupPolicyResult::Set;
const ALREADY_SET: SetEdgeGroupPolicyResult = SetEdgeGroupPolicyResult::AlreadySet;

/// Each reason for a refusal by itself.
#[case(DEP_001, CAN_015, SYS_014)]
async fn refused(world: World) -> Verdict {
    let policy = EdgeDependencyPolicy::all_of();
    let set = async |flow: &FlowId, member: &ExecutionId| {
        world.set_edge_group_policy(flow, member, policy).await
    };
    let id = world.flow().await?;
    let stranger = world.execution_for(&id).create().await?;
    expect_refused!(set(&id, &stranger).await, "state.execution_not_in_flow");
    let (one, two) = (world.member(&id).await?, world.member(&id).await?);
    expect_refused!(set(&world.flow_id(), &one).await, "not_found.flow");
    world.staged(&id, &one, &two, 2).await?;
    expect_refused!(set(&id, &two).await, "conflict.dependency_already_exists");
    world.close(&id).await?;
    expect_refused!(set(&id, &one).await, "state.flow_already_terminal");
    Ok(())
}

/// Quorum, flow, state, membership, edges.
#[case(DEP_050)]
async fn order_of_checks(world: World) -> Verdict {
    let unknown = world.flow_id();
    let stranger = world.execution_id();
    for k in [0, 1 << 31, u32::MAX] {
        let quorum = EdgeDependencyPolicy::quorum(k, OnSatisfied::LetRun);
        let answer = world.set_edge_group_policy(&unknown, &stranger, quorum);
        expect_refused!(answer.await, "validation.invalid_input", "a quorum of {k}");
    }
    let policy = EdgeDependencyPolicy::all_of();
    let answer = world.set_edge_group_policy(&unknown, &stranger, policy);
    expect_refused!(answer.await, "not_found.flow", "no flow");
    let id = world.flow().await?;
    let joining = world.execution_for(&id).create().await?;
    for execution in [&stranger, &joining] {
        let answer = world.set_edge_group_policy(&id, execution, policy);
        expect_refused!(answer.await, "state.execution_not_in_flow", "no member");
    }
    let (one, two) = (world.member(&id).await?, world.member(&id).await?);
    world.staged(&id, &one, &two, 2).await?;
    let answer = world.set_edge_group_policy(&id, &two, policy);
    expect_refused!(answer.await, "conflict.dependency_already_exists", "an edge");
    expect_eq!(world.set_edge_group_policy(&id, &one, policy).await?, SET);
    world.close(&id).await?;
    for execution in [&stranger, &one, &two] {
        let answer = world.set_edge_group_policy(&id, execution, policy);
        expect_refused!(answer.await, "state.flow_already_terminal", "closed");
    }
    Ok(())
}

/// Once edges enter, the smallest is shown.
#[case(DEP_050)]
async fn edges(world: World) -> Verdict {
    let id = world.flow().await?;
    let (one, two) = (world.member(&id).await?, world.member(&id).await?);
    let mut smallest = None;
    for revision in 2..7 {
        let staged = world.staged(&id, &one, &two, revision).await?;
        smallest = [smallest, Some(staged.edge_id)].into_iter().flatten().min();
        let policy = EdgeDependencyPolicy::any_of(OnSatisfied::LetRun);
        let answer = world.set_edge_group_policy(&id, &two, policy).await;
        let Err(EngineError::Conflict(ConflictKind::DependencyAlreadyExists { existing })) = answer
        else {
            return Err(Failure::new(format!("an edge enters, so not {answer:?}")));
        };
        let edge = world.describe_edge(&id, &existing.edge_id).await?;
        expect_eq!(Some(existing.edge_id), smallest, "the smallest id");
        expect_eq!(Some(existing), edge, "as it is described");
    }
    Ok(())
}

/// The policy of the flow's one group.
async fn policy_of(world: &World, flow: &FlowId) -> Result<EdgeDependencyPolicy, Failure> {
    match &world.described_flow(flow).await?.edge_groups[..] {
        [group] => Ok(group.policy),
        groups => Err(Failure::new(format!("there is one group, not {groups:?}"))),
    }
}

/// The same policy again, and policies that differ in one field.
#[case(DEP_002)]
async fn again(world: World) -> Verdict {
    let id = world.flow().await?;
    let member = world.member(&id).await?;
    let (run, cancel) = (OnSatisfied::LetRun, OnSatisfied::CancelRemaining);
    let policies = [
        EdgeDependencyPolicy::all_of(),
        EdgeDependencyPolicy::any_of(run),
        EdgeDependencyPolicy::any_of(cancel),
        EdgeDependencyPolicy::quorum(2, cancel),
        EdgeDependencyPolicy::quorum(3, cancel),
        EdgeDependencyPolicy::quorum(3, run),
        EdgeDependencyPolicy::all_of(),
    ];
    for policy in policies {
        let answer = world.set_edge_group_policy(&id, &member, policy).await?;
        expect_eq!(answer, SET, "{policy:?} is another");
        let answer = world.set_edge_group_policy(&id, &member, policy).await?;
        expect_eq!(answer, ALREADY_SET, "{policy:?} is the same");
        expect_eq!(policy_of(&world, &id).await?, policy, "the last one");
    }
    Ok(())
}

/// Every policy is taken and shown as given.
#[case(DEP_003)]
async fn every_kind(world: World) -> Verdict {
    let both = [OnSatisfied::CancelRemaining, OnSatisfied::LetRun];
    let mut policies = vec![EdgeDependencyPolicy::all_of()];
    for on_satisfied in both {
        policies.push(EdgeDependencyPolicy::any_of(on_satisfied));
        for k in [1, 2, 1_000, i32::MAX.unsigned_abs()] {
            policies.push(EdgeDependencyPolicy::quorum(k, on_satisfied));
        }
    }
    for policy in policies {
        let id = world.flow().await?;
        let member = world.member(&id).await?;
        let answer = world.set_edge_group_policy(&id, &member, policy).await?;
        expect_eq!(answer, SET, "{policy:?}");
        expect_eq!(policy_of(&world, &id).await?, policy, "as given");
        let upstream = world.member(&id).await?;
        world.staged(&id, &upstream, &member, 2).await?;
        expect_eq!(policy_of(&world, &id).await?, policy, "with an edge too");
    }
    Ok(())
}

/// Setting a policy changes neither member nor revision.
#[case(DEP_002, GRA_001)]
async fn without_effect(world: World) -> Verdict {
    let id = world.flow().await?;
    let member = world.member(&id).await?;
    let before = (world.observe(&member).await?, world.described_flow(&id).await?);
    world.pass_ms(5).await?;
    let policy = EdgeDependencyPolicy::quorum(1, OnSatisfied::LetRun);
    world.set_edge_group_policy(&id, &member, policy).await?;
    expect_eq!(world.observe(&member).await?, before.0, "the member");
    let mut after = world.described_flow(&id).await?;
    after.edge_groups.clear();
    expect_eq!(after, before.1, "the flow, but for the group");
    Ok(())
}

/// A policy and an edge at once.
#[case(DEP_004, needs(concurrency))]
async fn race(world: World) -> Verdict {
    for _ in 0..16 {
        let id = world.flow().await?;
        let (one, two) = (world.member(&id).await?, world.member(&id).await?);
        one_race(&world, &id, &one, &two).await?;
    }
    Ok(())
}

async fn one_race(world: &World, id: &FlowId, one: &ExecutionId, two: &ExecutionId) -> Verdict {
    let policy = EdgeDependencyPolicy::any_of(OnSatisfied::LetRun);
    let edge = world.edge_args(id, one, two, 2);
    let (set, staged) = futures_util::join!(
        world.set_edge_group_policy(id, two, policy),
        world.stage_dependency_edge(edge)
    );
    expect!(
        matches!(staged, Ok(StageDependencyEdgeResult::Staged { .. })),
        "a policy is no revision, so the edge is staged, not {staged:?}"
    );
    let governing = match set {
        Ok(SET) => policy,
        Err(EngineError::Conflict(ConflictKind::DependencyAlreadyExists { .. })) => {
            EdgeDependencyPolicy::all_of()
        }
        other => {
            return Err(Failure::new(format!(
                "the policy is set, or an edge was first, not {other:?}"
            )));
        }
    };
    expect_eq!(policy_of(world, id).await?, governing, "what governs");
    Ok(())
}
