//! Upstreams that a decided group has no more need of.

use std::collections::BTreeSet;

use ff_core::contracts::{EdgeDependencyPolicy, EdgeGroupState, OnSatisfied};
use ff_core::engine_backend::SiblingCancelReconcileAction;
use ff_core::types::{ExecutionId, FlowId};

use super::groups::group_of;
use crate::engine::Rule;
use crate::record::{EdgeGroup, EdgeState};
use crate::store::Tx;

/// Notes which upstreams are to be cancelled, if the policy says so (DEP-026).
pub(super) async fn note_remaining<T: Tx>(
    tx: &mut T,
    group: &mut EdgeGroup,
    resolved: &ExecutionId,
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
    for edge in tx.edges_to(&group.flow, &group.downstream).await? {
        let is_sibling = edge.state != EdgeState::Staged && edge.upstream != *resolved;
        if is_sibling
            && is_running(tx, &edge.upstream).await?
            && !is_needed_elsewhere(tx, group, &edge.upstream).await?
        {
            upstreams.insert(edge.upstream);
        }
    }
    group.pending_cancel = Some(upstreams);
    Ok(())
}

async fn is_running<T: Tx>(tx: &mut T, id: &ExecutionId) -> Rule<bool> {
    let found = tx.peek(id).await?;
    Ok(found.is_some_and(|execution| !execution.is_terminal()))
}

/// Whether another group that is not decided yet waits for the upstream.
async fn is_needed_elsewhere<T: Tx>(
    tx: &mut T,
    group: &EdgeGroup,
    upstream: &ExecutionId,
) -> Rule<bool> {
    for edge in tx.edges_from(&group.flow, upstream).await? {
        if edge.state == EdgeState::Unsatisfied && edge.downstream != group.downstream {
            let other = group_of(tx, &edge).await?;
            if other.group_state == EdgeGroupState::Pending {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Takes a member off all that is to be cancelled (DEP-041).
pub(crate) async fn forget_cancellation<T: Tx>(
    tx: &mut T,
    flow: &FlowId,
    member: &ExecutionId,
) -> Rule<()> {
    tx.strike_backlog(flow, member).await?;
    for edge in tx.edges_from(flow, member).await? {
        if let Some(mut group) = tx.group(flow, &edge.downstream).await?
            && let Some(pending) = &mut group.pending_cancel
            && pending.remove(member)
        {
            tx.put_group(&group).await?;
        }
    }
    Ok(())
}

/// Forgets what was to be cancelled (DEP-029).
pub(crate) async fn drain<T: Tx>(tx: &mut T, flow: &FlowId, downstream: &ExecutionId) -> Rule<()> {
    tx.flow(flow).await?;
    if let Some(mut group) = tx.group(flow, downstream).await?
        && group.pending_cancel.take().is_some()
    {
        tx.put_group(&group).await?;
    }
    Ok(())
}

/// Forgets what was to be cancelled if all of it has ended (DEP-030).
pub(crate) async fn reconcile<T: Tx>(
    tx: &mut T,
    flow: &FlowId,
    downstream: &ExecutionId,
) -> Rule<SiblingCancelReconcileAction> {
    tx.flow(flow).await?;
    let Some(mut group) = tx.group(flow, downstream).await? else {
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
    tx.put_group(&group).await?;
    Ok(SiblingCancelReconcileAction::CompletedDrain)
}
