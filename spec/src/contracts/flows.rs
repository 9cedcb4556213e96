//! Flows, members and cancellation.

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};

use crate::backend::Namespace;
use crate::contracts::EdgeGroupSnapshot;
use crate::types::{ExecutionId, FlowId, TimestampMs};

/// A new flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct CreateFlowArgs {
    /// The flow.
    pub flow_id: FlowId,
    /// Not empty, uninterpreted.
    pub flow_kind: String,
    /// The tenant.
    pub namespace: Namespace,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// Whether the flow is new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum CreateFlowResult {
    AlreadySatisfied {
        /// The flow.
        flow_id: FlowId,
    },
    Created {
        /// The flow.
        flow_id: FlowId,
    },
}

/// A flow at one instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct FlowSnapshot {
    /// The flow.
    pub flow_id: FlowId,
    /// Not empty, uninterpreted.
    pub flow_kind: String,
    /// The tenant.
    pub namespace: Namespace,
    /// `open` or `cancelled`.
    pub public_flow_state: String,
    /// How often the graph has grown.
    pub graph_revision: u64,
    /// Members.
    pub node_count: u32,
    /// Edges.
    pub edge_count: u32,
    /// When it was created, in Unix milliseconds.
    pub created_at: TimestampMs,
    /// When it last changed, in Unix milliseconds.
    pub last_mutation_at: TimestampMs,
    /// When it was cancelled, in Unix milliseconds.
    pub cancelled_at: Option<TimestampMs>,
    /// Why it was cancelled, if a reason was given.
    pub cancel_reason: Option<String>,
    /// `flow_only`, `cancel_all` or `cancel_pending`.
    pub cancellation_policy: Option<String>,
    /// Names and values attached by callers; see `validate_tag_key`.
    pub tags: BTreeMap<String, String>,
    /// Members with dependencies, ascending by id.
    pub edge_groups: Vec<EdgeGroupSnapshot>,
}

/// A flow, for listings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct FlowSummary {
    /// The flow.
    pub flow_id: FlowId,
    /// When it was created, in Unix milliseconds.
    pub created_at: TimestampMs,
    /// How things stand.
    pub status: FlowStatus,
}

/// A flow's state, for listings.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, Serialize, Deserialize, Arbitrary,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum FlowStatus {
    Active,
    Cancelled,
    Completed,
    Failed,
    Unknown,
}

/// A page of flows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct ListFlowsPage {
    /// The flows, ascending by id.
    pub flows: Vec<FlowSummary>,
    /// Where the next page starts; `None` on the last.
    pub next_cursor: Option<FlowId>,
}

/// Which execution joins which flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct AddExecutionToFlowArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The flow.
    pub flow_id: FlowId,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// What adding a member led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum AddExecutionToFlowResult {
    Added {
        /// The execution.
        execution_id: ExecutionId,
        /// Members after the addition.
        new_node_count: u32,
    },
    AlreadyMember {
        /// The execution.
        execution_id: ExecutionId,
        /// Members.
        node_count: u32,
    },
}

/// A flow to close.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct CancelFlowArgs {
    /// The flow.
    pub flow_id: FlowId,
    /// `flow_only`, `cancel_all` or `cancel_pending`.
    pub cancellation_policy: String,
    /// Why; at most 64 KiB.
    pub reason: String,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// What cancelling a flow led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum CancelFlowResult {
    /// Members are being cancelled in the background.
    CancellationScheduled {
        /// `flow_only`, `cancel_all` or `cancel_pending`.
        cancellation_policy: String,
        /// How many members the flow has.
        member_count: u32,
        /// Every member, ascending.
        member_execution_ids: Vec<String>,
    },
    /// The flow is cancelled; all its members are named, ascending.
    Cancelled {
        /// `flow_only`, `cancel_all` or `cancel_pending`.
        cancellation_policy: String,
        /// Every member, ascending.
        member_execution_ids: Vec<String>,
    },
    /// Some members could not be cancelled.
    PartiallyCancelled {
        /// `flow_only`, `cancel_all` or `cancel_pending`.
        cancellation_policy: String,
        /// Members that could not be cancelled.
        failed_member_execution_ids: Vec<String>,
        /// Every member, ascending.
        member_execution_ids: Vec<String>,
    },
}

/// What closing a flow, without its members, led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CancelFlowHeader {
    AlreadyTerminal {
        /// Every member, ascending.
        member_execution_ids: Vec<String>,
        /// The first cancellation's reason.
        stored_cancel_reason: Option<String>,
        /// The first cancellation's policy.
        stored_cancellation_policy: Option<String>,
    },
    Cancelled {
        /// `flow_only`, `cancel_all` or `cancel_pending`.
        cancellation_policy: String,
        /// Every member, ascending.
        member_execution_ids: Vec<String>,
    },
}

impl FlowStatus {
    /// The status that an authoritative flow state stands for.
    pub fn from_public_flow_state(state: &str) -> Self {
        match state {
            "open" | "running" | "blocked" => Self::Active,
            "completed" => Self::Completed,
            "failed" => Self::Failed,
            "cancelled" => Self::Cancelled,
            _ => Self::Unknown,
        }
    }
}
