//! The states of an execution, and the transitions between them.

use ff_core::backend::{HandlePayload, SuspensionReasonCode};
use ff_core::state::{
    AttemptState, BlockingReason, EligibilityState, LifecyclePhase, OwnershipState, PublicState,
    StateVector, TerminalOutcome,
};
use ff_core::types::{LeaseFence, TimestampMs};
use uuid::Uuid;

use super::{later, rank};
use crate::records::{AttemptClock, Closing, CurrentAttempt, Execution, Grant, Lease, Suspended};

/// What there may be to do about an execution, by a call that needs nobody's lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Deadline,
    Suspension,
    Delay,
    Lease,
    Attempt,
    End,
}

impl Execution {
    /// WAIT: a worker may have it, for a new attempt or for one that goes on.
    pub fn is_eligible(&self) -> bool {
        self.phase == LifecyclePhase::Runnable
            && self.ownership == OwnershipState::Unowned
            && self.eligibility == EligibilityState::EligibleNow
    }

    /// Whether its attempt goes on instead of a new one being started.
    pub fn is_interrupted(&self) -> bool {
        self.attempt_state == AttemptState::AttemptInterrupted
    }

    /// Whether a fresh claim may take it (SCH-001).
    pub fn is_claimable(&self) -> bool {
        self.is_eligible() && !self.is_interrupted() && self.reservation().is_none()
    }

    /// Whether its attempt may go on under whatever grant is given next (CLM-033).
    pub fn is_resumable(&self) -> bool {
        self.is_eligible() && self.is_interrupted() && self.reservation().is_none()
    }

    /// What keeps it from claims, until somebody finds that it has run out (CLM-014).
    pub fn reservation(&self) -> Option<&Grant> {
        self.grant.as_ref().filter(|grant| self.is_eligible() && !grant.is_over)
    }

    /// Whether a grant keeps it for its worker.
    pub fn is_granted(&self, now: TimestampMs) -> bool {
        self.grant.as_ref().is_some_and(|grant| grant.expires_at > now)
    }

    /// Its place among all that wait on its lane (SCH-002, SCH-018): less goes first.
    pub fn place(&self) -> (i64, TimestampMs, u16, Uuid) {
        (rank(self.priority), self.created_at, self.id.partition(), self.id.uuid())
    }

    /// LAPSED or REVOKED: the attempt is open, and nobody holds it.
    pub(crate) fn is_reclaimable(&self) -> bool {
        matches!(
            self.ownership,
            OwnershipState::LeaseExpiredReclaimable | OwnershipState::LeaseRevoked
        )
    }

    /// The suspension that lasts.
    pub fn suspended(&self) -> Option<&Suspended> {
        self.suspension.as_ref().filter(|_| self.phase == LifecyclePhase::Suspended)
    }

    /// Whether an admission block keeps it from every claim (SCH-007).
    pub(crate) fn is_blocked(&self) -> bool {
        matches!(
            self.eligibility,
            EligibilityState::BlockedByBudget
                | EligibilityState::BlockedByQuota
                | EligibilityState::BlockedByRoute
        )
    }

    /// Whether it is blocked until a worker comes that can run it.
    pub(crate) fn is_routed(&self) -> bool {
        self.eligibility == EligibilityState::BlockedByRoute
    }

    /// The lease under which it is held, or was until that ran out.
    pub(crate) fn unrevoked_lease(&self) -> Option<&Lease> {
        let is_lapsed = self.ownership == OwnershipState::LeaseExpiredReclaimable;
        self.lease.as_ref().filter(|_| is_lapsed || self.is_held())
    }

    /// Whether somebody holds it, as far as is known.
    pub(crate) fn is_held(&self) -> bool {
        self.ownership == OwnershipState::Leased
    }

    /// When the whole execution is out of time.
    pub(crate) fn deadline(&self) -> Option<TimestampMs> {
        self.deadline_at.filter(|_| !self.is_terminal())
    }

    /// When its attempt is out of time; not while it is set aside (ATT-037).
    pub(crate) fn attempt_limit(&self) -> Option<TimestampMs> {
        match self.attempt_clock {
            Some(AttemptClock::Runs(until)) => Some(until),
            _ => None,
        }
    }

    /// What is to be done about it, and when.
    pub(crate) fn dues(&self) -> impl Iterator<Item = (Due, TimestampMs)> {
        let is_delayed = self.eligibility == EligibilityState::NotEligibleUntilTime;
        let lease = self.lease.as_ref().filter(|_| self.is_held());
        let times = [
            (Due::Deadline, self.deadline()),
            (Due::Suspension, self.suspended().and_then(|suspended| suspended.timeout_at)),
            (Due::Delay, self.delay_until.filter(|_| is_delayed)),
            (Due::Lease, lease.map(|lease| lease.expires_at)),
            (Due::Attempt, self.attempt_limit()),
            (Due::End, self.uncascaded_since),
        ];
        times.into_iter().filter_map(|(due, at)| Some((due, at?)))
    }

    /// When there is something to do about it.
    pub(crate) fn due_at(&self) -> Option<TimestampMs> {
        self.dues().map(|(_, at)| at).min()
    }

    /// For how long its policy has it kept once it has ended, in milliseconds (OPS-023).
    pub(crate) fn kept_ms(&self) -> i64 {
        let stream = self.policy.as_ref().and_then(|policy| policy.stream_policy.as_ref());
        stream.and_then(|stream| stream.retention_ttl_ms).unwrap_or(0).cast_signed()
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

    /// What a handle of the current lease says.
    pub(crate) fn handle_payload(&self) -> Option<HandlePayload> {
        let lease = self.lease.as_ref()?;
        Some(HandlePayload {
            execution_id: self.id.clone(),
            fence: self.fence()?,
            attempt_index: self.attempt?.index,
            lease_ttl_ms: lease.ttl_ms,
            lane_id: self.lane.clone(),
            worker_instance_id: lease.worker_instance.clone(),
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
        self.blocking_detail.clear();
        self.delay_until = None;
        self.denied_by = None;
        self.transition(now);
    }

    /// BUDGET, QUOTA or ROUTE: no claim takes it (SCH-007).
    pub(crate) fn block(
        &mut self,
        eligibility: EligibilityState,
        reason: BlockingReason,
        detail: &str,
        now: TimestampMs,
    ) {
        self.eligibility = eligibility;
        self.blocking_reason = reason;
        detail.clone_into(&mut self.blocking_detail);
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
        self.denied_by = None;
        self.blocking_reason = BlockingReason::WaitingForChildren;
        self.blocking_detail.clear();
        self.transition(now);
    }

    /// DELAY until another attempt begins (ATT-015).
    pub(crate) fn retry(&mut self, until: TimestampMs, now: TimestampMs) {
        self.retry_count += 1;
        self.attempt_state = AttemptState::PendingRetryAttempt;
        self.clear_attempt();
        self.park_until(until, BlockingReason::WaitingForRetryBackoff, now);
    }

    /// ACTIVE: a new attempt under a new lease (CLM-005), for so many milliseconds at most (ATT-024).
    pub(crate) fn start_attempt(
        &mut self,
        attempt: CurrentAttempt,
        lease: Lease,
        limit: Option<u64>,
    ) {
        self.attempt = Some(attempt);
        self.total_attempts += 1;
        self.started_at.get_or_insert(lease.acquired_at);
        self.attempt_clock = limit.map(AttemptClock::Stands);
        self.go_on(lease, None);
    }

    /// ACTIVE: the attempt goes on under a new lease (SUS-037), for what is left of its time and at most for so many
    /// milliseconds (ATT-037, ATT-038).
    pub(crate) fn go_on(&mut self, lease: Lease, limit: Option<u64>) {
        let left = match self.attempt_clock {
            Some(AttemptClock::Stands(left)) => Some(left),
            _ => None,
        };
        let limit = left.into_iter().chain(limit).min();
        self.attempt_clock = limit.map(|ms| AttemptClock::Runs(later(lease.acquired_at, ms)));
        let now = lease.acquired_at;
        self.phase = LifecyclePhase::Active;
        self.ownership = OwnershipState::Leased;
        self.eligibility = EligibilityState::NotApplicable;
        self.blocking_reason = BlockingReason::None;
        self.blocking_detail.clear();
        self.attempt_state = AttemptState::RunningAttempt;
        self.epoch = self.epoch.next();
        self.last_lease = Some(lease.id);
        self.lease = Some(lease);
        self.lease_expired_at = None;
        self.lease_revoked_at = None;
        self.lease_revoke_reason = None;
        self.closing = None;
        self.grant = None;
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

    /// REVOKED: the lease was taken from its holder, the attempt is still open (OPS-014).
    pub(crate) fn revoke(&mut self, reason: &str, now: TimestampMs) {
        self.ownership = OwnershipState::LeaseRevoked;
        self.blocking_reason = BlockingReason::WaitingForWorker;
        self.blocking_detail = format!("lease revoked: {reason}");
        self.attempt_state = AttemptState::AttemptInterrupted;
        self.lease_revoked_at = Some(now);
        self.lease_revoke_reason = Some(reason.to_owned());
        self.transition(now);
    }

    /// Ends the lease by its holder's own call (LSE-013); the attempt's clock stands still (ATT-037).
    pub(crate) fn release(&mut self, closing: Closing, now: TimestampMs) {
        self.ownership = OwnershipState::Unowned;
        self.closing = Some(closing);
        self.lease = None;
        if let Some(AttemptClock::Runs(until)) = self.attempt_clock {
            let left = until.0.saturating_sub(now.0).max(0).unsigned_abs();
            self.attempt_clock = Some(AttemptClock::Stands(left));
        }
    }

    /// Nothing of an attempt that has ended can be held, taken over or timed out.
    fn clear_attempt(&mut self) {
        self.ownership = OwnershipState::Unowned;
        self.blocking_detail.clear();
        self.lease_expired_at = None;
        self.lease_revoked_at = None;
        self.lease_revoke_reason = None;
        self.grant = None;
        self.attempt_clock = None;
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
        self.uncascaded_since = None;
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

    /// SUSPENDED, after the lease was given up (SUS-021).
    pub(crate) fn suspend(&mut self, suspended: Suspended) {
        let now = suspended.since;
        self.phase = LifecyclePhase::Suspended;
        self.blocking_reason = blocked_by(suspended.reason);
        self.attempt_state = AttemptState::AttemptInterrupted;
        self.suspension = Some(suspended);
        self.transition(now);
    }

    /// RESUMED: the same attempt may go on, now or after a delay (SUS-029).
    pub(crate) fn resume(&mut self, delay_ms: u64, now: TimestampMs) {
        self.phase = LifecyclePhase::Runnable;
        if delay_ms == 0 {
            self.make_eligible(now);
        } else {
            let until = later(now, delay_ms);
            self.park_until(until, BlockingReason::WaitingForResumeDelay, now);
        }
    }

    /// The suspension has no end by itself any more, an operator has to see to it (SUS-036).
    pub(crate) fn escalate(&mut self, now: TimestampMs) {
        if let Some(suspended) = &mut self.suspension {
            suspended.reason = SuspensionReasonCode::WaitingForOperatorReview;
            suspended.timeout_at = None;
            self.blocking_reason = blocked_by(suspended.reason);
        }
        self.transition(now);
    }

    /// TERMINAL.
    pub(crate) fn end(&mut self, outcome: TerminalOutcome, now: TimestampMs) {
        self.phase = LifecyclePhase::Terminal;
        self.eligibility = EligibilityState::NotApplicable;
        self.blocking_reason = BlockingReason::None;
        self.outcome = outcome;
        self.attempt_state = match self.attempt {
            Some(_) => AttemptState::AttemptTerminal,
            None => AttemptState::None,
        };
        self.delay_until = None;
        self.denied_by = None;
        self.clear_attempt();
        self.completed_at = Some(now);
        self.uncascaded_since = self.flow.map(|_| now);
        self.transition(now);
    }
}

/// Why a suspended execution does not run (SUS-017).
fn blocked_by(reason: SuspensionReasonCode) -> BlockingReason {
    match reason {
        SuspensionReasonCode::WaitingForApproval => BlockingReason::WaitingForApproval,
        SuspensionReasonCode::WaitingForCallback => BlockingReason::WaitingForCallback,
        SuspensionReasonCode::WaitingForToolResult => BlockingReason::WaitingForToolResult,
        SuspensionReasonCode::WaitingForOperatorReview | SuspensionReasonCode::ManualPause => {
            BlockingReason::PausedByOperator
        }
        SuspensionReasonCode::PausedByPolicy => BlockingReason::PausedByPolicy,
        SuspensionReasonCode::PausedByBudget => BlockingReason::WaitingForBudget,
        // `WaitingForSignal`, `StepBoundary`.
        _ => BlockingReason::WaitingForSignal,
    }
}
