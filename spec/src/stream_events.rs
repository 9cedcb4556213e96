//! Events that subscriptions deliver.

use std::pin::Pin;

use arbitrary::Arbitrary;
use futures_core::Stream;
use serde::{Deserialize, Serialize};

use crate::engine_error::EngineError;
use crate::stream_subscribe::StreamCursor;
use crate::types::{ExecutionId, LeaseId, SignalId, TimestampMs, WaitpointId, WorkerInstanceId};

/// A stream of events, each of which may instead be an error.
pub type Subscription<T> = Pin<Box<dyn Stream<Item = Result<T, EngineError>> + Send>>;

pub type CompletionSubscription = Subscription<CompletionEvent>;
pub type LeaseHistorySubscription = Subscription<LeaseHistoryEvent>;
pub type SignalDeliverySubscription = Subscription<SignalDeliveryEvent>;
pub type InstanceTagSubscription = Subscription<InstanceTagEvent>;

/// An execution ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct CompletionEvent {
    pub cursor: StreamCursor,
    pub execution_id: ExecutionId,
    pub outcome: CompletionOutcome,
    pub at: TimestampMs,
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CompletionOutcome {
    Success,
    Failure,
    Cancelled,
    /// `expired`, `skipped`, or a name this version does not know.
    Other(String),
}

impl CompletionOutcome {
    /// The outcome that a terminal outcome in snake case stands for.
    pub fn from_wire(text: &str) -> Self {
        match text {
            "success" => Self::Success,
            "failed" => Self::Failure,
            "cancelled" => Self::Cancelled,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// A lease began, went on or ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LeaseHistoryEvent {
    /// A new lease.
    Acquired {
        cursor: StreamCursor,
        execution_id: ExecutionId,
        lease_id: Option<LeaseId>,
        worker_instance_id: Option<WorkerInstanceId>,
        at: TimestampMs,
    },
    /// A lease kept.
    Renewed {
        cursor: StreamCursor,
        execution_id: ExecutionId,
        lease_id: Option<LeaseId>,
        worker_instance_id: Option<WorkerInstanceId>,
        at: TimestampMs,
    },
    /// A lease that ran out, or was ended by a time limit.
    Expired {
        cursor: StreamCursor,
        execution_id: ExecutionId,
        lease_id: Option<LeaseId>,
        prev_owner: Option<WorkerInstanceId>,
        at: TimestampMs,
    },
    /// A new lease after a lapsed one.
    Reclaimed {
        cursor: StreamCursor,
        execution_id: ExecutionId,
        new_lease_id: Option<LeaseId>,
        new_owner: Option<WorkerInstanceId>,
        at: TimestampMs,
    },
    /// A lease taken away, or a member cancelled with its flow.
    Revoked {
        cursor: StreamCursor,
        execution_id: ExecutionId,
        lease_id: Option<LeaseId>,
        revoked_by: String,
        at: TimestampMs,
    },
    /// A lease that its holder gave up.
    Released {
        cursor: StreamCursor,
        execution_id: ExecutionId,
        lease_id: Option<LeaseId>,
        prev_owner: Option<WorkerInstanceId>,
        at: TimestampMs,
    },
}

impl LeaseHistoryEvent {
    pub fn cursor(&self) -> &StreamCursor {
        match self {
            Self::Acquired { cursor, .. }
            | Self::Renewed { cursor, .. }
            | Self::Expired { cursor, .. }
            | Self::Reclaimed { cursor, .. }
            | Self::Revoked { cursor, .. }
            | Self::Released { cursor, .. } => cursor,
        }
    }

    pub fn execution_id(&self) -> &ExecutionId {
        match self {
            Self::Acquired { execution_id, .. }
            | Self::Renewed { execution_id, .. }
            | Self::Expired { execution_id, .. }
            | Self::Reclaimed { execution_id, .. }
            | Self::Revoked { execution_id, .. }
            | Self::Released { execution_id, .. } => execution_id,
        }
    }

    pub fn at(&self) -> TimestampMs {
        match self {
            Self::Acquired { at, .. }
            | Self::Renewed { at, .. }
            | Self::Expired { at, .. }
            | Self::Reclaimed { at, .. }
            | Self::Revoked { at, .. }
            | Self::Released { at, .. } => *at,
        }
    }
}

/// A signal arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct SignalDeliveryEvent {
    pub cursor: StreamCursor,
    pub execution_id: ExecutionId,
    pub signal_id: SignalId,
    pub waitpoint_id: Option<WaitpointId>,
    pub source_identity: Option<String>,
    pub effect: SignalDeliveryEffect,
    pub at: TimestampMs,
}

/// What an arriving signal did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SignalDeliveryEffect {
    Satisfied,
    Buffered,
    Deduped,
    Other(String),
}

impl SignalDeliveryEffect {
    pub fn from_wire(text: &str) -> Self {
        match text {
            "satisfied" => Self::Satisfied,
            "buffered" => Self::Buffered,
            "deduped" => Self::Deduped,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// An instance tag was set or removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum InstanceTagEvent {
    Attached { cursor: StreamCursor, execution_id: ExecutionId, tag: String, at: TimestampMs },
    Cleared { cursor: StreamCursor, execution_id: ExecutionId, tag: String, at: TimestampMs },
}
