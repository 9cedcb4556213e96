//! Upstreams that a decided group has no more need of.

use std::collections::BTreeSet;

use ff_core::contracts::{EdgeDependencyPolicy, EdgeGroupState, OnSatisfied};
use ff_core::engine_backend::SiblingCancelReconcileAction;
use ff_core::types::{ExecutionId, FlowId, TimestampMs};

use super::groups::group_of;
use crate::engine::Rule;
use crate::records::{Backlog, Edge, EdgeGroup, EdgeState, Execution, Flow};
use crate::session::Session;
use crate::store::{StoreError, Tx};

/// Notes which upstreams are to be cancelled, if the policy says so (DEP-026).
pub(super) async fn note_remaining<T: Tx>(
    tx: &mut Session<T>,
    group: &mut EdgeGroup,
    resolved: &ExecutionId,
    now: TimestampMs,
) -> Rule<()> {
    let (EdgeDependencyPolicy::AnyOf { on_satisfied }
    | EdgeDependencyPolicy::Quorum { on_satisfied, .. }) = group.policy
    else {
        return Ok(());
    };
    if on_satisfied != OnSatisfied::CancelRemaining {
        return Ok(());
    }
    let mut upstreams = BTreeSet::new();
    for edge in tx.get(Edge::IN.of(&group.flow).and(&group.downstream)).await? {
        let is_sibling = edge.state != EdgeState::Staged && edge.upstream != *resolved;
        if is_sibling
            && is_running(tx, &edge.upstream).await?
            && !is_needed_elsewhere(tx, group, &edge.upstream).await?
        {
            upstreams.insert(edge.upstream);
        }
    }
    group.pending_cancel = Some(upstreams);
    group.noted_at = Some(now);
    Ok(())
}

async fn is_running<T: Tx>(tx: &mut Session<T>, id: &ExecutionId) -> Rule<bool> {
    let found = tx.get(Execution::at(id)).await?;
    Ok(found.is_some_and(|execution| !execution.is_terminal()))
}

/// Whether another group that is not decided yet waits for the upstream.
async fn is_needed_elsewhere<T: Tx>(
    tx: &mut Session<T>,
    group: &EdgeGroup,
    upstream: &ExecutionId,
) -> Rule<bool> {
    for edge in tx.get(Edge::OUT.of(&group.flow).and(upstream)).await? {
        if edge.state == EdgeState::Unsatisfied && edge.downstream != group.downstream {
            let other = group_of(tx, &edge).await?;
            if other.group_state == EdgeGroupState::Pending {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whether a member of the flow that others are to cancel has not ended (CAN-013).
pub(crate) async fn has_backlog<T: Tx>(
    tx: &mut Session<T>,
    flow: &FlowId,
) -> Result<bool, StoreError> {
    let left = tx.get(Backlog::KEY.of(flow)).await?;
    let members = left.iter().map(|left| Execution::at(&left.member)).collect::<Vec<_>>();
    let members = tx.get(members).await?;
    Ok(members.iter().flatten().any(|member| !member.is_terminal()))
}

/// Takes a member off all that is to be cancelled (DEP-041).
pub(crate) async fn forget_cancellation<T: Tx>(
    tx: &mut Session<T>,
    flow: &FlowId,
    member: &ExecutionId,
) -> Rule<()> {
    tx.remove(Backlog::at(flow, member));
    for edge in tx.get(Edge::OUT.of(flow).and(member)).await? {
        if let Some(mut group) = tx.get(EdgeGroup::at(flow, &edge.downstream)).await?
            && let Some(pending) = &mut group.pending_cancel
            && pending.remove(member)
        {
            tx.put(&group);
        }
    }
    Ok(())
}

/// Forgets what was to be cancelled (DEP-029).
pub(crate) async fn drain<T: Tx>(
    tx: &mut Session<T>,
    flow: &FlowId,
    downstream: &ExecutionId,
) -> Rule<()> {
    tx.lock(Flow::at(flow)).await?;
    if let Some(mut group) = tx.get(EdgeGroup::at(flow, downstream)).await?
        && group.pending_cancel.take().is_some()
    {
        group.noted_at = None;
        tx.put(&group);
    }
    Ok(())
}

/// Forgets what was to be cancelled if all of it has ended (DEP-030).
pub(crate) async fn reconcile<T: Tx>(
    tx: &mut Session<T>,
    flow: &FlowId,
    downstream: &ExecutionId,
) -> Rule<SiblingCancelReconcileAction> {
    tx.lock(Flow::at(flow)).await?;
    let Some(mut group) = tx.get(EdgeGroup::at(flow, downstream)).await? else {
        return Ok(SiblingCancelReconcileAction::NoOp);
    };
    let Some(pending) = group.pending_cancel.take() else {
        return Ok(SiblingCancelReconcileAction::NoOp);
    };
    for upstream in &pending {
        if is_running(tx, upstream).await? {
            return Ok(SiblingCancelReconcileAction::NoOp);
        }
    }
    group.noted_at = None;
    tx.put(&group);
    Ok(SiblingCancelReconcileAction::CompletedDrain)
}
