//! Deviants of flows that are closed first and emptied by others.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ff_core::backend::{CancelFlowPolicy, CancelFlowWait};
use ff_core::call::{Call, Reply};
use ff_core::contracts::CancelFlowHeader;
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::EngineError;
use ff_core::types::ExecutionId;

use super::closing::named_in;
use super::tampering::{Tampering, answer, around, call, lock, pause};
use super::{Deviant, deviant};

pub(super) const DEVIANTS: &[Deviant] = &[
    deviant!(
        "any-word-is-all",
        "CAN-001",
        "Takes a policy that it does not know for the widest.",
        call(|call| {
            if let Call::CancelFlowHeader { args } = call
                && args.cancellation_policy.parse::<CancelFlowPolicy>().is_err()
            {
                "cancel_all".clone_into(&mut args.cancellation_policy);
            }
        })
    ),
    deviant!(
        "waits-for-nothing",
        "CAN-013",
        "Never waits.",
        call(|call| {
            if let Call::CancelFlow { wait, .. } = call {
                *wait = CancelFlowWait::NoWait;
            }
        })
    ),
    deviant!(
        "always-has-a-reason",
        "CAN-016",
        "Makes up a reason where there is none.",
        call(|call| {
            if let Call::CancelFlowHeader { args } = call
                && args.reason.is_empty()
            {
                "none given".clone_into(&mut args.reason);
            }
        })
    ),
    deviant!(
        "header-spares-the-pending",
        "CAN-034",
        "Ends no member.",
        call(|call| {
            if let Call::CancelFlowHeader { args } = call
                && args.cancellation_policy == "cancel_pending"
            {
                "cancel_all".clone_into(&mut args.cancellation_policy);
            }
        })
    ),
    deviant!(
        "header-names-in-reverse",
        "CAN-017",
        "Names members in descending order.",
        answer(|_, answer| {
            if let Ok(Reply::CancelFlowHeader(CancelFlowHeader::Cancelled {
                member_execution_ids,
                ..
            })) = answer
            {
                member_execution_ids.reverse();
            }
        })
    ),
    deviant!(
        "reason-forgotten",
        "CAN-018",
        "Does not tell the first cancellation's reason.",
        answer(|_, answer| {
            if let Ok(Reply::CancelFlowHeader(CancelFlowHeader::AlreadyTerminal {
                stored_cancel_reason,
                ..
            })) = answer
            {
                *stored_cancel_reason = None;
            }
        })
    ),
    deviant!(
        "leaves-nothing",
        "CAN-019",
        "Forgets at once what it leaves to others.",
        around(|subject, call| Box::pin(async move {
            let answer = subject.model.dispatch(call.clone()).await;
            if let Call::CancelFlowHeader { args } = &call {
                for member in named_in(&answer) {
                    let call =
                        Call::AckCancelMember { flow_id: args.flow_id, execution_id: member };
                    subject.model.dispatch(call).await?;
                }
            }
            answer
        }))
    ),
    deviant!(
        "leaves-too-much",
        "CAN-019",
        "Leaves members to others under every policy.",
        call(|call| {
            if let Call::CancelFlowHeader { args } = call
                && args.cancellation_policy == "flow_only"
            {
                "cancel_all".clone_into(&mut args.cancellation_policy);
            }
        })
    ),
    deviant!(
        "deaf-to-acknowledgements",
        "CAN-020",
        "Acknowledges nothing.",
        around(|subject, call| Box::pin(async move {
            if let Call::AckCancelMember { .. } = call {
                return Ok(Reply::AckCancelMember(()));
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "acknowledges-once",
        "CAN-020",
        "Does not know a member that was acknowledged.",
        acknowledges_once()
    ),
    deviant!(
        "one-acknowledgement-at-a-time",
        "CAN-021",
        "Loses acknowledgements that overlap.",
        one_at_a_time()
    ),
];

fn acknowledges_once() -> Tampering {
    let known: Mutex<HashSet<ExecutionId>> = Mutex::default();
    answer(move |call, answer| {
        if let Call::AckCancelMember { execution_id, .. } = call
            && !lock(&known).insert(execution_id.clone())
        {
            *answer = Err(EngineError::NotFound { entity: "execution" });
        }
    })
}

fn one_at_a_time() -> Tampering {
    let busy: Arc<AtomicUsize> = Arc::default();
    around(move |subject, call| {
        let busy = Arc::clone(&busy);
        Box::pin(async move {
            let Call::AckCancelMember { .. } = call else {
                return subject.model.dispatch(call).await;
            };
            let others = busy.fetch_add(1, Ordering::SeqCst);
            pause().await;
            let answer = if others == 0 {
                subject.model.dispatch(call).await
            } else {
                Ok(Reply::AckCancelMember(()))
            };
            busy.fetch_sub(1, Ordering::SeqCst);
            answer
        })
    })
}
