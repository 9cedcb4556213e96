//! Calls about the streams of attempts, with nothing special about them.

use ff_core::backend::{Frame, FrameKind, TailVisibility};
use ff_core::call::Call;
use ff_core::contracts::{STREAM_READ_HARD_CAP, StreamCursor};
use ff_core::types::AttemptIndex;

use super::fixture::{Fixture, lease};

/// A frame of this text under this instance's lease.
pub(crate) fn append(instance: &str, text: &str, seq: u64) -> Call {
    let frame = Frame::with_seq(text.as_bytes().to_vec(), FrameKind::Stdout, seq)
        .with_frame_type("line")
        .with_correlation_id("request-1");
    Call::AppendFrame { handle: lease(instance), frame }
}

impl Fixture {
    /// All of the stream of an execution's first attempt.
    pub(crate) fn stream(&self, execution: usize) -> Call {
        Call::ReadStream {
            execution_id: self.execution(execution),
            attempt_index: AttemptIndex::new(0),
            from: StreamCursor::Start,
            to: StreamCursor::End,
            count_limit: STREAM_READ_HARD_CAP,
        }
    }

    /// The same without waiting for more.
    pub(crate) fn tail(&self, execution: usize) -> Call {
        Call::TailStream {
            execution_id: self.execution(execution),
            attempt_index: AttemptIndex::new(0),
            after: StreamCursor::from_beginning(),
            block_ms: 0,
            count_limit: STREAM_READ_HARD_CAP,
            visibility: TailVisibility::All,
        }
    }

    /// The document of an execution's first attempt.
    pub(crate) fn summary(&self, execution: usize) -> Call {
        let execution_id = self.execution(execution);
        Call::ReadSummary { execution_id, attempt_index: AttemptIndex::new(0) }
    }
}
