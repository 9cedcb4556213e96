//! Deviants of what is listed as due.

use ff_core::call::Call;
use ff_core::dispatch::Dispatch;
use ff_core::types::CancelSource;
use ff_mock::{EdgeGroup, Execution};

use super::tampering::{Tampering, around, call, due, write};
use super::{Deviant, deviant};

pub(super) const DEVIANTS: &[Deviant] = &[
    deviant!("lists-no-delay", "HSK-001", "Lists no delay.", without("promote_delayed")),
    deviant!(
        "delays-without-retries",
        "HSK-001",
        "Lists no delay of a retry.",
        write(|before, after| {
            if before.is_some_and(|before| after.retry_count > before.retry_count) {
                after.delay_until =
                    after.delay_until.map(|until| ff_core::types::TimestampMs(until.0 + 10));
            }
        })
    ),
    deviant!("forgets-leases", "HSK-002", "Lists no lease.", without("mark_lease_expired_if_due")),
    deviant!("forgets-ends", "HSK-003", "Lists no end.", without("cascade_completion")),
    deviant!(
        "forgets-late-edges",
        "HSK-003",
        "Lists an end once.",
        write(|before: Option<&Execution>, after: &mut Execution| {
            if before.is_some_and(Execution::is_terminal) {
                after.uncascaded_since = None;
            }
        })
    ),
    deviant!(
        "ends-without-flows",
        "HSK-003",
        "Names no flow.",
        due(|calls| {
            for call in calls {
                if let Call::CascadeCompletion { payload } = call {
                    payload.flow_id = None;
                }
            }
        })
    ),
    deviant!("forgets-members", "HSK-004", "Acknowledges nobody.", without("ack_cancel_member")),
    deviant!(
        "one-reason-for-all",
        "HSK-004",
        "Cancels every member for the flow's sake.",
        due(|calls| reasons(calls, "flow_cancelled"))
    ),
    deviant!(
        "forgets-siblings",
        "HSK-005",
        "Never forgets a note.",
        without("drain_sibling_cancel_group")
    ),
    deviant!(
        "siblings-by-cascade",
        "HSK-005",
        "Cancels siblings in the name of the flow.",
        due(|calls| {
            for call in calls {
                if let Call::CancelExecution { args } = call {
                    args.source = CancelSource::FlowCascade;
                }
            }
        })
    ),
    deviant!(
        "siblings-always-satisfied",
        "HSK-005",
        "Gives one reason whether a group is satisfied or not.",
        due(|calls| {
            for call in calls {
                if let Call::CancelExecution { args } = call
                    && args.reason == "sibling_quorum_impossible"
                {
                    "sibling_quorum_satisfied".clone_into(&mut args.reason);
                }
            }
        })
    ),
    deviant!(
        "lists-the-last-first",
        "HSK-006",
        "Lists all but the first.",
        due(|calls| {
            if calls.len() > 4 {
                calls.remove(0);
            }
        })
    ),
    deviant!(
        "lists-in-vain",
        "HSK-007",
        "Lists cascades that lead nowhere.",
        call(|call| {
            if let Call::CascadeCompletion { payload } = call {
                payload.flow_id = None;
            }
        })
    ),
    deviant!(
        "drains-without-effect",
        "HSK-007",
        "Keeps a note that is to be forgotten.",
        Tampering::default().damage(|before: Option<&EdgeGroup>, after: &mut EdgeGroup| {
            if after.noted_at.is_none() {
                after.noted_at = before.and_then(|before| before.noted_at);
            }
        })
    ),
    deviant!(
        "promotes-again",
        "HSK-008",
        "Marks what is promoted and was not delayed.",
        promotes_again()
    ),
];

fn promotes_again() -> Tampering {
    around(|subject, call| {
        Box::pin(async move {
            if let Call::PromoteDelayed { execution_id, .. } = &call {
                let state = subject.field(execution_id, "eligibility_state").await;
                if state.as_deref() != Some("not_eligible_until_time") {
                    subject.leave_trace(execution_id).await;
                }
            }
            subject.model.dispatch(call).await
        })
    })
}

fn without(method: &'static str) -> Tampering {
    due(move |calls| calls.retain(|call| call.method().as_str() != method))
}

fn reasons(calls: &mut [Call], reason: &str) {
    for call in calls {
        if let Call::CancelExecution { args } = call {
            reason.clone_into(&mut args.reason);
        }
    }
}
