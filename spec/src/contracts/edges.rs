//! Dependencies between the members of a flow.

use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};

use crate::partition::Partition;
use crate::types::{AttemptIndex, EdgeId, ExecutionId, FlowId, LaneId, TimestampMs};

/// A dependency to add at an expected revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct StageDependencyEdgeArgs {
    /// The flow.
    pub flow_id: FlowId,
    /// Where the downstream finds the upstream's data; empty counts as none.
    pub data_passing_ref: Option<String>,
    /// Not empty, uninterpreted.
    pub dependency_kind: String,
    /// The member that waits.
    pub downstream_execution_id: ExecutionId,
    /// The edge; the caller chooses it.
    pub edge_id: EdgeId,
    /// The revision the caller saw.
    pub expected_graph_revision: u64,
    /// The member that must succeed first.
    pub upstream_execution_id: ExecutionId,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// The staged edge and the revision it made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum StageDependencyEdgeResult {
    Staged {
        /// The edge; the caller chooses it.
        edge_id: EdgeId,
        /// The revision after this edge.
        new_graph_revision: u64,
    },
}

/// A staged edge, to take effect on its downstream member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct ApplyDependencyToChildArgs {
    /// The flow.
    pub flow_id: FlowId,
    /// Where the downstream finds the upstream's data; empty counts as none.
    pub data_passing_ref: Option<String>,
    /// Not empty, uninterpreted.
    pub dependency_kind: String,
    /// The member that waits.
    pub downstream_execution_id: ExecutionId,
    /// The edge; the caller chooses it.
    pub edge_id: EdgeId,
    /// How often the graph has grown.
    pub graph_revision: u64,
    /// The member that must succeed first.
    pub upstream_execution_id: ExecutionId,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// What applying an edge led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum ApplyDependencyToChildResult {
    /// The edge was applied before.
    AlreadyApplied,
    /// The child now waits for this many unresolved edges, this one included.
    Applied {
        /// Edges of the child that are applied and unresolved.
        unsatisfied_count: u32,
    },
}

/// One dependency between two members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct EdgeSnapshot {
    /// The edge; the caller chooses it.
    pub edge_id: EdgeId,
    /// The flow.
    pub flow_id: FlowId,
    /// The member that must succeed first.
    pub upstream_execution_id: ExecutionId,
    /// The member that waits.
    pub downstream_execution_id: ExecutionId,
    /// Not empty, uninterpreted.
    pub dependency_kind: String,
    /// When the edge counts as satisfied: `all_required`.
    pub satisfaction_condition: String,
    /// Where the downstream finds the upstream's data; empty counts as none.
    pub data_passing_ref: Option<String>,
    /// `pending` until the edge is applied, `applied` from then on.
    pub edge_state: String,
    /// When it was created, in Unix milliseconds.
    pub created_at: TimestampMs,
    /// Who made it: `engine`.
    pub created_by: String,
}

/// From which end edges are listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum EdgeDirection {
    Incoming {
        /// The member that the edges enter.
        to_node: ExecutionId,
    },
    Outgoing {
        /// The member that the edges leave.
        from_node: ExecutionId,
    },
}

/// The inbound edges of one member, counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct EdgeGroupSnapshot {
    /// The member that waits.
    pub downstream_execution_id: ExecutionId,
    /// The rules this record is bound to.
    pub policy: EdgeDependencyPolicy,
    /// Edges that are applied.
    pub total_deps: u32,
    /// Upstreams that succeeded.
    pub satisfied_count: u32,
    /// Upstreams that failed, were cancelled or expired.
    pub failed_count: u32,
    /// Upstreams that were skipped.
    pub skipped_count: u32,
    /// Upstreams that have not ended.
    pub running_count: u32,
    /// What the edges have decided.
    pub group_state: EdgeGroupState,
}

/// What a member's inbound edges have decided.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    strum::EnumString,
    strum::IntoStaticStr,
    Serialize,
    Deserialize,
    Arbitrary,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum EdgeGroupState {
    Cancelled,
    Impossible,
    Pending,
    Satisfied,
}

/// What happens to the other upstreams once enough succeeded.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, Serialize, Deserialize, Arbitrary,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum OnSatisfied {
    /// Cancel those that have not ended, unless another member needs them.
    CancelRemaining,
    /// Let them end by themselves.
    LetRun,
}

/// Whether the policy is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum SetEdgeGroupPolicyResult {
    AlreadySet,
    Set,
}

/// An upstream's end, to be counted on one edge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct ResolveDependencyArgs {
    /// The partition of the record.
    pub partition: Partition,
    /// The flow.
    pub flow_id: FlowId,
    /// The member that waits.
    pub downstream_execution_id: ExecutionId,
    /// The member that must succeed first.
    pub upstream_execution_id: ExecutionId,
    /// The edge; the caller chooses it.
    pub edge_id: EdgeId,
    /// The lane the execution was created on.
    pub lane_id: LaneId,
    /// Which attempt is current, counting from 0.
    pub current_attempt_index: AttemptIndex,
    /// How the upstream ended, in snake case.
    pub upstream_outcome: String,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// What resolving an edge led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResolveDependencyOutcome {
    AlreadyResolved,
    Impossible,
    Satisfied,
}

/// How far a completion reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct CascadeOutcome {
    /// Descendants whose fate was decided.
    pub cascaded_children: usize,
    /// Edges that were counted.
    pub resolved: usize,
    /// Whether everything had happened when the call returned.
    pub synchronous: bool,
}

/// The member to evaluate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct EvaluateFlowEligibilityArgs {
    /// The execution.
    pub execution_id: ExecutionId,
}

/// Whether a member's dependencies let it run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum EvaluateFlowEligibilityResult {
    Status {
        /// How things stand.
        status: String,
    },
}

/// How many upstreams of a member must succeed before it may run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EdgeDependencyPolicy {
    /// Every one.
    #[default]
    AllOf,
    /// One.
    AnyOf { on_satisfied: OnSatisfied },
    /// At least `k`, from 1 to 2^31 − 1.
    Quorum { k: u32, on_satisfied: OnSatisfied },
}

impl EdgeDependencyPolicy {
    pub fn all_of() -> Self {
        Self::AllOf
    }

    pub fn any_of(on_satisfied: OnSatisfied) -> Self {
        Self::AnyOf { on_satisfied }
    }

    pub fn quorum(k: u32, on_satisfied: OnSatisfied) -> Self {
        Self::Quorum { k, on_satisfied }
    }

    /// The variant in snake case.
    pub fn variant_str(&self) -> &'static str {
        match self {
            Self::AllOf => "all_of",
            Self::AnyOf { .. } => "any_of",
            Self::Quorum { .. } => "quorum",
        }
    }
}

impl OnSatisfied {
    pub fn cancel_remaining() -> Self {
        Self::CancelRemaining
    }

    pub fn let_run() -> Self {
        Self::LetRun
    }

    /// The variant in snake case.
    pub fn variant_str(&self) -> &'static str {
        self.into()
    }
}

impl EdgeDirection {
    /// The member whose edges are meant.
    pub fn subject(&self) -> &ExecutionId {
        match self {
            Self::Incoming { to_node } => to_node,
            Self::Outgoing { from_node } => from_node,
        }
    }
}

impl EdgeGroupState {
    /// The name in snake case.
    pub fn as_str(&self) -> &'static str {
        self.into()
    }

    /// The state with this name; `Pending` for any other text.
    pub fn from_literal(text: &str) -> Self {
        text.parse().unwrap_or(Self::Pending)
    }
}

impl CascadeOutcome {
    /// Everything that the completion decided has happened.
    pub const fn synchronous(resolved: usize, cascaded_children: usize) -> Self {
        Self { resolved, cascaded_children, synchronous: true }
    }

    /// `resolved` edges were handed to a background task.
    pub fn async_dispatched(resolved: usize) -> Self {
        Self { resolved, cascaded_children: 0, synchronous: false }
    }
}
