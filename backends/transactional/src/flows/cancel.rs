//! Cancelling flows.

use ff_core::backend::CancelFlowPolicy;
use ff_core::contracts::CancelFlowResult;
use ff_core::state::{AttemptLifecycle, LifecyclePhase, OwnershipState, TerminalOutcome};
use ff_core::types::{FlowId, TimestampMs};

use super::known_flow;
use crate::engine::Rule;
use crate::executions::{end, end_attempt, existing};
use crate::record::{Execution, Flow, LeaseEventKind, LeaseRecord};
use crate::store::Tx;

/// Closes the flow and ends the members that the policy selects, in one step (CAN-003 to CAN-012).
/// Nothing is left to wait for when it returns.
pub(crate) async fn cancel<T: Tx>(
    tx: &mut T,
    id: &FlowId,
    policy: CancelFlowPolicy,
) -> Rule<CancelFlowResult> {
    let mut flow = known_flow(tx, id).await?;
    let members = tx.members(id).await?;
    if flow.is_open() {
        let now = tx.now().await?;
        let name: &'static str = policy.into();
        Flow::CANCELLED.clone_into(&mut flow.public_flow_state);
        flow.cancelled_at = Some(now);
        flow.cancellation_policy = Some(name.to_owned());
        flow.touch(now);
        tx.put_flow(&flow).await?;
        for member in &members {
            let mut execution = existing(tx, member).await?;
            if selects(policy, &execution) {
                cancel_member(tx, &mut execution, now).await?;
            }
        }
    }
    Ok(CancelFlowResult::Cancelled {
        cancellation_policy: flow.cancellation_policy.unwrap_or_default(),
        member_execution_ids: members.iter().map(ToString::to_string).collect(),
    })
}

fn selects(policy: CancelFlowPolicy, member: &Execution) -> bool {
    match policy {
        CancelFlowPolicy::CancelAll => !member.is_terminal(),
        CancelFlowPolicy::CancelPending => {
            member.phase == LifecyclePhase::Runnable && member.ownership == OwnershipState::Unowned
        }
        _ => false,
    }
}

/// Ends a member, whoever holds it; each tells both outboxes, leased or not.
async fn cancel_member<T: Tx>(tx: &mut T, member: &mut Execution, now: TimestampMs) -> Rule<()> {
    let lease = member.lease.take();
    let event = LeaseRecord {
        execution: member.id.clone(),
        namespace: member.namespace.clone(),
        kind: LeaseEventKind::Revoked,
        lease: lease.as_ref().map(|lease| lease.id),
        worker_instance: lease.map(|lease| lease.worker_instance),
        revoked_by: Some("operator"),
        at: now,
    };
    tx.append_lease_event(&event).await?;
    if member.phase == LifecyclePhase::Active {
        end_attempt(tx, member, AttemptLifecycle::EndedCancelled, now).await?;
    }
    member.closing = None;
    member.cancellation_reason = Some("flow_cancelled".to_owned());
    member.cancelled_by = Some("cancel_flow".to_owned());
    end(tx, member, TerminalOutcome::Cancelled, now).await
}
