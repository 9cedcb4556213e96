//! Renewing, revoking, reclaiming and listing leases.

use std::collections::BTreeSet;

use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};

use crate::backend::{Handle, Namespace};
use crate::partition::{Partition, PartitionKey, PartitionKeyParseError};
use crate::types::{
    AttemptId, AttemptIndex, ExecutionId, LaneId, LeaseEpoch, LeaseFence, LeaseId, TimestampMs,
    WorkerId, WorkerInstanceId,
};

/// A lease to renew without a handle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct RenewLeaseArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Which attempt, counting from 0.
    pub attempt_index: AttemptIndex,
    /// The lease that must still be current; `None` for an operator's override.
    pub fence: Option<LeaseFence>,
    /// Housekeeping hint in milliseconds; observable nowhere.
    pub lease_history_grace_ms: u64,
    /// Lease length in milliseconds, at least 1, counted from the backend's clock.
    pub lease_ttl_ms: u64,
}

/// The lease as the renewal left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum RenewLeaseResult {
    Renewed {
        /// When it runs out, in Unix milliseconds.
        expires_at: TimestampMs,
    },
}

/// A lease to take away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct RevokeLeaseArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Only this lease; empty or absent for any.
    pub expected_lease_id: Option<String>,
    /// Why; at most 64 KiB.
    pub reason: String,
    /// The process that acts.
    pub worker_instance_id: WorkerInstanceId,
}

/// Whether there was a lease to revoke.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum RevokeLeaseResult {
    AlreadySatisfied {
        /// Why; at most 64 KiB.
        reason: String,
    },
    Revoked {
        /// Which of the execution's leases, counting from 1.
        lease_epoch: String,
        /// The lease.
        lease_id: String,
    },
}

/// A lapsed execution to reserve for a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct IssueReclaimGrantArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The logical worker; a pool may share it.
    pub worker_id: WorkerId,
    /// The process that acts.
    pub worker_instance_id: WorkerInstanceId,
    /// The lane the execution was created on.
    pub lane_id: LaneId,
    /// Recorded with the grant, uninterpreted.
    pub capability_hash: Option<String>,
    /// Grant length in milliseconds, at least 1.
    pub grant_ttl_ms: u64,
    /// Recorded with the grant, uninterpreted.
    pub route_snapshot_json: Option<String>,
    /// Recorded with the grant, uninterpreted.
    pub admission_summary: Option<String>,
    /// The tokens the worker offers.
    pub worker_capabilities: BTreeSet<String>,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// Whether a lapsed execution may be taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IssueReclaimGrantOutcome {
    Granted(ReclaimGrant),
    NotReclaimable {
        /// For people, or opaque bytes for tools.
        detail: String,
        /// The execution.
        execution_id: ExecutionId,
    },
    /// It was taken over too often, and has failed.
    ReclaimCapExceeded {
        /// The execution.
        execution_id: ExecutionId,
        /// Takeovers that have succeeded.
        reclaim_count: u32,
    },
}

/// The right to take over one lapsed execution until it expires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct ReclaimGrant {
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

/// A reclaim grant to redeem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct ReclaimExecutionArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The logical worker; a pool may share it.
    pub worker_id: WorkerId,
    /// The process that acts.
    pub worker_instance_id: WorkerInstanceId,
    /// The lane the execution was created on.
    pub lane_id: LaneId,
    /// Recorded with the grant, uninterpreted.
    pub capability_hash: Option<String>,
    /// The lease.
    pub lease_id: LeaseId,
    /// Lease length in milliseconds, at least 1, counted from the backend's clock.
    pub lease_ttl_ms: u64,
    /// The attempt.
    pub attempt_id: AttemptId,
    /// Empty, or a JSON object recorded with the attempt.
    pub attempt_policy_json: String,
    /// Takeovers after a lapse; 100 by default.
    pub max_reclaim_count: Option<u32>,
    /// Who held it; a hint that decides nothing.
    pub old_worker_instance_id: WorkerInstanceId,
    /// Which attempt is current, counting from 0.
    pub current_attempt_index: AttemptIndex,
}

/// Whether a lapsed execution was taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReclaimExecutionOutcome {
    Claimed(Handle),
    GrantNotFound {
        /// The execution.
        execution_id: ExecutionId,
    },
    NotReclaimable {
        /// For people, or opaque bytes for tools.
        detail: String,
        /// The execution.
        execution_id: ExecutionId,
    },
    /// It was taken over too often, and has failed.
    ReclaimCapExceeded {
        /// The execution.
        execution_id: ExecutionId,
        /// Takeovers that have succeeded.
        reclaim_count: u32,
    },
}

/// Which expired leases to list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct ListExpiredLeasesArgs {
    /// Leases that run out at this time or before, in Unix milliseconds.
    pub as_of: TimestampMs,
    /// Entries strictly after this one.
    pub after: Option<ExpiredLeasesCursor>,
    /// At most this many entries.
    pub limit: Option<u32>,
    /// A hint of how much work one call may be; hides nothing.
    pub max_partitions_per_call: Option<u32>,
    /// The tenant.
    pub namespace: Option<Namespace>,
}

impl ListExpiredLeasesArgs {
    pub fn new(as_of: TimestampMs) -> Self {
        Self { as_of, after: None, limit: None, max_partitions_per_call: None, namespace: None }
    }
}

/// A page of expired leases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct ListExpiredLeasesResult {
    /// The page.
    pub entries: Vec<ExpiredLeaseInfo>,
    /// Where the next page starts; `None` on the last.
    pub cursor: Option<ExpiredLeasesCursor>,
}

/// A lease that has run out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct ExpiredLeaseInfo {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The lease.
    pub lease_id: LeaseId,
    /// Which of the execution's leases, counting from 1.
    pub lease_epoch: LeaseEpoch,
    /// The process that acts.
    pub worker_instance_id: WorkerInstanceId,
    /// When it runs out, in Unix milliseconds.
    pub expires_at_ms: TimestampMs,
    /// Which attempt, counting from 0.
    pub attempt_index: AttemptIndex,
}

/// A place in the list of expired leases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct ExpiredLeasesCursor {
    /// When it runs out, in Unix milliseconds.
    pub expires_at_ms: TimestampMs,
    /// The execution.
    pub execution_id: ExecutionId,
}

impl ReclaimGrant {
    pub fn partition(&self) -> Result<Partition, PartitionKeyParseError> {
        self.partition_key.parse()
    }
}

/// Entries of a page of expired leases when no limit is given.
pub const LIST_EXPIRED_LEASES_DEFAULT_LIMIT: u32 = 1_000;

/// The largest page of expired leases.
pub const LIST_EXPIRED_LEASES_MAX_LIMIT: u32 = 10_000;

/// Partitions a backend looks at in one round when no number is given.
pub const LIST_EXPIRED_LEASES_DEFAULT_MAX_PARTITIONS: u32 = 32;
