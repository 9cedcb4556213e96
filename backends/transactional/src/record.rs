//! The records a store keeps, and the transitions between their states. Serialised, a field has the
//! name that `read_exec_core_fields` and the schemas know it by.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use ff_core::backend::Namespace;
use ff_core::contracts::{EdgeDependencyPolicy, EdgeGroupSnapshot, EdgeGroupState, FlowStatus};
use ff_core::policy::ExecutionPolicy;
use ff_core::state::{
    AttemptLifecycle, AttemptState, AttemptType, BlockingReason, EligibilityState, LifecyclePhase,
    OwnershipState, PublicState, StateVector, TerminalOutcome,
};
use ff_core::types::{
    AttemptId, AttemptIndex, EdgeId, ExecutionId, FlowId, LaneId, LeaseEpoch, LeaseFence, LeaseId,
    TimestampMs, WorkerId, WorkerInstanceId,
};
use serde::{Deserialize, Serialize};

/// An execution, without its payload, result and tags.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    #[serde(rename = "execution_id")]
    pub id: ExecutionId,
    pub namespace: Namespace,
    #[serde(rename = "lane_id")]
    pub lane: LaneId,
    #[serde(rename = "execution_kind")]
    pub kind: String,
    pub creator_identity: String,
    pub payload_encoding: Option<String>,
    pub priority: i32,
    #[serde(rename = "required_capabilities")]
    pub requirements: BTreeSet<String>,
    pub policy: Option<ExecutionPolicy>,
    #[serde(rename = "flow_id")]
    pub flow: Option<FlowId>,

    #[serde(rename = "lifecycle_phase")]
    pub phase: LifecyclePhase,
    #[serde(rename = "ownership_state")]
    pub ownership: OwnershipState,
    #[serde(rename = "eligibility_state")]
    pub eligibility: EligibilityState,
    pub blocking_reason: BlockingReason,
    pub blocking_detail: String,
    #[serde(rename = "terminal_outcome")]
    pub outcome: TerminalOutcome,
    pub attempt_state: AttemptState,

    #[serde(rename = "total_attempt_count")]
    pub total_attempts: u32,
    pub retry_count: u32,
    pub replay_count: u32,
    #[serde(rename = "lease_reclaim_count")]
    pub reclaim_count: u32,
    #[serde(rename = "current_attempt")]
    pub attempt: Option<CurrentAttempt>,
    /// The lease issued last, while it holds the execution or has lapsed.
    pub lease: Option<Lease>,
    /// The epoch of the lease issued last; 0 before the first.
    #[serde(rename = "lease_epoch")]
    pub epoch: LeaseEpoch,
    pub lease_expired_at: Option<TimestampMs>,
    /// How the last lease ended, if its holder ended it (ATT-003).
    pub closing: Option<Closing>,

    pub created_at: TimestampMs,
    pub started_at: Option<TimestampMs>,
    pub completed_at: Option<TimestampMs>,
    pub last_transition_at: TimestampMs,
    pub last_mutation_at: TimestampMs,
    pub delay_until: Option<TimestampMs>,
    #[serde(rename = "execution_deadline_at")]
    pub deadline_at: Option<TimestampMs>,

    pub failure_reason: Option<String>,
    pub failure_category: Option<String>,
    pub cancellation_reason: Option<String>,
    pub cancelled_by: Option<String>,
    pub progress_percent: Option<u8>,
    pub progress_message: Option<String>,
}

/// The attempt most recently started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrentAttempt {
    pub id: AttemptId,
    pub index: AttemptIndex,
}

/// A worker's hold on an execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    pub id: LeaseId,
    pub worker: WorkerId,
    pub worker_instance: WorkerInstanceId,
    pub acquired_at: TimestampMs,
    pub renewed_at: Option<TimestampMs>,
    pub expires_at: TimestampMs,
}

/// The call that ended a lease, so that its repetition is recognised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// A digest of the call with all its arguments.
    pub digest: String,
    /// When a retry became due, if the call scheduled one.
    pub retry_at: Option<TimestampMs>,
}

/// One run of an execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    #[serde(rename = "attempt_index")]
    pub index: AttemptIndex,
    #[serde(rename = "attempt_id")]
    pub id: AttemptId,
    #[serde(rename = "attempt_type")]
    pub kind: AttemptType,
    pub state: AttemptLifecycle,
    pub started_at: TimestampMs,
    pub ended_at: Option<TimestampMs>,
    pub failure_reason: Option<String>,
    pub failure_category: Option<String>,
}

/// Claims go by this, smallest first (SCH-002).
pub type OrderKey = (Reverse<i32>, TimestampMs, ExecutionId);

impl Execution {
    pub fn order_key(&self) -> OrderKey {
        (Reverse(self.priority), self.created_at, self.id.clone())
    }

    /// Whether a fresh claim may take it (SCH-001).
    pub fn is_claimable(&self) -> bool {
        self.phase == LifecyclePhase::Runnable
            && self.ownership == OwnershipState::Unowned
            && self.eligibility == EligibilityState::EligibleNow
            && self.attempt_state != AttemptState::AttemptInterrupted
    }

    pub fn is_terminal(&self) -> bool {
        self.phase == LifecyclePhase::Terminal
    }

    pub fn state_vector(&self) -> StateVector {
        let mut vector = StateVector {
            lifecycle_phase: self.phase,
            ownership_state: self.ownership,
            eligibility_state: self.eligibility,
            blocking_reason: self.blocking_reason,
            terminal_outcome: self.outcome,
            attempt_state: self.attempt_state,
            public_state: PublicState::Waiting,
        };
        vector.public_state = vector.derive_public_state();
        vector
    }

    pub fn public_state(&self) -> PublicState {
        self.state_vector().public_state
    }

    /// The attempt that readers are shown (EXE-017).
    pub fn shown_attempt(&self) -> Option<CurrentAttempt> {
        let pending = matches!(
            self.attempt_state,
            AttemptState::PendingRetryAttempt | AttemptState::PendingReplayAttempt
        );
        self.attempt.filter(|_| !pending)
    }

    /// What the holder of the current lease can show.
    pub fn fence(&self) -> Option<LeaseFence> {
        Some(LeaseFence {
            lease_id: self.lease.as_ref()?.id,
            lease_epoch: self.epoch,
            attempt_id: self.attempt?.id,
        })
    }

    /// Every change passes here (EXE-028); the time never goes back.
    pub(crate) fn touch(&mut self, now: TimestampMs) {
        self.last_mutation_at = self.last_mutation_at.max(now);
    }

    fn transition(&mut self, now: TimestampMs) {
        self.touch(now);
        self.last_transition_at = self.last_mutation_at;
    }

    /// WAIT: claimable at the place its priority and age give it.
    pub(crate) fn make_eligible(&mut self, now: TimestampMs) {
        self.eligibility = EligibilityState::EligibleNow;
        self.blocking_reason = BlockingReason::WaitingForWorker;
        self.delay_until = None;
        self.transition(now);
    }

    /// DELAY until `until`.
    pub(crate) fn park_until(
        &mut self,
        until: TimestampMs,
        reason: BlockingReason,
        now: TimestampMs,
    ) {
        self.phase = LifecyclePhase::Runnable;
        self.eligibility = EligibilityState::NotEligibleUntilTime;
        self.blocking_reason = reason;
        self.delay_until = Some(until);
        self.transition(now);
    }

    /// DEPS, keeping a delay for when the dependencies are resolved.
    pub(crate) fn block_by_dependencies(&mut self, now: TimestampMs) {
        self.eligibility = EligibilityState::BlockedByDependencies;
        self.blocking_reason = BlockingReason::WaitingForChildren;
        self.transition(now);
    }

    /// ACTIVE: a new attempt under a new lease (CLM-005).
    pub(crate) fn start_attempt(&mut self, attempt: CurrentAttempt, lease: Lease) {
        let now = lease.acquired_at;
        self.phase = LifecyclePhase::Active;
        self.ownership = OwnershipState::Leased;
        self.eligibility = EligibilityState::NotApplicable;
        self.blocking_reason = BlockingReason::None;
        self.blocking_detail.clear();
        self.attempt_state = AttemptState::RunningAttempt;
        self.attempt = Some(attempt);
        self.total_attempts += 1;
        self.epoch = self.epoch.next();
        self.lease = Some(lease);
        self.lease_expired_at = None;
        self.closing = None;
        self.started_at.get_or_insert(now);
        self.transition(now);
    }

    /// LAPSED: the lease has run out, the attempt is still open (LSE-015).
    pub(crate) fn lapse(&mut self, now: TimestampMs) {
        self.ownership = OwnershipState::LeaseExpiredReclaimable;
        self.blocking_reason = BlockingReason::WaitingForWorker;
        "lease expired, awaiting reclaim".clone_into(&mut self.blocking_detail);
        self.attempt_state = AttemptState::AttemptInterrupted;
        self.lease_expired_at = Some(now);
        self.transition(now);
    }

    /// Ends the lease by its holder's own call (LSE-013).
    pub(crate) fn release(&mut self, closing: Closing) -> Option<Lease> {
        self.ownership = OwnershipState::Unowned;
        self.closing = Some(closing);
        self.lease.take()
    }

    /// WAIT after the end, for another attempt (OPS-010).
    pub(crate) fn replay(&mut self, now: TimestampMs) {
        self.phase = LifecyclePhase::Runnable;
        self.outcome = TerminalOutcome::None;
        self.attempt_state = AttemptState::PendingReplayAttempt;
        self.replay_count += 1;
        self.retry_count = 0;
        self.closing = None;
        self.completed_at = None;
        self.failure_reason = None;
        self.failure_category = None;
        self.cancellation_reason = None;
        self.cancelled_by = None;
        self.deadline_at = self.deadline_at.filter(|deadline| *deadline > now);
        self.make_eligible(now);
    }

    /// Waits for dependencies, to go on with the same attempt then; or may go on at once.
    pub(crate) fn wait_for_children(&mut self, satisfied: bool, now: TimestampMs) {
        self.phase = LifecyclePhase::Runnable;
        self.attempt_state = AttemptState::AttemptInterrupted;
        if satisfied {
            self.make_eligible(now);
        } else {
            self.block_by_dependencies(now);
        }
    }

    /// TERMINAL.
    pub(crate) fn end(&mut self, outcome: TerminalOutcome, now: TimestampMs) {
        self.phase = LifecyclePhase::Terminal;
        self.ownership = OwnershipState::Unowned;
        self.eligibility = EligibilityState::NotApplicable;
        self.blocking_reason = BlockingReason::None;
        self.blocking_detail.clear();
        self.outcome = outcome;
        self.attempt_state = match self.attempt {
            Some(_) => AttemptState::AttemptTerminal,
            None => AttemptState::None,
        };
        self.delay_until = None;
        self.lease_expired_at = None;
        self.completed_at = Some(now);
        self.transition(now);
    }
}

/// A flow. Its members are the executions that name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    #[serde(rename = "flow_id")]
    pub id: FlowId,
    #[serde(rename = "partition_key")]
    pub partition: u16,
    #[serde(rename = "flow_kind")]
    pub kind: String,
    pub namespace: Namespace,
    /// `open` or `cancelled`.
    pub public_flow_state: String,
    pub graph_revision: u64,
    pub node_count: u32,
    pub edge_count: u32,
    pub created_at: TimestampMs,
    pub last_mutation_at: TimestampMs,
    pub cancelled_at: Option<TimestampMs>,
    pub cancel_reason: Option<String>,
    pub cancellation_policy: Option<String>,
    pub projection: Option<Projection>,
}

/// What a flow's members came to when somebody asked for it to be written down. No call shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Projection {
    pub projected_at: TimestampMs,
    /// Members by public state, without the states that none is in.
    pub counts: BTreeMap<String, u32>,
    pub total: u32,
    /// `running`, `blocked`, `open`, `failed` or `completed`.
    pub state: String,
}

impl Flow {
    pub const OPEN: &'static str = "open";
    pub const CANCELLED: &'static str = "cancelled";

    pub fn is_open(&self) -> bool {
        self.public_flow_state == Self::OPEN
    }

    /// How it stands, for lists (FLW-017).
    pub(crate) fn status(&self) -> FlowStatus {
        if self.is_open() {
            FlowStatus::Active
        } else {
            FlowStatus::Cancelled
        }
    }

    pub(crate) fn touch(&mut self, now: TimestampMs) {
        self.last_mutation_at = self.last_mutation_at.max(now);
    }
}

/// A dependency between two members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    #[serde(rename = "flow_id")]
    pub flow: FlowId,
    #[serde(rename = "edge_id")]
    pub id: EdgeId,
    #[serde(rename = "upstream_execution_id")]
    pub upstream: ExecutionId,
    #[serde(rename = "downstream_execution_id")]
    pub downstream: ExecutionId,
    pub dependency_kind: String,
    pub data_passing_ref: Option<String>,
    pub state: EdgeState,
    pub created_at: TimestampMs,
}

/// How far a dependency has come.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    strum::IntoStaticStr,
    strum::EnumString,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum EdgeState {
    /// Part of the graph, without effect on its downstream.
    Staged,
    /// Applied, its upstream has not ended.
    Unsatisfied,
    Satisfied,
    Impossible,
}

/// The dependencies of one member, counted. There is a group for each member with a staged edge or
/// an explicit policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeGroup {
    #[serde(rename = "flow_id")]
    pub flow: FlowId,
    #[serde(rename = "downstream_execution_id")]
    pub downstream: ExecutionId,
    pub policy: EdgeDependencyPolicy,
    pub satisfied_count: u32,
    pub failed_count: u32,
    pub skipped_count: u32,
    /// Applied, not resolved.
    pub running_count: u32,
    pub group_state: EdgeGroupState,
    /// What remains to be cancelled since the group was decided.
    pub pending_cancel: Option<BTreeSet<ExecutionId>>,
}

impl EdgeGroup {
    /// No edge is applied, and all will have to be satisfied.
    pub(crate) fn new(flow: FlowId, downstream: ExecutionId) -> Self {
        Self {
            flow,
            downstream,
            policy: EdgeDependencyPolicy::AllOf,
            satisfied_count: 0,
            failed_count: 0,
            skipped_count: 0,
            running_count: 0,
            group_state: EdgeGroupState::Pending,
            pending_cancel: None,
        }
    }

    pub(crate) fn total(&self) -> u32 {
        self.satisfied_count + self.failed_count + self.skipped_count + self.running_count
    }

    pub(crate) fn snapshot(&self) -> EdgeGroupSnapshot {
        EdgeGroupSnapshot::new(
            self.downstream.clone(),
            self.policy,
            self.total(),
            self.satisfied_count,
            self.failed_count,
            self.skipped_count,
            self.running_count,
            self.group_state,
        )
    }
}

/// A terminal transition, for the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CompletionRecord {
    #[serde(rename = "execution_id")]
    pub execution: ExecutionId,
    #[serde(rename = "flow_id")]
    pub flow: Option<FlowId>,
    pub namespace: Namespace,
    pub outcome: TerminalOutcome,
    #[serde(rename = "occurred_at")]
    pub at: TimestampMs,
}

/// A lease that began, went on or ended, for the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeaseRecord {
    #[serde(rename = "execution_id")]
    pub execution: ExecutionId,
    pub namespace: Namespace,
    #[serde(rename = "event_type")]
    pub kind: LeaseEventKind,
    #[serde(rename = "lease_id")]
    pub lease: Option<LeaseId>,
    pub worker_instance: Option<WorkerInstanceId>,
    /// Who took the lease away; only on `Revoked`.
    pub revoked_by: Option<&'static str>,
    #[serde(rename = "occurred_at")]
    pub at: TimestampMs,
}

/// What happened to a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr, Serialize)]
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
