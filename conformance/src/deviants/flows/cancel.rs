//! Deviants that break the clauses under "Cancel".

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ff_core::backend::{CancelFlowPolicy, CancelFlowWait, LeaseRenewal};
use ff_core::call::{Call, Method, Reply};
use ff_core::contracts::{CancelFlowHeader as Header, CancelFlowResult, DeliverSignalResult};
use ff_core::engine_error::EngineError;
use ff_core::state::{LifecyclePhase, TerminalOutcome};
use ff_core::types::FlowId;

use crate::deviants::declare::{deviant, reply, request};
use crate::deviants::fault::{
    Answer, Fault, answer, around, instead, lock, marks_repetitions_of, pause, write,
};
use crate::deviants::flows::closed_by;

deviant!("unknown-is-cancelled", CAN_002,
    "Cancels flows that are not there." => answer(|call, answer| {
    if let (Call::CancelFlow { .. }, Err(EngineError::NotFound { .. })) = (call, &answer) {
        *answer = Ok(Reply::CancelFlow(CancelFlowResult::Cancelled {
            cancellation_policy: "cancel_all".to_owned(),
            member_execution_ids: Vec::new(),
        }));
    }
}));

request!("pending-is-all", CAN_003, "Cancels held members with the pending ones.",
    CancelFlow { policy, .. } if *policy == CancelFlowPolicy::CancelPending =>
        *policy = CancelFlowPolicy::CancelAll);

deviant!("members-fail", CAN_005, "Ends members as failed." => write(|_, after| {
    if after.cancelled_by.as_deref() == Some("cancel_flow") {
        after.outcome = TerminalOutcome::Failed;
    }
}));

request!("cancels-when-waited-for", CAN_036, "Cancels members only for those who wait.",
    CancelFlow { policy, wait, .. } if *wait == CancelFlowWait::NoWait =>
        *policy = CancelFlowPolicy::FlowOnly);

deviant!("workers-go-on", CAN_006, "Renews leases on cancelled members." => answer(|call, answer| {
    if let (Call::Renew { .. }, Err(EngineError::Contention(_))) = (call, &answer) {
        *answer = Ok(Reply::Renew(LeaseRenewal::new(1, 1)));
    }
}));

deviant!("old-spelling", CAN_010, "Calls one policy by another name." => cancelling(|policy, _| {
    if policy == "flow_only" {
        "cancel_flow_only".clone_into(policy);
    }
}));

deviant!("only-the-cancelled", CAN_010,
    "Names only the members that it cancelled." => cancelling(|policy, members| {
    if policy == "flow_only" {
        members.clear();
    }
}));

deviant!("last-policy-wins", CAN_012,
    "Says that the newest policy is in force." => answer(|call, answer| {
    if let (
        Call::CancelFlow { policy, .. },
        Ok(Reply::CancelFlow(CancelFlowResult::Cancelled { cancellation_policy, .. })),
    ) = (call, answer)
    {
        let name: &'static str = policy.into();
        name.clone_into(cancellation_policy);
    }
}));

request!("does-not-wait", CAN_013, "Returns before the members have ended.",
    CancelFlow { policy, wait, .. } if *wait != CancelFlowWait::NoWait =>
        *policy = CancelFlowPolicy::FlowOnly);

deviant!("leaves-the-waiting", CAN_014, "Cancels only what is held." => write(|before, after| {
    if let Some(before) = before
        && after.cancelled_by.as_deref() == Some("cancel_flow")
        && before.phase == LifecyclePhase::Runnable
    {
        after.clone_from(before);
    }
}));

request!("flow-only-is-pending", CAN_003, "Cancels pending members with the flow alone.",
    CancelFlow { policy, .. } if *policy == CancelFlowPolicy::FlowOnly =>
        *policy = CancelFlowPolicy::CancelPending);

deviant!("says-so-early", CAN_031, "Shows a flow as cancelled before its members are." =>
    says_so_early());

deviant!("names-a-thousand", CAN_032, "Names no more than 1 000 members." =>
    cancelling(|_, members| members.truncate(1_000)));

deviant!("waits-a-little-longer", CAN_033,
    "Tells a limit that is not the caller's." => answer(|_, answer| {
    if let Err(EngineError::Timeout { elapsed, .. }) = answer {
        *elapsed += Duration::from_millis(1);
    }
}));

request!("waits-for-nothing", CAN_013, "Never waits.",
    CancelFlow { wait, .. } => *wait = CancelFlowWait::NoWait);

deviant!("cancellation-again", CAN_012,
    "Leaves a mark on the members of a flow that has been cancelled already." =>
    marks_repetitions_of(Method::CancelFlow));

/// Changes what the result of a cancellation says.
fn cancelling(change: impl Fn(&mut String, &mut Vec<String>) + Send + Sync + 'static) -> Fault {
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

/// How long it waits for somebody to look, in pauses; few calls have anybody who does.
const UNSEEN: usize = 500;

fn says_so_early() -> Fault {
    let closing: Arc<Mutex<HashSet<FlowId>>> = Arc::default();
    let shown: Arc<Mutex<HashSet<FlowId>>> = Arc::default();
    around(move |subject, call| {
        let (closing, shown) = (Arc::clone(&closing), Arc::clone(&shown));
        Box::pin(async move {
            if let Some(flow) = closed_by(&call) {
                lock(&closing).insert(flow);
                let mut pauses = 0;
                while pauses < UNSEEN && !lock(&shown).contains(&flow) {
                    pauses += 1;
                    pause().await;
                }
                // Whoever was shown it has time to look at the members.
                for _ in 0..20 {
                    pause().await;
                }
                let answer = subject.ask(call).await;
                lock(&closing).remove(&flow);
                return answer;
            }
            let mut answer = subject.ask(call).await;
            if let Ok(Reply::DescribeFlow(Some(flow))) = &mut answer
                && lock(&closing).contains(&flow.flow_id)
            {
                "cancelled".clone_into(&mut flow.public_flow_state);
                lock(&shown).insert(flow.flow_id);
            }
            answer
        })
    })
}

reply!("header-names-in-reverse", CAN_035, "Names members in descending order.",
    CancelFlowHeader(Header::Cancelled { member_execution_ids, .. }) =>
        member_execution_ids.reverse());

deviant!("cancelled-take-signals", CAN_007, "Takes signals for what was cancelled." =>
instead(&[Method::DeliverSignal], "state.target_not_signalable", |call, refused| match call {
    Call::DeliverSignal { args } => {
        let (effect, signal_id) = ("appended_to_waitpoint".to_owned(), args.signal_id);
        Ok(Reply::DeliverSignal(DeliverSignalResult::Accepted { effect, signal_id }))
    }
    _ => Err(refused),
}));
