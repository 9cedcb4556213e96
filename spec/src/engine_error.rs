//! The errors of the trait, each with a stable code that Rust, Lua, SQL, reports and tapes share.

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::contracts::EdgeSnapshot;
use crate::error::ErrorClass;
use crate::intern::admit;
use crate::stream_subscribe::StreamCursor;

/// Everything a call can be refused with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    #[error("{entity} not found")]
    NotFound { entity: &'static str },
    #[error("{}: {detail}", <&'static str>::from(.kind))]
    Validation { kind: ValidationKind, detail: String },
    #[error("{}", <&'static str>::from(.0))]
    Contention(ContentionKind),
    #[error("{}", <&'static str>::from(.0))]
    Conflict(ConflictKind),
    #[error("{}", <&'static str>::from(.0))]
    State(StateKind),
    #[error("{}", <&'static str>::from(.0))]
    Bug(BugKind),
    /// The backend does not provide the method; `op` is the method's name (SYS-001).
    #[error("{op} is not available")]
    Unavailable { op: &'static str },
    #[error("{op} timed out after {elapsed:?}")]
    Timeout { op: &'static str, elapsed: Duration },
    #[error("{pool} is exhausted (at most {max})")]
    ResourceExhausted { pool: &'static str, max: u32, retry_after_ms: Option<u32> },
    #[error("the stream dropped events that this reader had not seen")]
    StreamBackpressure,
    #[error("the stream was cut off")]
    StreamDisconnected { cursor: StreamCursor },
    /// The storage or the way to it failed; the call may or may not have taken effect.
    #[error("{backend}: {source}")]
    Transport { backend: &'static str, source: Box<dyn std::error::Error + Send + Sync + 'static> },
    #[error("{context}: {source}")]
    Contextual { context: String, source: Box<EngineError> },
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident { $($body:tt)* })*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, strum::IntoStaticStr,
            strum::VariantNames,
        )]
        #[serde(rename_all = "snake_case")]
        #[strum(serialize_all = "snake_case")]
        #[non_exhaustive]
        pub enum $name { $($body)* }
    )*};
}

kinds! {
    /// The arguments are wrong, whatever the state.
    ValidationKind {
        BudgetOverrideNotAllowed,
        CapabilityMismatch,
        /// A stored record or a handle cannot be decoded.
        Corruption,
        HandleFromOtherBackend,
        InvalidBlockingReason,
        InvalidBudgetScope,
        InvalidCapabilities,
        InvalidDependency,
        InvalidFrameType,
        InvalidGraceMs,
        InvalidInput,
        InvalidKid,
        InvalidLeaseForSuspend,
        InvalidOffset,
        InvalidPolicyJson,
        InvalidQuotaSpec,
        InvalidSecretHex,
        InvalidTagKey,
        InvalidToken,
        InvalidWaitpointForExecution,
        InvalidWaitpointKey,
        PayloadTooLarge,
        RetentionLimitExceeded,
        SignalLimitExceeded,
        Unauthorized,
        WaitpointNotTokenBound,
    }

    /// Someone else was faster, or the execution is elsewhere in its life.
    ContentionKind {
        ClaimGrantExpired,
        ConcurrencyLimitExceeded,
        /// What there is instead of a live lease (LSE-004).
        ExecutionNotActive {
            terminal_outcome: String,
            lease_epoch: String,
            lifecycle_phase: String,
            attempt_id: String,
        },
        ExecutionNotEligible,
        ExecutionNotInEligibleSet,
        ExecutionNotLeaseable,
        ExecutionNotReclaimable,
        InvalidClaimGrant,
        LeaseConflict,
        NoActiveLease,
        NoEligibleExecution,
        NotAResumedExecution,
        RateLimitExceeded,
        /// The storage kept refusing to serialise the call.
        RetryExhausted,
        StaleGraphRevision,
        UseClaimResumedExecution,
        WaitpointNotFound,
        WaitpointPendingUseBufferScript,
    }

    /// The call contradicts what is stored.
    ConflictKind {
        ActiveAttemptExists,
        BudgetAttachConflict,
        CycleDetected,
        /// The edge that is there already.
        DependencyAlreadyExists { existing: EdgeSnapshot },
        ExecutionAlreadyInFlow,
        QuotaAttachConflict,
        RotationConflict(String),
        SelfReferencingEdge,
        WaitpointAlreadyExists,
    }

    /// The record's state does not allow the call.
    StateKind {
        AlreadySatisfied,
        AlreadySuspended,
        AttemptAlreadyTerminal,
        AttemptNotStarted,
        BudgetExceeded,
        BudgetSoftExceeded,
        DepsNotSatisfied,
        DuplicateSignal,
        ExecutionNotEligibleForAttempt,
        ExecutionNotInFlow,
        ExecutionNotSuspended,
        ExecutionNotTerminal,
        FlowAlreadyTerminal,
        GrantAlreadyExists,
        LeaseExpired,
        LeaseRevoked,
        MaxReplaysExhausted,
        MaxRetriesExhausted,
        NotBlockedByDeps,
        NotRunnable,
        OkAlreadyApplied,
        PendingWaitpointExpired,
        ReplayNotAllowed,
        ResumeConditionNotMet,
        StaleLease,
        StaleOwnerCannotAppend,
        StreamAlreadyClosed,
        StreamClosed,
        TargetNotSignalable,
        Terminal,
        WaitpointClosed,
        WaitpointNotOpen,
        WaitpointNotPending,
    }

    /// The engine contradicts itself.
    BugKind { AttemptNotInCreatedState }
}

impl EngineError {
    /// A refusal of the arguments.
    pub fn validation(kind: ValidationKind, detail: impl Into<String>) -> Self {
        Self::Validation { kind, detail: detail.into() }
    }

    /// `Validation(InvalidInput)`, the most frequent refusal.
    pub fn invalid_input(detail: impl Into<String>) -> Self {
        Self::validation(ValidationKind::InvalidInput, detail)
    }

    /// A failure of the storage or the way to it.
    pub fn transport(
        backend: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync + 'static>>,
    ) -> Self {
        Self::Transport { backend, source: source.into() }
    }

    /// The stable code: a group, or a group and a kind, as in `contention.stale_graph_revision`.
    /// A context does not change the code.
    pub fn code(&self) -> String {
        let of = |group: &str, kind: &'static str| format!("{group}.{kind}");
        match self {
            Self::NotFound { entity } => of("not_found", entity),
            Self::Validation { kind, .. } => of("validation", kind.into()),
            Self::Contention(kind) => of("contention", kind.into()),
            Self::Conflict(kind) => of("conflict", kind.into()),
            Self::State(kind) => of("state", kind.into()),
            Self::Bug(kind) => of("bug", kind.into()),
            Self::Unavailable { .. } => "unavailable".to_owned(),
            Self::Timeout { .. } => "timeout".to_owned(),
            Self::ResourceExhausted { .. } => "resource_exhausted".to_owned(),
            Self::StreamBackpressure => "stream_backpressure".to_owned(),
            Self::StreamDisconnected { .. } => "stream_disconnected".to_owned(),
            Self::Transport { .. } => "transport".to_owned(),
            Self::Contextual { source, .. } => source.code(),
        }
    }

    /// What a caller can do about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::NotFound { .. }
            | Self::Validation { .. }
            | Self::Conflict(_)
            | Self::Unavailable { .. } => ErrorClass::Terminal,
            Self::Contention(kind) => match kind {
                ContentionKind::ExecutionNotActive { .. } | ContentionKind::LeaseConflict => {
                    ErrorClass::Cooperative
                }
                ContentionKind::NoEligibleExecution => ErrorClass::Expected,
                _ => ErrorClass::Retryable,
            },
            Self::State(kind) => match kind {
                StateKind::AlreadySatisfied
                | StateKind::OkAlreadyApplied
                | StateKind::DuplicateSignal => ErrorClass::Informational,
                StateKind::BudgetSoftExceeded => ErrorClass::SoftError,
                StateKind::StaleLease | StateKind::LeaseExpired | StateKind::LeaseRevoked => {
                    ErrorClass::Cooperative
                }
                _ => ErrorClass::Terminal,
            },
            Self::Bug(_) => ErrorClass::Bug,
            Self::StreamBackpressure => ErrorClass::Advisory,
            Self::Timeout { .. }
            | Self::ResourceExhausted { .. }
            | Self::StreamDisconnected { .. }
            | Self::Transport { .. } => ErrorClass::Retryable,
            Self::Contextual { source, .. } => source.class(),
        }
    }

    /// The error without the contexts around it.
    pub fn root(&self) -> &Self {
        match self {
            Self::Contextual { source, .. } => source.root(),
            other => other,
        }
    }
}

/// Every code that an error can have, for tables and for checking spelling. `not_found` codes
/// end in the entity and are listed for the entities of the contract.
pub fn codes() -> impl Iterator<Item = String> {
    use strum::VariantNames;
    let groups: [(&str, &[&str]); 6] = [
        ("not_found", &["execution", "flow", "budget", "quota_policy", "waitpoint"]),
        ("validation", ValidationKind::VARIANTS),
        ("contention", ContentionKind::VARIANTS),
        ("conflict", ConflictKind::VARIANTS),
        ("state", StateKind::VARIANTS),
        ("bug", BugKind::VARIANTS),
    ];
    let single = [
        "unavailable",
        "timeout",
        "resource_exhausted",
        "stream_backpressure",
        "stream_disconnected",
        "transport",
    ];
    groups
        .into_iter()
        .flat_map(|(group, kinds)| kinds.iter().map(move |kind| format!("{group}.{kind}")))
        .chain(single.map(str::to_owned))
}

/// Says where an error arose, keeping its code.
pub fn backend_context(error: EngineError, context: impl Into<String>) -> EngineError {
    EngineError::Contextual { context: context.into(), source: Box::new(error) }
}

/// An `EngineError` as plain data: what is compared, copied, recorded and sent. Of a transport
/// fault it keeps the text, not the original error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
enum Record {
    NotFound { entity: String },
    Validation { kind: ValidationKind, detail: String },
    Contention(ContentionKind),
    Conflict(ConflictKind),
    State(StateKind),
    Bug(BugKind),
    Unavailable { op: String },
    Timeout { op: String, elapsed: Duration },
    ResourceExhausted { pool: String, max: u32, retry_after_ms: Option<u32> },
    StreamBackpressure,
    StreamDisconnected { cursor: StreamCursor },
    Transport { backend: String, source: String },
    Contextual { context: String, source: Box<Record> },
}

impl From<&EngineError> for Record {
    fn from(error: &EngineError) -> Self {
        match error {
            EngineError::NotFound { entity } => Self::NotFound { entity: (*entity).to_owned() },
            EngineError::Validation { kind, detail } => {
                Self::Validation { kind: kind.clone(), detail: detail.clone() }
            }
            EngineError::Contention(kind) => Self::Contention(kind.clone()),
            EngineError::Conflict(kind) => Self::Conflict(kind.clone()),
            EngineError::State(kind) => Self::State(kind.clone()),
            EngineError::Bug(kind) => Self::Bug(kind.clone()),
            EngineError::Unavailable { op } => Self::Unavailable { op: (*op).to_owned() },
            EngineError::Timeout { op, elapsed } => {
                Self::Timeout { op: (*op).to_owned(), elapsed: *elapsed }
            }
            EngineError::ResourceExhausted { pool, max, retry_after_ms } => {
                Self::ResourceExhausted {
                    pool: (*pool).to_owned(),
                    max: *max,
                    retry_after_ms: *retry_after_ms,
                }
            }
            EngineError::StreamBackpressure => Self::StreamBackpressure,
            EngineError::StreamDisconnected { cursor } => {
                Self::StreamDisconnected { cursor: cursor.clone() }
            }
            EngineError::Transport { backend, source } => {
                Self::Transport { backend: (*backend).to_owned(), source: source.to_string() }
            }
            EngineError::Contextual { context, source } => Self::Contextual {
                context: context.clone(),
                source: Box::new(source.as_ref().into()),
            },
        }
    }
}

impl From<Record> for EngineError {
    fn from(record: Record) -> Self {
        match record {
            Record::NotFound { entity } => Self::NotFound { entity: name(&entity) },
            Record::Validation { kind, detail } => Self::Validation { kind, detail },
            Record::Contention(kind) => Self::Contention(kind),
            Record::Conflict(kind) => Self::Conflict(kind),
            Record::State(kind) => Self::State(kind),
            Record::Bug(kind) => Self::Bug(kind),
            Record::Unavailable { op } => Self::Unavailable { op: name(&op) },
            Record::Timeout { op, elapsed } => Self::Timeout { op: name(&op), elapsed },
            Record::ResourceExhausted { pool, max, retry_after_ms } => {
                Self::ResourceExhausted { pool: name(&pool), max, retry_after_ms }
            }
            Record::StreamBackpressure => Self::StreamBackpressure,
            Record::StreamDisconnected { cursor } => Self::StreamDisconnected { cursor },
            Record::Transport { backend, source } => Self::transport(name(&backend), source),
            Record::Contextual { context, source } => {
                Self::Contextual { context, source: Box::new((*source).into()) }
            }
        }
    }
}

/// A name that came with an error. Where there is no room for one more, it is not told.
fn name(name: &str) -> &'static str {
    admit(name).unwrap_or("unknown")
}

impl Clone for EngineError {
    fn clone(&self) -> Self {
        Record::from(self).into()
    }
}

impl PartialEq for EngineError {
    fn eq(&self, other: &Self) -> bool {
        Record::from(self) == Record::from(other)
    }
}

impl Serialize for EngineError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Record::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for EngineError {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Record::deserialize(deserializer).map(Self::from)
    }
}

impl<'a> Arbitrary<'a> for EngineError {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Record::arbitrary(u).map(Self::from)
    }
}
