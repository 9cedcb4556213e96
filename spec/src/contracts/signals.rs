//! Signals, waitpoints, and claiming what they resumed.

use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};

use crate::backend::{Handle, WaitpointHmac};
use crate::partition::{Partition, PartitionKey, PartitionKeyParseError};
use crate::state::PublicState;
use crate::types::{
    AttemptId, AttemptIndex, ExecutionId, LaneId, LeaseEpoch, LeaseId, SignalId, TimestampMs,
    WaitpointId, WaitpointToken, WorkerId, WorkerInstanceId,
};

/// A signal for a waitpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct DeliverSignalArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Ties it to something outside.
    pub correlation_id: Option<String>,
    /// When it was created, in Unix milliseconds.
    pub created_at: Option<TimestampMs>,
    /// How long the idempotency key is remembered, in milliseconds.
    pub dedup_ttl_ms: Option<u64>,
    /// A key under which a repetition is recognised.
    pub idempotency_key: Option<String>,
    /// Signals accepted; 10 000 by default.
    pub max_signals_per_execution: Option<u64>,
    /// The bytes.
    #[serde(default, with = "crate::octets::OptionalOctets")]
    pub payload: Option<Vec<u8>>,
    /// How the caller encoded the payload; recorded only.
    pub payload_encoding: Option<String>,
    /// Milliseconds between the resumption and the execution becoming claimable.
    pub resume_delay_ms: Option<u64>,
    /// The sender's classification; uninterpreted.
    pub signal_category: String,
    /// The signal.
    pub signal_id: SignalId,
    /// Signals kept.
    pub signal_maxlen: Option<u64>,
    /// What the signal is called.
    pub signal_name: String,
    /// Who sent it.
    pub source_identity: String,
    /// What kind of sender that is.
    pub source_type: String,
    /// What the signal is for: `waitpoint` or `execution`.
    pub target_scope: String,
    /// The waitpoint.
    pub waitpoint_id: WaitpointId,
    /// The signed token that authorises a signal.
    pub waitpoint_token: WaitpointToken,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// Whether the signal is new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum DeliverSignalResult {
    Accepted {
        /// What the signal did: `satisfied`, `buffered` or `deduped`.
        effect: String,
        /// The signal.
        signal_id: SignalId,
    },
    Duplicate {
        /// The signal that was delivered first.
        existing_signal_id: SignalId,
    },
}

/// An operator's approval, delivered as a signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct DeliverApprovalSignalArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The lane the execution was created on.
    pub lane_id: LaneId,
    /// The waitpoint.
    pub waitpoint_id: WaitpointId,
    /// What the signal is called.
    #[new(into)]
    pub signal_name: String,
    /// Tells repeated approvals of one waitpoint apart.
    #[new(into)]
    pub idempotency_suffix: String,
    /// How long a repeated approval is recognised, in milliseconds.
    pub signal_dedup_ttl_ms: u64,
    /// Signals kept.
    pub maxlen: Option<u64>,
    /// Signals accepted; 10 000 by default.
    pub max_signals_per_execution: Option<u64>,
}

/// A suspended execution to resume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct ResumeExecutionArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Milliseconds between the resumption and the execution becoming claimable.
    pub resume_delay_ms: u64,
    /// What resumes it; recorded only.
    pub trigger_type: String,
}

/// The execution as the resumption left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum ResumeExecutionResult {
    Resumed {
        /// The state shown to callers.
        public_state: PublicState,
    },
}

/// The right to continue one resumed execution until it expires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct ResumeGrant {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The partition, as an opaque key.
    pub partition_key: PartitionKey,
    /// An opaque name for the grant.
    pub grant_key: String,
    /// When it runs out, in Unix milliseconds.
    pub expires_at_ms: u64,
    /// The lane the execution was created on.
    pub lane_id: LaneId,
}

/// A resumed execution to continue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct ClaimResumedExecutionArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Which attempt is current, counting from 0.
    pub current_attempt_index: AttemptIndex,
    /// The lane the execution was created on.
    pub lane_id: LaneId,
    /// The lease.
    pub lease_id: LeaseId,
    /// Lease length in milliseconds, at least 1, counted from the backend's clock.
    pub lease_ttl_ms: u64,
    /// Shortens what is left of the attempt's time, in milliseconds.
    pub remaining_attempt_timeout_ms: Option<u64>,
    /// The logical worker; a pool may share it.
    pub worker_id: WorkerId,
    /// The process that acts.
    pub worker_instance_id: WorkerInstanceId,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// The claimed, continued execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum ClaimResumedExecutionResult {
    Claimed(ClaimedResumedExecution),
}

/// An execution, its continued attempt and its new lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct ClaimedResumedExecution {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The lease.
    pub lease_id: LeaseId,
    /// Which of the execution's leases, counting from 1.
    pub lease_epoch: LeaseEpoch,
    /// Which attempt, counting from 0.
    pub attempt_index: AttemptIndex,
    /// The attempt.
    pub attempt_id: AttemptId,
    /// When the lease runs out, in Unix milliseconds.
    pub lease_expires_at: TimestampMs,
    /// The new handle.
    pub handle: Handle,
}

/// Whose waitpoints to list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct ListPendingWaitpointsArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Entries strictly after this one.
    pub after: Option<WaitpointId>,
    /// At most this many entries.
    pub limit: Option<u32>,
}

impl ListPendingWaitpointsArgs {
    pub fn new(execution_id: ExecutionId) -> Self {
        Self { execution_id, after: None, limit: None }
    }

    #[must_use]
    pub fn with_after(mut self, after: WaitpointId) -> Self {
        self.after = Some(after);
        self
    }

    #[must_use]
    pub fn with_limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }
}

/// A page of waitpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct ListPendingWaitpointsResult {
    /// The page.
    pub entries: Vec<PendingWaitpointInfo>,
    /// Where the next page starts; `None` on the last.
    pub next_cursor: Option<WaitpointId>,
}

impl ListPendingWaitpointsResult {
    pub fn new(entries: Vec<PendingWaitpointInfo>) -> Self {
        Self { entries, next_cursor: None }
    }

    #[must_use]
    pub fn with_next_cursor(mut self, next_cursor: WaitpointId) -> Self {
        self.next_cursor = Some(next_cursor);
        self
    }
}

/// A waitpoint that still accepts signals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct PendingWaitpointInfo {
    /// The waitpoint.
    pub waitpoint_id: WaitpointId,
    /// The name callers use for the waitpoint.
    pub waitpoint_key: String,
    /// `pending` or `active`.
    pub state: String,
    /// When it was created, in Unix milliseconds.
    pub created_at: TimestampMs,
    /// The execution.
    pub execution_id: ExecutionId,
    /// The name of the secret that signed the token.
    pub token_kid: String,
    /// The beginning of a digest of the token, for people.
    pub token_fingerprint: String,
    /// When a suspension began to listen on it, in Unix milliseconds.
    pub activated_at: Option<TimestampMs>,
    /// When it runs out, in Unix milliseconds.
    pub expires_at: Option<TimestampMs>,
    /// Names of signals that count; empty for any.
    pub required_signal_names: Vec<String>,
}

impl PendingWaitpointInfo {
    pub fn new(
        waitpoint_id: WaitpointId,
        waitpoint_key: String,
        state: String,
        created_at: TimestampMs,
        execution_id: ExecutionId,
        token_kid: String,
        token_fingerprint: String,
    ) -> Self {
        Self {
            waitpoint_id,
            waitpoint_key,
            state,
            created_at,
            execution_id,
            token_kid,
            token_fingerprint,
            activated_at: None,
            expires_at: None,
            required_signal_names: Vec::new(),
        }
    }

    #[must_use]
    pub fn with_activated_at(mut self, activated_at: TimestampMs) -> Self {
        self.activated_at = Some(activated_at);
        self
    }

    #[must_use]
    pub fn with_expires_at(mut self, expires_at: TimestampMs) -> Self {
        self.expires_at = Some(expires_at);
        self
    }

    #[must_use]
    pub fn with_required_signal_names(mut self, required_signal_names: Vec<String>) -> Self {
        self.required_signal_names = required_signal_names;
        self
    }
}

/// A further waitpoint of a suspension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct AdditionalWaitpointBinding {
    /// The waitpoint.
    pub waitpoint_id: WaitpointId,
    /// The name callers use for the waitpoint.
    pub waitpoint_key: String,
    /// The signed token that authorises a signal.
    pub waitpoint_token: WaitpointHmac,
}

/// A page of suspended executions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct ListSuspendedPage {
    /// The page.
    pub entries: Vec<SuspendedExecutionEntry>,
    /// Where the next page starts; `None` on the last.
    pub next_cursor: Option<ExecutionId>,
}

/// A suspended execution, for listings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct SuspendedExecutionEntry {
    /// The execution.
    pub execution_id: ExecutionId,
    /// When it was suspended, in Unix milliseconds.
    pub suspended_at_ms: i64,
    /// Why; at most 64 KiB.
    pub reason: String,
}

/// What a counting condition counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CountKind {
    DistinctSignals,
    DistinctSources,
    DistinctWaitpoints,
}

impl ResumeGrant {
    pub fn partition(&self) -> Result<Partition, PartitionKeyParseError> {
        self.partition_key.parse()
    }
}

/// Deepest nesting of a composite resume condition.
pub const MAX_COMPOSITE_DEPTH: usize = 4;
