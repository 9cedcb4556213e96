//! Frames and the summary documents made of them.

use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};

/// What a stream frame carries.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr, Serialize, Deserialize, Arbitrary,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum FrameKind {
    Blob,
    Event,
    Stderr,
    Stdout,
}

/// How a summary frame is merged into the summary document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PatchKind {
    /// RFC 7396.
    JsonMergePatch,
}

/// One piece of an attempt's output stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct Frame {
    /// The content.
    #[serde(with = "crate::octets::Octets")]
    pub bytes: Vec<u8>,
    /// What it is.
    pub kind: FrameKind,
    /// Ties it to something outside.
    pub correlation_id: Option<String>,
    /// The producer's own classification.
    pub frame_type: String,
    /// How long it lives.
    pub mode: StreamMode,
    /// The producer's number, for idempotent appends.
    pub seq: Option<u64>,
}

impl Frame {
    pub fn new(bytes: Vec<u8>, kind: FrameKind) -> Self {
        Self {
            bytes,
            kind,
            correlation_id: None,
            frame_type: String::new(),
            mode: StreamMode::Durable,
            seq: None,
        }
    }

    #[must_use]
    pub fn with_correlation_id(mut self, correlation_id: impl Into<String>) -> Self {
        self.correlation_id = Some(correlation_id.into());
        self
    }

    #[must_use]
    pub fn with_frame_type(mut self, frame_type: impl Into<String>) -> Self {
        self.frame_type = frame_type.into();
        self
    }

    #[must_use]
    pub fn with_mode(mut self, mode: StreamMode) -> Self {
        self.mode = mode;
        self
    }
}

/// Where an appended frame landed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct AppendFrameOutcome {
    /// Opaque id of the frame.
    pub stream_id: String,
    /// Frames on the stream after this one.
    pub frame_count: u64,
    /// The document's version after this frame, on a summary stream.
    pub summary_version: Option<u64>,
}

impl AppendFrameOutcome {
    pub fn new(stream_id: impl Into<String>, frame_count: u64) -> Self {
        Self { stream_id: stream_id.into(), frame_count, summary_version: None }
    }

    #[must_use]
    pub fn with_summary_version(mut self, summary_version: u64) -> Self {
        self.summary_version = Some(summary_version);
        self
    }
}

/// Which frames a tailing reader sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TailVisibility {
    All,
    /// Leaves out best-effort frames.
    ExcludeBestEffort,
}

/// The merged document of a summary stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct SummaryDocument {
    /// The merged document, as JSON.
    #[serde(with = "crate::octets::Octets")]
    pub document_json: Vec<u8>,
    /// Grows by one with each patch.
    pub version: u64,
    /// How patches are merged.
    pub patch_kind: PatchKind,
    /// When the last patch was merged, in Unix milliseconds.
    pub last_updated_ms: u64,
    /// When the first patch was merged, in Unix milliseconds.
    pub first_applied_ms: u64,
}

impl Frame {
    /// A frame whose append is idempotent under the producer's number.
    pub fn with_seq(bytes: Vec<u8>, kind: FrameKind, seq: u64) -> Self {
        Self { seq: Some(seq), ..Self::new(bytes, kind) }
    }
}

impl TailVisibility {
    /// The name in snake case, as it travels.
    pub fn wire_str(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::ExcludeBestEffort => "exclude_best_effort",
        }
    }
}

/// How long a frame lives and how readers see it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StreamMode {
    /// Kept until retention removes it.
    #[default]
    Durable,
    /// Merged into one document as it arrives.
    DurableSummary { patch_kind: PatchKind },
    /// Kept briefly, for readers that follow live.
    BestEffortLive { config: BestEffortLiveConfig },
}

impl StreamMode {
    pub fn durable() -> Self {
        Self::Durable
    }

    pub fn durable_summary() -> Self {
        Self::DurableSummary { patch_kind: PatchKind::JsonMergePatch }
    }

    /// Kept for `ttl_ms` milliseconds.
    pub fn best_effort_live(ttl_ms: u32) -> Self {
        Self::best_effort_live_with_config(BestEffortLiveConfig::new(ttl_ms))
    }

    pub fn best_effort_live_with_config(config: BestEffortLiveConfig) -> Self {
        Self::BestEffortLive { config }
    }

    /// The name in snake case, as it travels.
    pub fn wire_str(&self) -> &'static str {
        match self {
            Self::Durable => "durable",
            Self::DurableSummary { .. } => "durable_summary",
            Self::BestEffortLive { .. } => "best_effort_live",
        }
    }
}

/// How a best-effort stream sizes its window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct BestEffortLiveConfig {
    /// Milliseconds a frame is kept.
    pub ttl_ms: u32,
    /// Frames kept at least.
    pub maxlen_floor: u32,
    /// Frames kept at most.
    pub maxlen_ceiling: u32,
    /// Weight of the newest interval in the moving average of the frame rate, 0 to 1.
    #[arbitrary(with = crate::policy::arbitrary_ratio)]
    pub ema_alpha: f64,
}

impl BestEffortLiveConfig {
    pub fn new(ttl_ms: u32) -> Self {
        Self { ttl_ms, maxlen_floor: 64, maxlen_ceiling: 16_384, ema_alpha: 0.2 }
    }

    /// The same as [`BestEffortLiveConfig::new`].
    pub fn with_ttl(ttl_ms: u32) -> Self {
        Self::new(ttl_ms)
    }

    #[must_use]
    pub fn with_maxlen_floor(mut self, maxlen_floor: u32) -> Self {
        self.maxlen_floor = maxlen_floor;
        self
    }

    #[must_use]
    pub fn with_maxlen_ceiling(mut self, maxlen_ceiling: u32) -> Self {
        self.maxlen_ceiling = maxlen_ceiling;
        self
    }

    #[must_use]
    pub fn with_ema_alpha(mut self, ema_alpha: f64) -> Self {
        self.ema_alpha = ema_alpha;
        self
    }
}

/// In a summary patch, the string that stands for JSON `null`.
pub const SUMMARY_NULL_SENTINEL: &str = "__ff_null__";
