//! Deviants that cancel flows wrongly.

use ff_core::backend::{CancelFlowPolicy, CancelFlowWait, LeaseRenewal};
use ff_core::call::{Call, Reply};
use ff_core::contracts::{AddExecutionToFlowResult, CancelFlowResult};
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::state::LifecyclePhase;

use super::tampering::{Answer, Tampering, answer, call, write};
use super::{Deviant, deviant};

pub(super) const DEVIANTS: &[Deviant] = &[
    deviant!(
        "unknown-is-cancelled",
        "CAN-002",
        "Cancels flows that are not there.",
        answer(|call, answer| {
            if let (Call::CancelFlow { .. }, Err(EngineError::NotFound { .. })) = (call, &answer) {
                *answer = Ok(Reply::CancelFlow(CancelFlowResult::Cancelled {
                    cancellation_policy: "cancel_all".to_owned(),
                    member_execution_ids: Vec::new(),
                }));
            }
        })
    ),
    deviant!(
        "pending-is-all",
        "CAN-003",
        "Cancels held members with the pending ones.",
        call(|call| {
            if let Call::CancelFlow { policy, .. } = call
                && *policy == CancelFlowPolicy::CancelPending
            {
                *policy = CancelFlowPolicy::CancelAll;
            }
        })
    ),
    deviant!(
        "cancels-for-no-reason",
        "CAN-005",
        "Does not say why a member was cancelled.",
        write(|_, after| {
            if after.cancelled_by.as_deref() == Some("cancel_flow") {
                after.cancellation_reason = None;
            }
        })
    ),
    deviant!(
        "workers-go-on",
        "CAN-006",
        "Renews leases on cancelled members.",
        answer(|call, answer| {
            if let (Call::Renew { .. }, Err(EngineError::Contention(_))) = (call, &answer) {
                *answer = Ok(Reply::Renew(LeaseRenewal::new(1, 1)));
            }
        })
    ),
    deviant!(
        "old-spelling",
        "CAN-010",
        "Calls one policy by another name.",
        cancelling(|policy, _| {
            if policy == "flow_only" {
                "cancel_flow_only".clone_into(policy);
            }
        })
    ),
    deviant!(
        "only-the-cancelled",
        "CAN-010",
        "Names only the members that it cancelled.",
        cancelling(|policy, members| {
            if policy == "flow_only" {
                members.clear();
            }
        })
    ),
    deviant!(
        "last-policy-wins",
        "CAN-012",
        "Says that the newest policy is in force.",
        answer(|call, answer| {
            if let (
                Call::CancelFlow { policy, .. },
                Ok(Reply::CancelFlow(CancelFlowResult::Cancelled { cancellation_policy, .. })),
            ) = (call, answer)
            {
                let name: &'static str = policy.into();
                name.clone_into(cancellation_policy);
            }
        })
    ),
    deviant!(
        "does-not-wait",
        "CAN-013",
        "Returns before the members have ended.",
        call(|call| {
            if let Call::CancelFlow { policy, wait, .. } = call
                && *wait != CancelFlowWait::NoWait
            {
                *policy = CancelFlowPolicy::FlowOnly;
            }
        })
    ),
    deviant!(
        "leaves-the-waiting",
        "CAN-014",
        "Cancels only what is held.",
        write(|before, after| {
            if let Some(before) = before
                && after.cancelled_by.as_deref() == Some("cancel_flow")
                && before.phase == LifecyclePhase::Runnable
            {
                after.clone_from(before);
            }
        })
    ),
    deviant!(
        "grows-on",
        "CAN-015",
        "Lets executions join a cancelled flow.",
        answer(|call, answer| {
            if let (
                Call::AddExecutionToFlow { args },
                Err(EngineError::State(StateKind::FlowAlreadyTerminal)),
            ) = (call, &answer)
            {
                *answer = Ok(Reply::AddExecutionToFlow(AddExecutionToFlowResult::Added {
                    execution_id: args.execution_id.clone(),
                    new_node_count: 1,
                }));
            }
        })
    ),
    deviant!(
        "flow-only-is-pending",
        "CAN-003",
        "Cancels pending members with the flow alone.",
        call(|call| {
            if let Call::CancelFlow { policy, .. } = call
                && *policy == CancelFlowPolicy::FlowOnly
            {
                *policy = CancelFlowPolicy::CancelPending;
            }
        })
    ),
];

/// Changes what the result of a cancellation says.
pub(super) fn cancelling(
    change: impl Fn(&mut String, &mut Vec<String>) + Send + Sync + 'static,
) -> Tampering {
    answer(move |_, answer: &mut Answer| {
        if let Ok(Reply::CancelFlow(CancelFlowResult::Cancelled {
            cancellation_policy,
            member_execution_ids,
        })) = answer
        {
            change(cancellation_policy, member_execution_ids);
        }
    })
}
