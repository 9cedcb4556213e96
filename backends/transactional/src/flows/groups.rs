//! What a member's dependencies come to.

use ff_core::contracts::{EdgeDependencyPolicy, SetEdgeGroupPolicyResult};
use ff_core::engine_error::{ConflictKind, EngineError, StateKind};
use ff_core::types::{ExecutionId, FlowId};

use super::{open_flow, snapshot};
use crate::engine::Rule;
use crate::record::{Edge, EdgeGroup};
use crate::store::{StoreError, Tx};

/// Says how many of a member's dependencies must succeed (DEP-001, DEP-002).
pub(crate) async fn set_policy<T: Tx>(
    tx: &mut T,
    flow: &FlowId,
    downstream: &ExecutionId,
    policy: EdgeDependencyPolicy,
) -> Rule<SetEdgeGroupPolicyResult> {
    let flow = open_flow(tx, flow).await?;
    let member = tx.execution(downstream).await?;
    if member.is_none_or(|member| member.flow != Some(flow.id)) {
        return Err(EngineError::State(StateKind::ExecutionNotInFlow).into());
    }
    let staged = tx.edges_to(&flow.id, downstream).await?;
    if let Some(edge) = staged.iter().min_by_key(|edge| edge.id) {
        let existing = snapshot(edge);
        return Err(
            EngineError::Conflict(ConflictKind::DependencyAlreadyExists { existing }).into(),
        );
    }
    if let Some(group) = tx.group(&flow.id, downstream).await?
        && group.policy == policy
    {
        return Ok(SetEdgeGroupPolicyResult::AlreadySet);
    }
    let group = EdgeGroup {
        policy,
        ..EdgeGroup::new(flow.id, downstream.clone())
    };
    tx.put_group(&group).await?;
    Ok(SetEdgeGroupPolicyResult::Set)
}

/// The group that a staged edge belongs to.
pub(super) async fn group_of<T: Tx>(tx: &mut T, edge: &Edge) -> Rule<EdgeGroup> {
    let group = tx.group(&edge.flow, &edge.downstream).await?;
    Ok(group.ok_or_else(|| StoreError::Corrupt {
        record: "edge group",
        detail: format!("there is none for edge {}", edge.id),
    })?)
}
