//! Closing a flow whose members are left to others.

use ff_core::backend::CancelFlowPolicy;
use ff_core::contracts::{CancelFlowArgs, CancelFlowHeader};

use super::cancel::{cancel_members, close, ids, selects};
use super::known_flow;
use crate::arguments::cancellation_policy;
use crate::engine::Rule;
use crate::executions::later;
use crate::records::{Backlog, Execution};
use crate::session::Session;
use crate::store::Tx;

/// How long the members that a header leaves to others may stay before somebody else sees to them.
const GRACE_MS: u64 = 30_000;

/// Closes the flow. Its pending members end with it if only these are to; of all, others see to them
/// (CAN-016 to CAN-019).
pub(crate) async fn cancel_header<T: Tx>(
    tx: &mut Session<T>,
    args: &CancelFlowArgs,
) -> Rule<CancelFlowHeader> {
    let policy = cancellation_policy(args)?;
    let mut flow = known_flow(tx, &args.flow_id).await?;
    let mut members = tx.lock(Execution::MEMBERS.of(&flow.id)).await?;
    let member_execution_ids = ids(&members);
    if !flow.is_open() {
        return Ok(CancelFlowHeader::AlreadyTerminal {
            member_execution_ids,
            stored_cancel_reason: flow.cancel_reason,
            stored_cancellation_policy: flow.cancellation_policy,
        });
    }
    let now = tx.now().await?;
    let reason = Some(args.reason.as_str()).filter(|reason| !reason.is_empty());
    close(tx, &mut flow, policy, reason, now);
    match policy {
        CancelFlowPolicy::CancelPending => {
            cancel_members(tx, &mut members, policy, reason, now);
        }
        CancelFlowPolicy::CancelAll => {
            members.retain(|member| selects(policy, member));
            for member in members {
                tx.put(&Backlog { flow: flow.id, member: member.id, due_at: later(now, GRACE_MS) });
            }
        }
        _ => {}
    }
    Ok(CancelFlowHeader::Cancelled {
        cancellation_policy: args.cancellation_policy.clone(),
        member_execution_ids,
    })
}
