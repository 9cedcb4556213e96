//! Reading the streams of attempts.

use ff_core::backend::{PatchKind, SummaryDocument, TailVisibility};
use ff_core::call::Call;
use ff_core::contracts::StreamFrames;
use ff_core::engine_error::EngineError;
use ff_core::types::{MAX_INTEGER, TimestampMs};
use ff_transactional::Frames;
use ff_transactional::records::{Closed, FrameContent};
use serde::Deserialize;
use serde_bytes::ByteBuf;

use crate::documents::document;
use crate::server::{Server, transport};
use crate::wire::Wire;

/// What the library says of a stream.
#[derive(Deserialize)]
struct Found {
    frames: Vec<(TimestampMs, u64, FrameContent)>,
    closed: Option<Closed>,
}

/// What the library says of a summary.
#[derive(Deserialize)]
struct Summary {
    document: ByteBuf,
    version: u64,
    first_applied_at: u64,
    last_applied_at: u64,
}

/// The frames that a read or a tail finds now.
pub(crate) async fn read(server: &Server, call: &Call) -> Result<StreamFrames, EngineError> {
    let Some(asked) = Frames::of(call) else {
        return Ok(StreamFrames::empty_open());
    };
    // What is beyond all numbers is behind all frames.
    let place = |(at, number): (TimestampMs, i64)| (at, number.min(MAX_INTEGER.cast_signed()));
    let arguments = Wire::map([
        ("execution_id", Wire::of(asked.execution).map_err(transport)?),
        ("attempt_index", Wire::of(&asked.attempt).map_err(transport)?),
        ("after", Wire::of(&place(asked.after)).map_err(transport)?),
        ("up_to", Wire::of(&place(asked.up_to)).map_err(transport)?),
        ("limit", Wire::of(&asked.limit).map_err(transport)?),
        ("lasting", Wire::Bool(asked.visibility == TailVisibility::ExcludeBestEffort)),
    ]);
    let home = asked.execution.partition();
    let fcall = server.fcall("read_frames", true, home, &arguments, None)?;
    let found: Found = server.call(&fcall).await?.into().map_err(transport)?;
    let frames = found.frames.into_iter().map(|(at, number, content)| content.shown(at, number));
    let (closed_at, closed_reason) = match found.closed {
        Some(Closed { at, reason }) => (Some(at), Some(reason.as_str().to_owned())),
        None => (None, None),
    };
    Ok(StreamFrames { closed_at, closed_reason, frames: frames.collect() })
}

/// A summary as the library gives it.
pub(crate) fn summary(content: Wire) -> Result<Option<SummaryDocument>, EngineError> {
    let Some(found): Option<Summary> = content.into().map_err(transport)? else {
        return Ok(None);
    };
    let document = document(&found.document)?.to_string().into_bytes();
    let kind = PatchKind::JsonMergePatch;
    let (first, last) = (found.first_applied_at, found.last_applied_at);
    Ok(Some(SummaryDocument::new(document, found.version, kind, last, first)))
}
