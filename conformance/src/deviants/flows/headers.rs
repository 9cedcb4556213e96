//! Deviants that break the clauses under "Headers".

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ff_core::backend::CancelFlowPolicy;
use ff_core::call::{Call, Reply};
use ff_core::contracts::CancelFlowHeader as Header;
use ff_core::engine_error::EngineError;
use ff_core::types::ExecutionId;

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::{Fault, answer, around, lock, pause};
use crate::deviants::flows::named_in;

request!("any-word-is-all", CAN_001, "Takes a policy that it does not know for the widest.",
    CancelFlowHeader { args } if args.cancellation_policy.parse::<CancelFlowPolicy>().is_err() =>
        "cancel_all".clone_into(&mut args.cancellation_policy));

request!("always-has-a-reason", CAN_016, "Makes up a reason where there is none.",
    CancelFlowHeader { args } if args.reason.is_empty() =>
        "none given".clone_into(&mut args.reason));

request!("header-spares-the-pending", CAN_034, "Ends no member.",
    CancelFlowHeader { args } if args.cancellation_policy == "cancel_pending" =>
        "cancel_all".clone_into(&mut args.cancellation_policy));

reply!("header-names-one-less", CAN_017, "Leaves out the last member.",
    CancelFlowHeader(Header::Cancelled { member_execution_ids, .. }) =>
        drop(member_execution_ids.pop()));

reply!("reason-forgotten", CAN_018, "Does not tell the first cancellation's reason.",
    CancelFlowHeader(Header::AlreadyTerminal { stored_cancel_reason, .. }) =>
        *stored_cancel_reason = None);

around!("leaves-nothing", CAN_019, "Forgets at once what it leaves to others.", |subject, call| {
    let answer = subject.ask(call.clone()).await;
    if let Call::CancelFlowHeader { args } = &call {
        for member in named_in(&answer) {
            let call = Call::AckCancelMember { flow_id: args.flow_id, execution_id: member };
            subject.ask(call).await?;
        }
    }
    answer
});

request!("leaves-too-much", CAN_019, "Leaves members to others under every policy.",
    CancelFlowHeader { args } if args.cancellation_policy == "flow_only" =>
        "cancel_all".clone_into(&mut args.cancellation_policy));

around!("deaf-to-acknowledgements", CAN_020, "Acknowledges nothing.", |subject, call| {
    if let Call::AckCancelMember { .. } = call {
        return Ok(Reply::AckCancelMember(()));
    }
    subject.ask(call).await
});

deviant!("acknowledges-once", CAN_020, "Does not know a member that was acknowledged." =>
    acknowledges_once());

deviant!("one-acknowledgement-at-a-time", CAN_021, "Loses acknowledgements that overlap." =>
    one_at_a_time());

fn acknowledges_once() -> Fault {
    let known: Mutex<HashSet<ExecutionId>> = Mutex::default();
    answer(move |call, answer| {
        if let Call::AckCancelMember { execution_id, .. } = call
            && !lock(&known).insert(execution_id.clone())
        {
            *answer = Err(EngineError::NotFound { entity: "execution" });
        }
    })
}

fn one_at_a_time() -> Fault {
    let busy: Arc<AtomicUsize> = Arc::default();
    around(move |subject, call| {
        let busy = Arc::clone(&busy);
        Box::pin(async move {
            let Call::AckCancelMember { .. } = call else {
                return subject.ask(call).await;
            };
            let others = busy.fetch_add(1, Ordering::SeqCst);
            pause().await;
            let answer =
                if others == 0 { subject.ask(call).await } else { Ok(Reply::AckCancelMember(())) };
            busy.fetch_sub(1, Ordering::SeqCst);
            answer
        })
    })
}
