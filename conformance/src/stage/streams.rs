//! Streams: frames as they are appended and read.

use ff_core::backend::{
    AppendFrameOutcome, BestEffortLiveConfig, Frame, FrameKind, Handle, StreamMode, TailVisibility,
};
use ff_core::contracts::{STREAM_READ_HARD_CAP, StreamCursor, StreamFrames};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::types::{AttemptIndex, ExecutionId};
use serde_json::Value;

use super::failure::Failure;
use super::world::World;

/// The first attempt of an execution.
pub(crate) const FIRST_ATTEMPT: AttemptIndex = AttemptIndex(0);

/// A durable frame of text.
pub(crate) fn frame(text: &str) -> Frame {
    Frame::new(text.as_bytes().to_vec(), FrameKind::Stdout)
}

/// A frame whose payload is a merge patch.
pub(crate) fn patch(text: &str) -> Frame {
    frame(text).with_mode(StreamMode::durable_summary())
}

/// A frame that lives for so long.
pub(crate) fn live(text: &str, ttl_ms: u32) -> Frame {
    frame(text).with_mode(StreamMode::best_effort_live(ttl_ms))
}

/// One that sizes its window like this.
pub(crate) fn sized(text: &str, config: BestEffortLiveConfig) -> Frame {
    frame(text).with_mode(StreamMode::best_effort_live_with_config(config))
}

/// Ids of frames.
pub(crate) fn ids(found: &StreamFrames) -> Vec<&str> {
    found.frames.iter().map(|frame| frame.id.as_str()).collect()
}

/// A field of every frame, or nothing.
pub(crate) fn fields<'f>(found: &'f StreamFrames, name: &str) -> Vec<&'f str> {
    let field = |frame: &'f ff_core::contracts::StreamFrame| frame.fields.get(name);
    found.frames.iter().map(|frame| field(frame).map_or("", String::as_str)).collect()
}

pub(crate) fn payloads(found: &StreamFrames) -> Vec<&str> {
    fields(found, "payload")
}

pub(crate) fn at(id: &str) -> StreamCursor {
    StreamCursor::At(id.to_owned())
}

/// What a tail asks for.
#[derive(Clone)]
pub(crate) struct Tail {
    pub(crate) after: StreamCursor,
    pub(crate) block_ms: u64,
    pub(crate) limit: u64,
    pub(crate) visibility: TailVisibility,
}

impl Tail {
    /// All frames that are there.
    pub(crate) fn all() -> Self {
        Self {
            after: StreamCursor::from_beginning(),
            block_ms: 0,
            limit: STREAM_READ_HARD_CAP,
            visibility: TailVisibility::All,
        }
    }

    /// Those behind this one.
    pub(crate) fn behind(id: &str) -> Self {
        Self { after: at(id), ..Self::all() }
    }

    pub(crate) fn waiting(self, block_ms: u64) -> Self {
        Self { block_ms, ..self }
    }
}

impl World {
    /// Appends these frames one after the other; their ids.
    pub(crate) async fn append_all(
        &self,
        handle: &Handle,
        frames: impl IntoIterator<Item = Frame>,
    ) -> Result<Vec<String>, EngineError> {
        let mut ids = Vec::new();
        for frame in frames {
            ids.push(self.append_frame(handle, frame).await?.stream_id);
        }
        Ok(ids)
    }

    /// Appends durable frames of these texts, for what follows.
    pub(crate) async fn write(
        &self,
        handle: &Handle,
        texts: &[&str],
    ) -> Result<Vec<String>, Failure> {
        let frames: Vec<Frame> = texts.iter().map(|text| frame(text)).collect();
        self.append_all(handle, frames).await.map_err(Failure::setup_refused)
    }

    /// All that is kept of the stream of an attempt.
    pub(crate) async fn stream(
        &self,
        id: &ExecutionId,
        attempt: u32,
    ) -> Result<StreamFrames, EngineError> {
        self.between(id, attempt, StreamCursor::Start, StreamCursor::End).await
    }

    /// The frames from one place to another.
    pub(crate) async fn between(
        &self,
        id: &ExecutionId,
        attempt: u32,
        from: StreamCursor,
        to: StreamCursor,
    ) -> Result<StreamFrames, EngineError> {
        self.read_stream(id, AttemptIndex::new(attempt), from, to, STREAM_READ_HARD_CAP).await
    }

    /// The frames that a tail of the first attempt's stream finds.
    pub(crate) async fn tails(
        &self,
        id: &ExecutionId,
        tail: Tail,
    ) -> Result<StreamFrames, EngineError> {
        let Tail { after, block_ms, limit, visibility } = tail;
        self.tail_stream(id, FIRST_ATTEMPT, after, block_ms, limit, visibility).await
    }

    /// Asserts what is kept of the stream of the first attempt, by the texts of its frames.
    pub(crate) async fn expect_stream(
        &self,
        id: &ExecutionId,
        expected: &[&str],
        what: &str,
    ) -> Result<(), Failure> {
        expect_eq!(payloads(&self.stream(id, 0).await?), expected, "{what}");
        Ok(())
    }

    /// Patches the summary document.
    pub(crate) async fn patch(
        &self,
        handle: &Handle,
        text: &str,
    ) -> Result<AppendFrameOutcome, EngineError> {
        self.append_frame(handle, patch(text)).await
    }

    /// The summary document of the first attempt.
    pub(crate) async fn document(&self, id: &ExecutionId) -> Result<Value, Failure> {
        let summary = self.read_summary(id, FIRST_ATTEMPT).await?;
        let summary = summary.ok_or_else(|| Failure::new("there is a document".to_owned()))?;
        let parsed = serde_json::from_slice(&summary.document_json);
        parsed.map_err(|error| Failure::new(format!("the document is JSON: {error}")))
    }
}
