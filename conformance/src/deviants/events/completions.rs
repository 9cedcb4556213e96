//! Deviants that break the clauses under "Completions".

use ff_core::Live;
use ff_core::call::{Call, Reply};
use ff_core::stream_events::{CompletionEvent, CompletionOutcome};
use futures_util::StreamExt;

use crate::deviants::declare::{around, deviant};
use crate::deviants::fault::{Fault, answer};

/// Changes the outcomes that are told.
fn outcomes(change: fn(CompletionOutcome) -> CompletionOutcome) -> Fault {
    answer(move |_: &Call, answer| {
        if let Ok(Reply::SubscribeCompletion(live)) = answer {
            let changed = live.take().map(move |event| {
                event.map(|event: CompletionEvent| {
                    let (cursor, id) = (event.cursor, event.execution_id);
                    CompletionEvent::new(cursor, id, change(event.outcome), event.at)
                })
            });
            *live = Live::new(Box::pin(changed));
        }
    })
}

around!(
    "resumed-is-complete",
    EVT_017,
    "Tells of what is resumed as of what has ended.",
    |subject, call| {
        let resumed = match &call {
            Call::ResumeExecution { args } => Some(args.execution_id.clone()),
            _ => None,
        };
        let answer = subject.ask(call).await;
        if resumed.is_some() {
            let id = ff_core::types::ExecutionId::from_parts(1, uuid::Uuid::new_v4());
            let lane = ff_core::types::LaneId::new("deviant");
            let args = crate::stage::plain_execution(id.clone(), lane);
            subject.ask(Call::CreateExecution { args }).await?;
            let args = crate::stage::cancellation(&id);
            subject.ask(Call::CancelExecution { args }).await?;
        }
        answer
    }
);

deviant!("failures-are-others", EVT_018, "Tells of a failure as of something else." =>
outcomes(|outcome| match outcome {
    CompletionOutcome::Failure => CompletionOutcome::Other("failed".to_owned()),
    other => other,
}));

deviant!("expired-is-cancelled", EVT_026, "Tells of what is out of time as of what is cancelled." =>
outcomes(|outcome| match outcome {
    CompletionOutcome::Other(name) if name == "expired" => CompletionOutcome::Cancelled,
    other => other,
}));
