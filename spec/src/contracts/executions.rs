//! Creating, reading, ending and steering executions.

use std::collections::{BTreeMap, HashMap};

use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};

use crate::backend::Namespace;
use crate::policy::ExecutionPolicy;
use crate::state::{PublicState, StateVector};
use crate::types::{
    AttemptId, AttemptIndex, CancelSource, ExecutionId, FlowId, LaneId, LeaseEpoch, LeaseFence,
    LeaseId, TimestampMs, WaitpointId, WorkerInstanceId,
};

/// A new execution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Arbitrary)]
pub struct CreateExecutionArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Who created it; recorded only.
    pub creator_identity: String,
    /// When it becomes claimable, in Unix milliseconds.
    pub delay_until: Option<TimestampMs>,
    /// When the whole execution is out of time, in Unix milliseconds.
    pub execution_deadline_at: Option<TimestampMs>,
    /// What to run; not empty, uninterpreted.
    pub execution_kind: String,
    /// A key under which a repetition is recognised.
    pub idempotency_key: Option<String>,
    /// Bytes for the worker, at most 64 KiB, kept bit for bit.
    #[serde(with = "crate::octets::Octets")]
    pub input_payload: Vec<u8>,
    /// The lane the execution was created on.
    pub lane_id: LaneId,
    /// The tenant.
    pub namespace: Namespace,
    /// The partition; equals the one in the execution's id.
    pub partition_id: u16,
    /// How the caller encoded the payload; recorded only.
    pub payload_encoding: Option<String>,
    /// The rules this record is bound to.
    pub policy: Option<ExecutionPolicy>,
    /// 0 to 9000, higher first; values outside are clamped.
    pub priority: i32,
    /// Names and values attached by callers; see `validate_tag_key`.
    pub tags: HashMap<String, String>,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// Whether the execution is new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum CreateExecutionResult {
    /// Stored, in this public state.
    Created {
        /// The execution.
        execution_id: ExecutionId,
        /// The state shown to callers.
        public_state: PublicState,
    },
    /// Known already, under this id; nothing was written.
    Duplicate {
        /// The execution.
        execution_id: ExecutionId,
    },
}

/// What a worker needs to run an execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct ExecutionContext {
    /// Bytes for the worker, at most 64 KiB, kept bit for bit.
    #[serde(with = "crate::octets::Octets")]
    pub input_payload: Vec<u8>,
    /// What to run; not empty, uninterpreted.
    pub execution_kind: String,
    /// Names and values attached by callers; see `validate_tag_key`.
    pub tags: HashMap<String, String>,
}

/// An execution at one instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct ExecutionSnapshot {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The flow.
    pub flow_id: Option<FlowId>,
    /// The lane the execution was created on.
    pub lane_id: LaneId,
    /// The tenant.
    pub namespace: Namespace,
    /// The state shown to callers.
    pub public_state: PublicState,
    /// What it waits for; `None` when nothing.
    pub blocking_reason: Option<String>,
    /// More about what it waits for.
    pub blocking_detail: Option<String>,
    /// The attempt most recently started, while there is one.
    pub current_attempt: Option<AttemptSummary>,
    /// The lease that holds it, if any.
    pub current_lease: Option<LeaseSummary>,
    /// The waitpoint it waits on, if any.
    pub current_waitpoint: Option<WaitpointId>,
    /// When it was created, in Unix milliseconds.
    pub created_at: TimestampMs,
    /// When it last changed, in Unix milliseconds.
    pub last_mutation_at: TimestampMs,
    /// Attempts ever started.
    pub total_attempt_count: u32,
    /// Names and values attached by callers; see `validate_tag_key`.
    pub tags: BTreeMap<String, String>,
}

/// The current attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct AttemptSummary {
    /// The attempt.
    pub attempt_id: AttemptId,
    /// Which attempt, counting from 0.
    pub attempt_index: AttemptIndex,
}

/// The lease that holds an execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct LeaseSummary {
    /// Which of the execution's leases, counting from 1.
    pub lease_epoch: LeaseEpoch,
    /// The process that acts.
    pub worker_instance_id: WorkerInstanceId,
    /// When it runs out, in Unix milliseconds.
    pub expires_at: TimestampMs,
    /// Which attempt, counting from 0.
    pub attempt_index: AttemptIndex,
    /// When the lease was last renewed, or taken, in Unix milliseconds.
    pub last_heartbeat_at: Option<TimestampMs>,
    /// The lease.
    pub lease_id: LeaseId,
}

impl LeaseSummary {
    pub fn new(
        lease_epoch: LeaseEpoch,
        worker_instance_id: WorkerInstanceId,
        expires_at: TimestampMs,
    ) -> Self {
        Self {
            lease_epoch,
            worker_instance_id,
            expires_at,
            attempt_index: AttemptIndex::new(0),
            last_heartbeat_at: None,
            lease_id: LeaseId::from_uuid(uuid::Uuid::nil()),
        }
    }

    #[must_use]
    pub fn with_attempt_index(mut self, attempt_index: AttemptIndex) -> Self {
        self.attempt_index = attempt_index;
        self
    }

    #[must_use]
    pub fn with_last_heartbeat_at(mut self, last_heartbeat_at: TimestampMs) -> Self {
        self.last_heartbeat_at = Some(last_heartbeat_at);
        self
    }

    #[must_use]
    pub fn with_lease_id(mut self, lease_id: LeaseId) -> Self {
        self.lease_id = lease_id;
        self
    }
}

/// An execution, for dashboards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct ExecutionInfo {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The flow.
    pub flow_id: Option<String>,
    /// More about what it waits for.
    pub blocking_detail: String,
    /// When it ended, in Unix milliseconds.
    pub completed_at: Option<String>,
    /// When it was created, in Unix milliseconds.
    pub created_at: String,
    /// Which attempt is current, counting from 0.
    pub current_attempt_index: u32,
    /// What to run; not empty, uninterpreted.
    pub execution_kind: String,
    /// The lane the execution was created on.
    pub lane_id: String,
    /// The tenant.
    pub namespace: String,
    /// 0 to 9000, higher first; values outside are clamped.
    pub priority: i32,
    /// The state shown to callers.
    pub public_state: PublicState,
    /// When the first attempt started, in Unix milliseconds.
    pub started_at: Option<String>,
    /// All dimensions of its state.
    pub state_vector: StateVector,
}

/// A page of execution ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct ListExecutionsPage {
    /// The ids, ascending.
    pub executions: Vec<ExecutionId>,
    /// Where the next page starts; `None` on the last.
    pub next_cursor: Option<ExecutionId>,
}

/// A page of lanes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct ListLanesPage {
    /// The lanes, ascending.
    pub lanes: Vec<LaneId>,
    /// Where the next page starts; `None` on the last.
    pub next_cursor: Option<LaneId>,
}

/// A success reported without a handle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct CompleteExecutionArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Which attempt, counting from 0.
    pub attempt_index: AttemptIndex,
    /// The lease that must still be current; `None` for an operator's override.
    pub fence: Option<LeaseFence>,
    /// How the caller encoded the result; recorded only.
    pub result_encoding: Option<String>,
    /// The result, at most 64 KiB.
    #[serde(default, with = "crate::octets::OptionalOctets")]
    pub result_payload: Option<Vec<u8>>,
    /// On whose authority.
    pub source: CancelSource,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// The completed execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum CompleteExecutionResult {
    Completed {
        /// The execution.
        execution_id: ExecutionId,
        /// The state shown to callers.
        public_state: PublicState,
    },
}

/// A failure reported without a handle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct FailExecutionArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Which attempt, counting from 0.
    pub attempt_index: AttemptIndex,
    /// A word that the retry policy can name.
    pub failure_category: String,
    /// What went wrong, at most 64 KiB.
    pub failure_reason: String,
    /// The lease that must still be current; `None` for an operator's override.
    pub fence: Option<LeaseFence>,
    /// Empty, or a JSON object recorded for the next attempt.
    pub next_attempt_policy_json: String,
    /// Empty for no retries, or a `RetryPolicy` as JSON.
    pub retry_policy_json: String,
    /// On whose authority.
    pub source: CancelSource,
}

/// What a reported failure led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum FailExecutionResult {
    RetryScheduled {
        /// When it becomes claimable, in Unix milliseconds.
        delay_until: TimestampMs,
        /// The index that the retry will get.
        next_attempt_index: AttemptIndex,
    },
    TerminalFailed,
}

/// An execution to cancel, and on whose authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct CancelExecutionArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The attempt.
    pub attempt_id: Option<AttemptId>,
    /// Which of the execution's leases, counting from 1.
    pub lease_epoch: Option<LeaseEpoch>,
    /// The lease.
    pub lease_id: Option<LeaseId>,
    /// Why; at most 64 KiB.
    pub reason: String,
    /// On whose authority.
    pub source: CancelSource,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// The cancelled execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum CancelExecutionResult {
    Cancelled {
        /// The execution.
        execution_id: ExecutionId,
        /// The state shown to callers.
        public_state: PublicState,
    },
}

/// An execution's new priority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct ChangePriorityArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The lane the execution was created on.
    pub lane_id: LaneId,
    /// 0 to 9000, higher first; values outside are clamped.
    pub new_priority: i32,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// The re-ordered execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum ChangePriorityResult {
    Changed {
        /// The execution.
        execution_id: ExecutionId,
    },
}

/// A terminal execution to run again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct ReplayExecutionArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// The execution as the replay left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum ReplayExecutionResult {
    Replayed {
        /// The state shown to callers.
        public_state: PublicState,
    },
}
