//! Deviants that break the clauses under "Waitpoints".

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ff_core::call::{Call, Method, Reply};
use ff_core::engine_error::{ContentionKind, EngineError, StateKind};
use ff_core::types::TimestampMs;
use ff_mock::Waitpoint;

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::{Fault, around, instead, marks_repetitions_of};

request!("waitpoint-keys-cut", WPT_001, "Takes the first 256 bytes of a waitpoint's key.",
    CreateWaitpoint { waitpoint_key, .. } if waitpoint_key.is_ascii() => waitpoint_key.truncate(256));

reply!("pending-unlisted", WPT_002, "Lists a waitpoint once a suspension takes it.",
    ListPendingWaitpoints(page) => page.entries.retain(|entry| entry.state != "pending"));

deviant!("one-waitpoint-a-key", WPT_003, "Makes one waitpoint for equal keys." => one_a_key());

deviant!("waitpoints-marked", WPT_003, "Marks the execution with each further waitpoint." =>
    marks_repetitions_of(Method::CreateWaitpoint));

deviant!("pending-longer", WPT_004, "Keeps a waitpoint pending for a millisecond longer." =>
Fault::default().damage(|_, waitpoint: &mut Waitpoint| {
    if let Some(until) = &mut waitpoint.pending_until {
        *until = TimestampMs(until.0.saturating_add(1));
    }
}));

deviant!("another-attempts-unknown", WPT_036, "Calls another attempt's waitpoint unknown." =>
instead(&[Method::Suspend], "validation.invalid_waitpoint_for_execution", |_, _| {
    Err(EngineError::Contention(ContentionKind::WaitpointNotFound))
}));

reply!("tokens-unread", WPT_011, "Has no token for any waitpoint.",
    ReadWaitpointToken(token) => *token = None);

deviant!("no-partition-no-token", WPT_030, "Has no token in what is no partition." =>
instead(&[Method::ReadWaitpointToken], "validation.invalid_input", |_, _| {
    Ok(Reply::ReadWaitpointToken(None))
}));

reply!("waitpoints-descending", WPT_013, "Lists waitpoints in descending order.",
    ListPendingWaitpoints(page) => page.entries.reverse());

request!("fewer-waitpoints", WPT_031, "Lists 50 waitpoints if the caller does not say.",
    ListPendingWaitpoints { args } if args.limit.is_none() => args.limit = Some(50));

reply!("active-without-deadline", WPT_014, "Does not tell until when a waitpoint is open.",
    ListPendingWaitpoints(page) => page.entries.iter_mut().for_each(|entry| entry.expires_at = None));

reply!("short-fingerprints", WPT_032, "Shows eight digits of a token.",
ListPendingWaitpoints(page) => {
    page.entries.iter_mut().for_each(|entry| entry.token_fingerprint.truncate(8));
});

reply!("no-names", WPT_015, "Does not tell what signals a waitpoint waits for.",
ListPendingWaitpoints(page) => {
    page.entries.iter_mut().for_each(|entry| entry.required_signal_names.clear());
});

deviant!("late-is-not-pending", WPT_035, "Says of a waitpoint that is late that it is taken." =>
instead(&[Method::Suspend], "state.pending_waitpoint_expired", |_, _| {
    Err(EngineError::State(StateKind::WaitpointNotPending))
}));

deviant!("another-attempts-limit", WPT_029, "Says that another attempt's waitpoint is full." =>
instead(&[Method::DeliverSignal], "state.waitpoint_closed", |_, _| {
    Err(EngineError::State(StateKind::WaitpointNotOpen))
}));

around!("never-closed", WPT_016, "Closes nothing.", |subject, call| {
    match call {
        Call::CloseWaitpoint { .. } => Ok(Reply::CloseWaitpoint(())),
        call => subject.ask(call).await,
    }
});

deviant!("closed-again", WPT_016, "Marks the execution when it closes again." =>
    marks_repetitions_of(Method::CloseWaitpoint));

around!(
    "closing-leaves-a-trace",
    WPT_017,
    "Marks the execution of a waitpoint that is closed.",
    |subject, call| {
        if let Call::CloseWaitpoint { execution_id, .. } = &call {
            subject.leave_trace(execution_id).await;
        }
        subject.ask(call).await
    }
);

deviant!("closes-anything", WPT_033, "Closes what is none, and another's waitpoint." =>
instead(&[Method::CloseWaitpoint], "validation.invalid_waitpoint_for_execution", |_, _| {
    Ok(Reply::CloseWaitpoint(()))
}));

fn one_a_key() -> Fault {
    let made: Arc<Mutex<HashMap<String, Reply>>> = Arc::default();
    around(move |subject, call| {
        let made = Arc::clone(&made);
        Box::pin(async move {
            let Call::CreateWaitpoint { waitpoint_key, .. } = &call else {
                return subject.ask(call).await;
            };
            let key = waitpoint_key.clone();
            let known = made.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
            if let Some(known) = known {
                return Ok(known);
            }
            let reply = subject.ask(call).await?;
            made.lock().unwrap_or_else(PoisonError::into_inner).insert(key, reply.clone());
            Ok(reply)
        })
    })
}
