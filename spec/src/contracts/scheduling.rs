//! Grants, claims by grant, and admission blocks.

use std::collections::BTreeSet;

use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};

use crate::backend::Handle;
use crate::partition::{Partition, PartitionKey, PartitionKeyParseError};
use crate::state::AttemptType;
use crate::types::{
    AttemptId, AttemptIndex, ExecutionId, LaneId, LeaseEpoch, LeaseId, TimestampMs, WorkerId,
    WorkerInstanceId,
};

/// Which eligible executions to list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct ScanEligibleArgs {
    /// The lane the execution was created on.
    pub lane_id: LaneId,
    /// The partition of the record.
    pub partition: Partition,
    /// At most this many entries.
    pub limit: u32,
}

/// An execution to reserve for a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct IssueClaimGrantArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The lane the execution was created on.
    pub lane_id: LaneId,
    /// The logical worker; a pool may share it.
    pub worker_id: WorkerId,
    /// The process that acts.
    pub worker_instance_id: WorkerInstanceId,
    /// The partition of the record.
    pub partition: Partition,
    /// The tokens the worker offers.
    pub worker_capabilities: BTreeSet<String>,
    /// Grant length in milliseconds, at least 1.
    pub grant_ttl_ms: u64,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
    /// Recorded with the grant, uninterpreted.
    pub admission_summary: Option<String>,
    /// Recorded with the grant, uninterpreted.
    pub capability_hash: Option<String>,
    /// Recorded with the grant, uninterpreted.
    pub route_snapshot_json: Option<String>,
}

impl IssueClaimGrantArgs {
    pub fn new(
        execution_id: ExecutionId,
        lane_id: LaneId,
        worker_id: WorkerId,
        worker_instance_id: WorkerInstanceId,
        partition: Partition,
        worker_capabilities: BTreeSet<String>,
        grant_ttl_ms: u64,
        now: TimestampMs,
    ) -> Self {
        Self {
            execution_id,
            lane_id,
            worker_id,
            worker_instance_id,
            partition,
            worker_capabilities,
            grant_ttl_ms,
            now,
            admission_summary: None,
            capability_hash: None,
            route_snapshot_json: None,
        }
    }
}

/// The granted execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IssueClaimGrantOutcome {
    Granted {
        /// The execution.
        execution_id: ExecutionId,
    },
}

/// A grant to redeem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct ClaimExecutionArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The logical worker; a pool may share it.
    pub worker_id: WorkerId,
    /// The process that acts.
    pub worker_instance_id: WorkerInstanceId,
    /// The lane the execution was created on.
    pub lane_id: LaneId,
    /// The lease.
    pub lease_id: LeaseId,
    /// Lease length in milliseconds, at least 1, counted from the backend's clock.
    pub lease_ttl_ms: u64,
    /// The attempt.
    pub attempt_id: AttemptId,
    /// The index the caller expects the new attempt to get.
    pub expected_attempt_index: AttemptIndex,
    /// Empty, or a JSON object recorded with the attempt.
    pub attempt_policy_json: String,
    /// Longest time an attempt may be held, in milliseconds.
    pub attempt_timeout_ms: Option<u64>,
    /// When the whole execution is out of time, in Unix milliseconds.
    pub execution_deadline_at: Option<i64>,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// The claimed execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClaimExecutionResult {
    Claimed(ClaimedExecution),
}

/// An execution, its new attempt and its lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct ClaimedExecution {
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
    /// Why the attempt was started.
    pub attempt_type: AttemptType,
    /// When the lease runs out, in Unix milliseconds.
    pub lease_expires_at: TimestampMs,
    /// The new handle.
    pub handle: Handle,
}

/// A worker asking the scheduler for work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct ClaimForWorkerArgs {
    /// The lane the execution was created on.
    pub lane_id: LaneId,
    /// The logical worker; a pool may share it.
    pub worker_id: WorkerId,
    /// The process that acts.
    pub worker_instance_id: WorkerInstanceId,
    /// The tokens the worker offers.
    pub worker_capabilities: BTreeSet<String>,
    /// Grant length in milliseconds, at least 1.
    pub grant_ttl_ms: u64,
}

/// What the scheduler found for a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClaimForWorkerOutcome {
    Granted(ClaimGrant),
    NoWork,
}

/// The right to claim one execution until it expires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct ClaimGrant {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The partition, as an opaque key.
    pub partition_key: PartitionKey,
    /// An opaque name for the grant.
    pub grant_key: String,
    /// When it runs out, in Unix milliseconds.
    pub expires_at_ms: u64,
}

/// An execution that an operator claims directly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct IssueGrantAndClaimArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The lane the execution was created on.
    pub lane_id: LaneId,
    /// Lease length in milliseconds, at least 1.
    pub lease_duration_ms: u64,
}

/// The lease an operator's claim made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct ClaimGrantOutcome {
    /// The lease.
    pub lease_id: LeaseId,
    /// Which of the execution's leases, counting from 1.
    pub lease_epoch: LeaseEpoch,
    /// Which attempt, counting from 0.
    pub attempt_index: AttemptIndex,
}

/// An eligible execution that no worker can run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct BlockRouteArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The lane the execution was created on.
    pub lane_id: LaneId,
    /// The partition of the record.
    pub partition: Partition,
    /// Why, as a word that the clauses name.
    pub reason_code: String,
    /// Why, for people.
    pub reason_detail: String,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// What a route block led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BlockRouteOutcome {
    Blocked {
        /// The execution.
        execution_id: ExecutionId,
    },
    /// Nothing was blocked; the message says why.
    Rejected {
        /// For people.
        message: String,
    },
}

/// An eligible execution that admission denied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct BlockExecutionForAdmissionArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The lane the execution was created on.
    pub lane_id: LaneId,
    /// The partition of the record.
    pub partition: Partition,
    /// Why; at most 64 KiB.
    pub reason: BlockingReason,
    /// Why, for people.
    pub reason_detail: Option<String>,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// What an admission block led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BlockExecutionForAdmissionOutcome {
    Blocked {
        /// The execution.
        execution_id: ExecutionId,
        /// Why; at most 64 KiB.
        reason: BlockingReason,
    },
    /// Nothing was blocked; the message says why.
    Rejected {
        /// For people.
        message: String,
    },
}

/// Why the scheduler parks an execution.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, Serialize, Deserialize, Arbitrary,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum BlockingReason {
    WaitingForBudget,
    WaitingForCapableWorker,
    WaitingForQuota,
}

impl ClaimGrant {
    pub fn partition(&self) -> Result<Partition, PartitionKeyParseError> {
        self.partition_key.parse()
    }
}

impl ClaimForWorkerOutcome {
    pub fn granted(grant: ClaimGrant) -> Self {
        Self::Granted(grant)
    }

    pub fn no_work() -> Self {
        Self::NoWork
    }
}

impl BlockingReason {
    /// The name in snake case, as stored and shown everywhere.
    pub fn reason_code(&self) -> &'static str {
        self.into()
    }
}
