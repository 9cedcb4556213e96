//! Cancelling flows, and the news of completions that flows act on.

use std::time::Duration;

use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};

use crate::types::{ExecutionId, FlowId, TimestampMs};

/// Which members of a flow a cancellation ends.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    strum::IntoStaticStr,
    strum::EnumString,
    Serialize,
    Deserialize,
    Arbitrary,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum CancelFlowPolicy {
    /// Every member that has not ended.
    CancelAll,
    /// Members that no worker holds and that are not suspended.
    CancelPending,
    /// None: the flow closes, its members run on.
    FlowOnly,
}

/// How long `cancel_flow` waits for the members it selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CancelFlowWait {
    /// Return once the cancellation has committed.
    NoWait,
    /// Wait up to five minutes.
    WaitIndefinite,
    /// Wait at most this long for every selected member to end.
    WaitTimeout(Duration),
}

/// A terminal transition, as dependents learn of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct CompletionPayload {
    /// The execution.
    pub execution_id: ExecutionId,
    /// How it ended: `success`, `failed`, `cancelled`, `expired` or `skipped`.
    pub outcome: String,
    /// The result, if any.
    #[serde(default, with = "crate::octets::OptionalOctets")]
    pub payload_bytes: Option<Vec<u8>>,
    /// When it ended, in Unix milliseconds.
    pub produced_at_ms: TimestampMs,
    /// The flow.
    pub flow_id: Option<FlowId>,
}

impl CompletionPayload {
    pub fn new(
        execution_id: ExecutionId,
        outcome: impl Into<String>,
        payload_bytes: Option<Vec<u8>>,
        produced_at_ms: TimestampMs,
    ) -> Self {
        Self { execution_id, outcome: outcome.into(), payload_bytes, produced_at_ms, flow_id: None }
    }

    #[must_use]
    pub fn with_flow_id(mut self, flow_id: FlowId) -> Self {
        self.flow_id = Some(flow_id);
        self
    }
}
