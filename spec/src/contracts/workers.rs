//! The registry of workers.

use std::collections::BTreeSet;

use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};

use crate::backend::Namespace;
use crate::types::{LaneId, TimestampMs, WorkerId, WorkerInstanceId};

/// A worker's registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct RegisterWorkerArgs {
    /// The logical worker; a pool may share it.
    pub worker_id: WorkerId,
    /// The process that acts.
    pub worker_instance_id: WorkerInstanceId,
    /// The lanes, ascending.
    pub lanes: BTreeSet<LaneId>,
    /// The tokens a worker offers.
    pub capabilities: BTreeSet<String>,
    /// How long a sign of life counts, in milliseconds, at least 1.
    pub liveness_ttl_ms: u64,
    /// The tenant.
    pub namespace: Namespace,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// Whether the registration is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RegisterWorkerOutcome {
    Refreshed,
    Registered,
}

/// A sign of life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct HeartbeatWorkerArgs {
    /// The process that acts.
    pub worker_instance_id: WorkerInstanceId,
    /// The tenant.
    pub namespace: Namespace,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// Whether the worker is still registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HeartbeatWorkerOutcome {
    NotRegistered,
    Refreshed {
        /// Until when this sign of life counts, in Unix milliseconds.
        next_expiry_ms: TimestampMs,
    },
}

/// A worker to strike off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct MarkWorkerDeadArgs {
    /// The process that acts.
    pub worker_instance_id: WorkerInstanceId,
    /// The tenant.
    pub namespace: Namespace,
    /// Why; at most 64 KiB.
    pub reason: String,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// Whether there was a registration to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MarkWorkerDeadOutcome {
    Marked,
    NotRegistered,
}

/// Which workers to list.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct ListWorkersArgs {
    /// Entries strictly after this one.
    pub after: Option<WorkerInstanceId>,
    /// At most this many entries.
    pub limit: Option<u32>,
    /// The tenant.
    pub namespace: Option<Namespace>,
}

impl ListWorkersArgs {
    pub fn new() -> Self {
        Self { after: None, limit: None, namespace: None }
    }
}

/// A page of workers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct ListWorkersResult {
    /// The page.
    pub entries: Vec<WorkerInfo>,
    /// Where the next page starts; `None` on the last.
    pub cursor: Option<WorkerInstanceId>,
}

/// A live registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct WorkerInfo {
    /// The logical worker; a pool may share it.
    pub worker_id: WorkerId,
    /// The process that acts.
    pub worker_instance_id: WorkerInstanceId,
    /// The tenant.
    pub namespace: Namespace,
    /// The lanes, ascending.
    pub lanes: BTreeSet<LaneId>,
    /// The tokens a worker offers.
    pub capabilities: BTreeSet<String>,
    /// When it was last heard of, in Unix milliseconds.
    pub last_heartbeat_ms: TimestampMs,
    /// How long a sign of life counts, in milliseconds, at least 1.
    pub liveness_ttl_ms: u64,
    /// When it was registered, in Unix milliseconds.
    pub registered_at_ms: TimestampMs,
}

/// Longest reason for striking off a worker, in bytes.
pub const MARK_WORKER_DEAD_REASON_MAX_BYTES: usize = 256;
