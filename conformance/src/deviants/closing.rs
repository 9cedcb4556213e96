//! Deviants of what a cancellation shows, names and leaves alone.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ff_core::backend::CompletionPayload;
use ff_core::call::{Call, Reply};
use ff_core::contracts::{CancelFlowHeader, CancelFlowResult};
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::EngineError;
use ff_core::types::{ExecutionId, FlowId, TimestampMs};

use super::cancellation::cancelling;
use super::tampering::{Answer, Subject, Tampering, answer, around, lock, pause};
use super::{Deviant, deviant};

pub(super) const DEVIANTS: &[Deviant] = &[
    deviant!(
        "closes-when-told",
        "CAN-004",
        "Takes the caller's time for the time of the cancellation.",
        around(|subject, call| Box::pin(async move {
            let Call::CancelFlowHeader { args } = &call else {
                return subject.model.dispatch(call).await;
            };
            let now = subject.clock.now();
            subject.clock.set(args.now);
            let answer = subject.model.dispatch(call).await;
            subject.clock.set(now);
            answer
        }))
    ),
    deviant!(
        "tells-of-the-cancelled",
        "CAN-011",
        "Cascades from the members that it cancels.",
        around(|subject, call| Box::pin(async move {
            let answer = subject.model.dispatch(call.clone()).await;
            if let Some(flow) = closed_by(&call) {
                for member in named_in(&answer) {
                    tell(subject, flow, member).await?;
                }
            }
            answer
        }))
    ),
    deviant!(
        "says-so-early",
        "CAN-031",
        "Shows a flow as cancelled before its members are.",
        says_so_early()
    ),
    deviant!(
        "names-a-thousand",
        "CAN-032",
        "Names no more than 1 000 members.",
        cancelling(|_, members| members.truncate(1_000))
    ),
    deviant!(
        "waits-a-little-longer",
        "CAN-033",
        "Tells a limit that is not the caller's.",
        answer(|_, answer| {
            if let Err(EngineError::Timeout { elapsed, .. }) = answer {
                *elapsed += Duration::from_millis(1);
            }
        })
    ),
];

/// The flow that a call closes, if it is open.
fn closed_by(call: &Call) -> Option<FlowId> {
    match call {
        Call::CancelFlow { id, .. } => Some(*id),
        Call::CancelFlowHeader { args } => Some(args.flow_id),
        _ => None,
    }
}

/// The members that a cancellation names, if it is the first.
pub(super) fn named_in(answer: &Answer) -> Vec<ExecutionId> {
    let Ok(
        Reply::CancelFlow(CancelFlowResult::Cancelled { member_execution_ids, .. })
        | Reply::CancelFlowHeader(CancelFlowHeader::Cancelled { member_execution_ids, .. }),
    ) = answer
    else {
        return Vec::new();
    };
    let ids = member_execution_ids.iter();
    ids.filter_map(|id| ExecutionId::parse(id).ok()).collect()
}

async fn tell(subject: &Subject, flow: FlowId, member: ExecutionId) -> Answer {
    let payload = CompletionPayload::new(member, "cancelled", None, TimestampMs::now());
    let payload = payload.with_flow_id(flow);
    let call = Call::CascadeCompletion { payload };
    subject.model.dispatch(call).await
}

/// How long it waits for somebody to look, in pauses; few calls have anybody who does.
const UNSEEN: usize = 500;

fn says_so_early() -> Tampering {
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
                let answer = subject.model.dispatch(call).await;
                lock(&closing).remove(&flow);
                return answer;
            }
            let mut answer = subject.model.dispatch(call).await;
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
