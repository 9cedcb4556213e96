//! What appends and reads of streams are given.

use ff_core::backend::{Frame, StreamMode};
use ff_core::call::Call;
use ff_core::contracts::{STREAM_READ_HARD_CAP, StreamCursor};
use ff_core::engine_error::EngineError;

use super::Check;
use super::values::{integer, optional_text, payload, text};
use crate::metering::{Frames, patch_of, place_of};

/// The longest that a tail waits, in milliseconds (STR-042).
const MAX_BLOCK_MS: u64 = 30_000;

/// STR-009, SYS-031.
pub(super) fn append_frame(frame: &Frame) -> Check {
    payload("frame", Some(&frame.bytes))?;
    text("frame type", &frame.frame_type)?;
    optional_text("correlation id", frame.correlation_id.as_deref())?;
    integer("seq", frame.seq.unwrap_or(0))?;
    match frame.mode {
        StreamMode::DurableSummary { .. } => patch_of(&frame.bytes).map(drop),
        _ => Ok(()),
    }
}

/// STR-017, STR-042.
pub(super) fn read(call: &Call) -> Check {
    let (cursors, limit) = match call {
        Call::ReadStream { from, to, count_limit, .. } => ([Some(from), Some(to)], *count_limit),
        Call::TailStream { after, count_limit, block_ms, .. } => {
            if *block_ms > MAX_BLOCK_MS {
                let detail = format!("a tail waits for {MAX_BLOCK_MS} ms at most");
                return Err(EngineError::invalid_input(detail));
            }
            ([Some(after), None], *count_limit)
        }
        _ => return Ok(()),
    };
    if !(1..=STREAM_READ_HARD_CAP).contains(&limit) {
        let detail = format!("a count limit of {limit}, not 1 to {STREAM_READ_HARD_CAP}");
        return Err(EngineError::invalid_input(detail));
    }
    for cursor in cursors.into_iter().flatten() {
        if let StreamCursor::At(id) = cursor
            && place_of(id).is_none()
        {
            return Err(EngineError::invalid_input(format!("{id:?} is no id of a frame")));
        }
    }
    match Frames::of(call) {
        Some(_) => Ok(()),
        None => Err(EngineError::invalid_input("a tail begins after a frame")),
    }
}
