//! Deviants that are wrong when a call comes again.

use std::sync::{Mutex, PoisonError};

use ff_core::call::{Call, Method, Reply};
use ff_core::contracts::CancelFlowResult;
use ff_core::dispatch::Dispatch;
use ff_core::types::ExecutionId;

use super::tampering::{Answer, Tampering, around, target_of};
use super::{Deviant, deviant};

pub(super) const DEVIANTS: &[Deviant] = &[
    deviant!(
        "progress-again",
        "ATT-005",
        "Leaves a mark when the same progress comes again.",
        marks_repetitions_of(Method::Progress)
    ),
    deviant!(
        "tag-again",
        "EXE-029",
        "Leaves a mark when the same tag comes again.",
        marks_repetitions_of(Method::SetExecutionTag)
    ),
    deviant!(
        "promotion-again",
        "SCH-016",
        "Leaves a mark on what it has promoted already.",
        marks_repetitions_of(Method::PromoteDelayed)
    ),
    deviant!(
        "lapse-again",
        "LSE-016",
        "Leaves a mark on a lease that has lapsed already.",
        marks_repetitions_of(Method::MarkLeaseExpiredIfDue)
    ),
    deviant!(
        "execution-cancelled-again",
        "OPS-004",
        "Leaves a mark on an execution that has been cancelled already.",
        marks_repetitions_of(Method::CancelExecution)
    ),
    deviant!(
        "cancellation-again",
        "CAN-012",
        "Leaves a mark on the members of a flow that has been cancelled already.",
        marks_repetitions_of(Method::CancelFlow)
    ),
];

fn marks_repetitions_of(method: Method) -> Tampering {
    let made: Mutex<Vec<Call>> = Mutex::default();
    around(move |subject, call| {
        let mut known = made.lock().unwrap_or_else(PoisonError::into_inner);
        let again = call.method() == method && known.contains(&call);
        if call.method() == method {
            known.push(call.clone());
        }
        drop(known);
        Box::pin(async move {
            let answer: Answer = subject.model.dispatch(call.clone()).await;
            let marked: Vec<ExecutionId> = match &answer {
                Ok(Reply::CancelFlow(CancelFlowResult::Cancelled {
                    member_execution_ids, ..
                })) => {
                    let members = member_execution_ids.iter();
                    members.filter_map(|id| ExecutionId::parse(id).ok()).collect()
                }
                _ => target_of(&call).into_iter().collect(),
            };
            for id in marked.iter().filter(|_| again) {
                subject.leave_trace(id).await;
            }
            answer
        })
    })
}
