//! Deviants that break the clauses under "Frames".

use ff_core::backend::AppendFrameOutcome;
use ff_core::call::{Call, Method, Reply};
use ff_core::types::AttemptIndex;
use ff_mock::Stream;

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::{Fault, busy, instead, marks_repetitions_of};

request!("one-stream-an-execution", STR_001, "Shows the stream of the first attempt for every other.",
    ReadStream { attempt_index, .. } => *attempt_index = AttemptIndex::new(0));

reply!("newest-first", STR_003, "Lists frames in descending order.",
    ReadStream(found) => found.frames.reverse());

around!("ids-of-the-clock", STR_003, "Tells ids that go back with the clock.", |subject, call| {
    let answer = subject.ask(call).await?;
    let now = subject.clock.now();
    Ok(match answer {
        Reply::AppendFrame(mut outcome) => {
            outcome.stream_id = format!("{now}-{}", outcome.frame_count);
            Reply::AppendFrame(outcome)
        }
        other => other,
    })
});

reply!("ids-of-one-number", STR_027, "Tells the number of a frame for its id.",
    AppendFrame(outcome) => outcome.stream_id = outcome.frame_count.to_string());

deviant!("appends-take-turns", STR_004, "Turns away who appends while another does." =>
    busy(Method::AppendFrame));

reply!("forgets-what-is-gone", STR_028, "Counts the frames that are kept.",
    AppendFrame(outcome) => outcome.frame_count = outcome.frame_count.min(64));

deviant!("frames-forget", STR_028, "Counts every frame twice." =>
    Fault::default().damage(|_, after: &mut Stream| after.frame_count += 1));

reply!("frames-of-nobody", STR_005, "Does not say where a frame comes from.",
ReadStream(found) => found.frames.iter_mut().for_each(|frame| {
    frame.fields.remove("source");
}));

reply!("everything-is-text", STR_006, "Calls Base64 a text.",
ReadStream(found) => found.frames.iter_mut().for_each(|frame| {
    frame.fields.insert("encoding".to_owned(), "utf8".to_owned());
}));

request!("types-of-its-own", STR_007, "Goes by the kind of a frame, whatever its type.",
    AppendFrame { frame, .. } => frame.frame_type.clear());

request!("numbers-for-nothing", STR_032, "Appends a frame as often as it is told to.",
    AppendFrame { frame, .. } => frame.seq = None);

deviant!("marks-appends", STR_032, "Leaves a mark on what is appended to again." =>
    marks_repetitions_of(Method::AppendFrame));

around!(
    "late-frames-are-welcome",
    STR_033,
    "Appends a frame that comes too late.",
    |subject, call| {
        let answer = subject.ask(call.clone()).await;
        match (call, answer) {
            (Call::AppendFrame { handle, mut frame }, Err(error))
                if error.code() == "validation.invalid_offset" =>
            {
                frame.seq = None;
                subject.ask(Call::AppendFrame { handle, frame }).await
            }
            (_, answer) => answer,
        }
    }
);

deviant!("wants-gaps", STR_034, "Takes the next number for one that has been." =>
Fault::default().damage(|_, after: &mut Stream| {
    if let Some(last) = &mut after.sequenced {
        last.seq += 1;
    }
}));

deviant!("late-appends-succeed", STR_030, "Says that the frame of a stale lease is appended." =>
instead(&[Method::AppendFrame], "state.stale_lease", |_, _| {
    Ok(Reply::AppendFrame(AppendFrameOutcome::new("1-1", 1)))
}));

around!(
    "appends-without-a-lease",
    STR_030,
    "Appends what comes under a stale lease.",
    |subject, call| {
        let answer = subject.ask(call.clone()).await;
        let refused = answer.as_ref().is_err_and(|error| error.code() == "state.stale_lease");
        if let Call::AppendFrame { handle, frame } = call
            && refused
            && let Some(mut held) = crate::deviants::fault::payload_of(&Call::Renew { handle })
        {
            let id = held.execution_id.clone();
            let tag = ff_core::backend::BackendTag::Mock;
            let parsed = |text: Option<String>| text.unwrap_or_default();
            let fields = ["current_lease_id", "current_lease_epoch", "current_attempt_id"];
            let mut found = Vec::new();
            for field in fields {
                found.push(parsed(subject.field(&id, field).await));
            }
            if let (Ok(lease), Ok(epoch), Ok(attempt)) =
                (found[0].parse(), found[1].parse(), found[2].parse())
            {
                held.fence.lease_id = lease;
                held.fence.lease_epoch = ff_core::types::LeaseEpoch(epoch);
                held.fence.attempt_id = attempt;
                let index = parsed(subject.field(&id, "current_attempt_index").await);
                held.attempt_index = AttemptIndex::new(index.parse().unwrap_or_default());
                let handle = held.seal(tag, ff_core::backend::HandleKind::Fresh);
                return subject.ask(Call::AppendFrame { handle, frame }).await;
            }
        }
        answer
    }
);
