//! What records have inside.

use std::collections::BTreeMap;

use ff_core::backend::{SuspensionReasonCode, TimeoutBehavior};
use ff_core::state::AttemptType;
use ff_core::types::{
    AttemptId, AttemptIndex, LeaseId, SuspensionId, TimestampMs, WaitpointId, WorkerId,
    WorkerInstanceId,
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::executions;

/// The attempt most recently started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrentAttempt {
    pub id: AttemptId,
    pub index: AttemptIndex,
    pub kind: AttemptType,
    pub started_at: TimestampMs,
}

/// How long an attempt may still go on (ATT-024, ATT-037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptClock {
    /// Until then.
    Runs(TimestampMs),
    /// It was set aside, with so many milliseconds left.
    Stands(u64),
}

/// A worker's hold on an execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    pub id: LeaseId,
    pub worker: WorkerId,
    pub worker_instance: WorkerInstanceId,
    pub acquired_at: TimestampMs,
    /// What it was begun for, and its handle renews it for.
    pub ttl_ms: u64,
    pub renewed_at: Option<TimestampMs>,
    pub expires_at: TimestampMs,
}

impl Lease {
    pub(crate) fn new(
        id: LeaseId,
        (worker, worker_instance): (&WorkerId, &WorkerInstanceId),
        ttl_ms: u64,
        now: TimestampMs,
    ) -> Self {
        Self {
            id,
            worker: worker.clone(),
            worker_instance: worker_instance.clone(),
            acquired_at: now,
            ttl_ms,
            renewed_at: None,
            expires_at: executions::later(now, ttl_ms),
        }
    }
}

/// An execution that is kept for a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub worker: WorkerId,
    pub worker_instance: WorkerInstanceId,
    pub expires_at: TimestampMs,
    /// It was found to have run out, and the execution stands in its queue again.
    pub is_over: bool,
    pub admission_summary: Option<String>,
    pub capability_hash: Option<String>,
    pub route_snapshot_json: Option<String>,
}

impl Grant {
    /// With nothing that is only kept.
    pub(crate) fn new(
        (worker, worker_instance): (&WorkerId, &WorkerInstanceId),
        expires_at: TimestampMs,
    ) -> Self {
        Self {
            worker: worker.clone(),
            worker_instance: worker_instance.clone(),
            expires_at,
            is_over: false,
            admission_summary: None,
            capability_hash: None,
            route_snapshot_json: None,
        }
    }
}

/// The call that ended a lease, so that its repetition is recognised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// A digest of the call with all its arguments.
    pub digest: String,
    /// When a retry became due, if the call scheduled one.
    pub retry_at: Option<TimestampMs>,
}

/// What an execution shows of its latest suspension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspended {
    pub id: SuspensionId,
    /// The first of its waitpoints.
    pub waitpoint: WaitpointId,
    pub since: TimestampMs,
    pub reason: SuspensionReasonCode,
    pub timeout_at: Option<TimestampMs>,
    pub timeout_behavior: TimeoutBehavior,
}

/// A secret that signs tokens, or did.
#[derive(Clone, derive_more::Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// In lower case.
    #[debug("<secret, {} digits>", hex.len())]
    pub hex: String,
    /// Set once it is superseded.
    pub verifies_until: Option<TimestampMs>,
}

/// The summary of a flow, as of the last call that asked for it. No call shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Projection {
    pub projected_at: TimestampMs,
    /// Members by public state, without the states that none is in.
    pub counts: BTreeMap<String, u32>,
    pub total: u32,
    /// `running`, `blocked`, `open`, `failed` or `completed`.
    pub state: String,
}

/// How far a dependency has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeState {
    /// Part of the graph, without effect on its downstream.
    Staged,
    /// Applied, its upstream has not ended.
    Unsatisfied,
    Satisfied,
    Impossible,
}

impl EdgeState {
    /// Whether its upstream's end has been counted.
    pub(crate) fn is_resolved(self) -> bool {
        matches!(self, Self::Satisfied | Self::Impossible)
    }
}

/// What happened to a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr, Serialize, Deserialize)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum LeaseEventKind {
    Acquired,
    Renewed,
    Expired,
    Reclaimed,
    Revoked,
    Released,
}

/// What limits a budget, and what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetDefinition {
    pub scope_type: String,
    pub scope_id: String,
    pub enforcement_mode: String,
    pub on_hard_limit: String,
    pub on_soft_limit: String,
    /// 0 for never.
    pub reset_interval_ms: u64,
    /// By dimension.
    pub limits: BTreeMap<String, Limits>,
    pub created_at: TimestampMs,
}

/// How much of a dimension may be used; 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub hard: u64,
    pub soft: u64,
}

/// A report that was not counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breach {
    pub dimension: String,
    pub at: TimestampMs,
}

/// How many executions a policy admits; 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaLimits {
    pub max_concurrent: u64,
    pub max_requests_per_window: u64,
    pub window_seconds: u64,
}

/// How a stream was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    pub at: TimestampMs,
    pub reason: CloseReason,
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, Serialize, Deserialize)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    AttemptSuccess,
    AttemptFailure,
    AttemptCancelled,
    LeaseExpired,
    Reclaimed,
    Expired,
    SuspensionTimeout,
}

/// What a frame carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameContent {
    pub frame_type: String,
    pub mode: String,
    pub payload: ByteBuf,
    pub correlation_id: Option<String>,
    pub seq: Option<u64>,
    /// The version of the document that it made.
    pub summary_version: Option<u64>,
    /// Of a best-effort frame.
    pub ttl_ms: Option<u64>,
}

/// A frame that its producer numbered, and the answer it got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequenced {
    pub seq: u64,
    pub digest: String,
    pub at: TimestampMs,
    pub number: u64,
    pub summary_version: Option<u64>,
}

/// How often best-effort frames come.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// A moving average, per second.
    pub rate: f64,
    /// When the last came.
    pub at: TimestampMs,
}

/// What happened to a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TagEventKind {
    Attached,
    Cleared,
}
