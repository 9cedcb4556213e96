//! The streams of attempts: what is appended to them, and how much of it is kept.

use ff_core::backend::{
    AppendFrameOutcome, BackendTag, BestEffortLiveConfig, Frame, FrameKind, Handle, HandlePayload,
    StreamMode,
};
use ff_core::contracts::StreamFrame;
use ff_core::engine_error::{EngineError, ValidationKind};
use ff_core::types::{AttemptIndex, ExecutionId, TimestampMs};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::summaries::{merge, patch_of};
use crate::engine::Rule;
use crate::executions::{Held, Holder, held, later};
use crate::records::{Execution, FrameContent, Pace, Sequenced, StoredFrame, Stream, Summary};
use crate::session::Session;
use crate::store::{StoreError, Tx};

/// Frames that stay after a durable one, if the policy says nothing else (STR-008).
const MAX_FRAMES: u64 = 10_000;

/// Frames that stay after a summary frame (STR-008).
const MAX_SUMMARY_FRAMES: u64 = 64;

/// How best-effort streams size their window where the frame does not say (STR-014).
const DEFAULT_EFFORT: (u32, u32, f64) = (64, 16_384, 0.2);

/// A frame as it is stored, but for what only the stream knows.
#[derive(Clone, Debug, Serialize)]
pub struct Appending {
    pub content: FrameContent,
    /// Of all that the caller gave: equal digests mean the same frame (STR-032).
    pub digest: String,
    /// Of a best-effort frame.
    pub effort: Option<Effort>,
    /// Of a summary frame.
    #[serde(skip)]
    pub patch: Option<Value>,
}

/// How a best-effort frame sizes the window (STR-013).
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Effort {
    ttl_ms: u64,
    floor: u64,
    ceiling: u64,
    alpha: f64,
}

impl Effort {
    fn of(config: &BestEffortLiveConfig) -> Self {
        let (floor, ceiling, alpha) = DEFAULT_EFFORT;
        let given = |number: u32, default: u32| if number == 0 { default } else { number };
        let floor = given(config.maxlen_floor, floor).into();
        let ceiling: u64 = given(config.maxlen_ceiling, ceiling).into();
        let is_weight = config.ema_alpha > 0.0 && config.ema_alpha <= 1.0;
        Self {
            ttl_ms: config.ttl_ms.into(),
            floor,
            ceiling: ceiling.max(floor),
            alpha: if is_weight { config.ema_alpha } else { alpha },
        }
    }

    /// How often best-effort frames come, now that one more has come, and how many of them are kept for that.
    #[allow(clippy::cast_precision_loss)] // Every number is far below 2^53.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // What is not between the two is not used.
    fn paced(self, before: Option<&Pace>, now: TimestampMs) -> (Pace, u64) {
        let ttl_ms = self.ttl_ms.max(1) as f64;
        let Some(before) = before else {
            let rate = self.floor as f64 * 1_000.0 / (2.0 * ttl_ms);
            return (Pace { rate, at: now }, self.floor);
        };
        let since = now.0.saturating_sub(before.at.0).max(1) as f64;
        let rate = self.alpha * (1_000.0 / since) + (1.0 - self.alpha) * before.rate;
        let kept = 2.0 * (rate * ttl_ms / 1_000.0).ceil();
        (Pace { rate, at: now }, kept.clamp(self.floor as f64, self.ceiling as f64) as u64)
    }
}

impl Appending {
    pub fn of(frame: &Frame) -> Result<Self, EngineError> {
        let (effort, patch) = match &frame.mode {
            StreamMode::BestEffortLive { config } => (Some(Effort::of(config)), None),
            StreamMode::DurableSummary { .. } => (None, Some(patch_of(&frame.bytes)?)),
            _ => (None, None),
        };
        let ttl_ms = effort.map(|effort| effort.ttl_ms).filter(|ttl_ms| *ttl_ms > 0);
        let content = FrameContent {
            frame_type: type_of(frame),
            mode: frame.mode.wire_str().to_owned(),
            payload: frame.bytes.clone().into(),
            correlation_id: frame.correlation_id.clone().filter(|id| !id.is_empty()),
            seq: frame.seq,
            summary_version: None,
            ttl_ms,
        };
        let bytes = rmp_serde::to_vec(frame)
            .map_err(|error| EngineError::invalid_input(error.to_string()))?;
        Ok(Self { content, digest: format!("{:x}", Sha256::digest(bytes)), effort, patch })
    }
}

/// STR-007.
fn type_of(frame: &Frame) -> String {
    if !frame.frame_type.is_empty() {
        return frame.frame_type.clone();
    }
    let kind: &'static str = match frame.kind {
        kind @ (FrameKind::Blob | FrameKind::Stderr | FrameKind::Stdout) => kind.into(),
        _ => FrameKind::Event.into(),
    };
    kind.to_owned()
}

impl Stream {
    fn new(execution: &ExecutionId, attempt: AttemptIndex) -> Self {
        Self {
            execution: execution.clone(),
            attempt,
            frame_count: 0,
            first: 1,
            last_at: TimestampMs(0),
            sequenced: None,
            pace: None,
            holds_others: false,
            expires_at: None,
        }
    }

    /// Whether its frames are gone (STR-015).
    pub(super) fn is_over(&self, now: TimestampMs) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// How a frame with a number was appended before, or that its number is none for it (STR-032, STR-033).
    fn repeated(&self, new: &Appending) -> Result<Option<AppendFrameOutcome>, EngineError> {
        let (Some(seq), Some(last)) = (new.content.seq, &self.sequenced) else {
            return Ok(None);
        };
        if seq > last.seq {
            return Ok(None);
        }
        if seq == last.seq && new.digest == last.digest {
            return Ok(Some(outcome(last.at, last.number, last.summary_version)));
        }
        let detail = format!("frame {seq} comes after frame {}", last.seq);
        Err(EngineError::validation(ValidationKind::InvalidOffset, detail))
    }

    /// Removes all frames but the newest.
    fn trim<T: Tx>(&mut self, tx: &mut Session<T>, kept: u64) {
        let first = self.first.max((self.frame_count + 1).saturating_sub(kept));
        for number in self.first..first {
            tx.remove(StoredFrame::at(&self.execution, &self.attempt, &number.cast_signed()));
        }
        self.first = first;
    }

    /// Removes all frames.
    pub(crate) fn clear<T: Tx>(&mut self, tx: &mut Session<T>) {
        self.trim(tx, 0);
    }
}

fn outcome(at: TimestampMs, number: u64, summary_version: Option<u64>) -> AppendFrameOutcome {
    let outcome = AppendFrameOutcome::new(format!("{at}-{number}"), number);
    match summary_version {
        Some(version) => outcome.with_summary_version(version),
        None => outcome,
    }
}

/// Appends a frame to the stream of the attempt that the caller holds (STR-003, STR-030).
pub(crate) async fn append<T: Tx>(
    tx: &mut Session<T>,
    tag: BackendTag,
    handle: &Handle,
    frame: &Frame,
) -> Rule<AppendFrameOutcome> {
    let new = Appending::of(frame)?;
    let payload = HandlePayload::open(tag, handle)?;
    let (id, attempt) = (&payload.execution_id, payload.attempt_index);
    let places = (Execution::at(id), Stream::at(id, &attempt));
    let (stream, summary) = if new.patch.is_some() {
        let (_, stream, summary) = tx.lock((places.0, places.1, Summary::at(id, &attempt))).await?;
        (stream, summary)
    } else {
        (tx.lock(places).await?.1, None)
    };
    let Held { execution, now } = held(tx, &Holder::of(&payload)).await?;
    let mut stream = stream.unwrap_or_else(|| Stream::new(id, attempt));
    if let Some(outcome) = stream.repeated(&new)? {
        return Ok(outcome);
    }
    let mut content = new.content;
    if let Some(patch) = &new.patch {
        let summary = merge(summary, (id, attempt), patch, now)?;
        content.summary_version = Some(summary.version);
        tx.put(&summary);
    }
    if stream.is_over(now) {
        stream.clear(tx);
    }
    stream.frame_count += 1;
    // Never back, whatever the clock does.
    stream.last_at = stream.last_at.max(now);
    let summary_version = content.summary_version;
    if let Some(seq) = content.seq {
        stream.sequenced = Some(Sequenced {
            seq,
            digest: new.digest,
            at: stream.last_at,
            number: stream.frame_count,
            summary_version,
        });
    }
    let kept = match (new.effort, new.patch) {
        (Some(effort), _) => {
            let (pace, kept) = effort.paced(stream.pace.as_ref(), now);
            stream.pace = Some(pace);
            let ends =
                (!stream.holds_others && effort.ttl_ms > 0).then(|| later(now, 2 * effort.ttl_ms));
            stream.expires_at = ends;
            kept
        }
        (None, patch) => {
            (stream.holds_others, stream.expires_at) = (true, None);
            patch.map_or_else(|| kept_by(&execution), |_| MAX_SUMMARY_FRAMES)
        }
    };
    tx.put(&StoredFrame {
        execution: id.clone(),
        attempt,
        number: stream.frame_count.cast_signed(),
        at: stream.last_at,
        content,
    });
    stream.trim(tx, kept);
    tx.put(&stream);
    Ok(outcome(stream.last_at, stream.frame_count, summary_version))
}

/// How many frames stay after a durable one (STR-008, STR-035).
fn kept_by(execution: &Execution) -> u64 {
    let stream = execution.policy.as_ref().and_then(|policy| policy.stream_policy.as_ref());
    stream.map_or(MAX_FRAMES, |stream| stream.retention_maxlen)
}

impl FrameContent {
    pub(crate) fn is_best_effort(&self) -> bool {
        self.mode == StreamMode::best_effort_live(0).wire_str()
    }

    /// The frame as readers see it (STR-005, STR-006).
    pub fn shown(self, at: TimestampMs, number: u64) -> StreamFrame {
        use base64::Engine as _;
        let (encoding, payload) = match String::from_utf8(self.payload.into_vec()) {
            Ok(text) => ("utf8", text),
            Err(error) => {
                let bytes = error.into_bytes();
                ("base64", base64::engine::general_purpose::STANDARD.encode(bytes))
            }
        };
        let number_of = |number: Option<u64>| number.map(|number| number.to_string());
        let fields = [
            ("correlation_id", self.correlation_id),
            ("encoding", Some(encoding.to_owned())),
            ("frame_type", Some(self.frame_type)),
            ("mode", Some(self.mode)),
            ("payload", Some(payload)),
            ("seq", number_of(self.seq)),
            ("source", Some("worker".to_owned())),
            ("summary_version", number_of(self.summary_version)),
            ("ts", Some(at.to_string())),
            ("ttl_ms", number_of(self.ttl_ms)),
        ];
        let given = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        StreamFrame { id: format!("{at}-{number}"), fields: given.collect() }
    }
}

/// A stored frame whose number cannot be one.
pub(super) fn shown(frame: StoredFrame) -> Result<StreamFrame, StoreError> {
    let number = u64::try_from(frame.number).map_err(|error| StoreError::Corrupt {
        record: "StoredFrame",
        detail: error.to_string(),
    })?;
    Ok(frame.content.shown(frame.at, number))
}
