//! Deviants that break the clauses under "Reading".

use ff_core::call::{Call, Method, Reply};
use ff_core::contracts::StreamCursor;
use ff_core::engine_error::EngineError;

use crate::deviants::declare::{around, deviant, request};
use crate::deviants::fault::{answer, instead};

deviant!("from-is-not-included", STR_018, "Leaves out the frame that a range begins with." =>
answer(|call, answer| {
    if let (Call::ReadStream { from: StreamCursor::At(id), .. }, Ok(Reply::ReadStream(found))) =
        (call, answer)
    {
        found.frames.retain(|frame| frame.id != *id);
    }
}));

request!("reads-without-end", STR_018, "Reads all frames, whatever the limit.",
    ReadStream { count_limit, .. } if (1..=10_000).contains(count_limit) => *count_limit = 10_000);

request!("limits-are-clamped", STR_017, "Takes a limit that is none for the nearest.",
    ReadStream { count_limit, .. } => *count_limit = (*count_limit).clamp(1, 10_000));

around!(
    "streams-of-the-known",
    STR_019,
    "Refuses to read of what is not there.",
    |subject, call| {
        if let Call::ReadStream { execution_id, .. } = &call
            && subject.field(execution_id, "lane_id").await.is_none()
        {
            return Err(EngineError::NotFound { entity: "execution" });
        }
        subject.ask(call).await
    }
);

deviant!("too-many-is-gone", STR_024, "Says that streams cannot be read when there are too many readers." =>
instead(&[Method::ReadStream, Method::TailStream], "resource_exhausted", |call, _| {
    Err(EngineError::Unavailable { op: call.method().as_str() })
}));
