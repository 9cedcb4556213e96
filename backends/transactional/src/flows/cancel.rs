//! Cancelling flows.

use ff_core::backend::CancelFlowPolicy;
use ff_core::contracts::CancelFlowResult;
use ff_core::state::{AttemptLifecycle, LifecyclePhase, OwnershipState, TerminalOutcome};
use ff_core::types::{FlowId, TimestampMs};

use super::interrupt::{interrupt, tell_revoked};
use super::known_flow;
use crate::engine::Rule;
use crate::executions::end;
use crate::records::{Execution, Flow};
use crate::session::Session;
use crate::store::Tx;

/// Closes the flow and ends the members that the policy selects, in one step (CAN-003 to CAN-012).
pub(crate) async fn cancel<T: Tx>(
    tx: &mut Session<T>,
    id: &FlowId,
    policy: CancelFlowPolicy,
) -> Rule<CancelFlowResult> {
    let mut flow = known_flow(tx, id).await?;
    let mut members = tx.lock(Execution::MEMBERS.of(id)).await?;
    if flow.is_open() {
        let now = tx.now().await?;
        close(tx, &mut flow, policy, None, now);
        cancel_members(tx, &mut members, policy, None, now);
    }
    Ok(CancelFlowResult::Cancelled {
        cancellation_policy: flow.cancellation_policy.unwrap_or_default(),
        member_execution_ids: ids(&members),
    })
}

pub(super) fn close<T: Tx>(
    tx: &mut Session<T>,
    flow: &mut Flow,
    policy: CancelFlowPolicy,
    reason: Option<&str>,
    now: TimestampMs,
) {
    let name: &'static str = policy.into();
    Flow::CANCELLED.clone_into(&mut flow.public_flow_state);
    flow.cancelled_at = Some(now);
    flow.cancellation_policy = Some(name.to_owned());
    flow.cancel_reason = reason.map(str::to_owned);
    flow.touch(now);
    tx.put(flow);
}

pub(super) fn ids(members: &[Execution]) -> Vec<String> {
    members.iter().map(|member| member.id.to_string()).collect()
}

pub(super) fn cancel_members<T: Tx>(
    tx: &mut Session<T>,
    members: &mut [Execution],
    policy: CancelFlowPolicy,
    reason: Option<&str>,
    now: TimestampMs,
) {
    for member in members.iter_mut().filter(|member| selects(policy, member)) {
        cancel_member(tx, member, reason.unwrap_or("flow_cancelled"), now);
    }
}

pub(super) fn selects(policy: CancelFlowPolicy, member: &Execution) -> bool {
    match policy {
        CancelFlowPolicy::CancelAll => !member.is_terminal(),
        CancelFlowPolicy::CancelPending => {
            member.phase == LifecyclePhase::Runnable && member.ownership == OwnershipState::Unowned
        }
        _ => false,
    }
}

/// Ends a member, whoever holds it; each tells both outboxes, leased or not.
fn cancel_member<T: Tx>(
    tx: &mut Session<T>,
    member: &mut Execution,
    reason: &str,
    now: TimestampMs,
) {
    let lease = interrupt(tx, member, AttemptLifecycle::EndedCancelled, None, now);
    tell_revoked(tx, member, lease, "operator", now);
    member.cancellation_reason = Some(reason.to_owned());
    member.cancelled_by = Some("cancel_flow".to_owned());
    end(tx, member, TerminalOutcome::Cancelled, now);
}
