//! Creating executions.

use std::collections::{BTreeMap, BTreeSet};

use ff_core::backend::Namespace;
use ff_core::contracts::{CreateExecutionArgs, CreateExecutionResult};
use ff_core::policy::ExecutionPolicy;
use ff_core::state::{
    AttemptState, BlockingReason, EligibilityState, LifecyclePhase, OwnershipState, TerminalOutcome,
};
use ff_core::types::{LeaseEpoch, MAX_INTEGER, TimestampMs};

use sha2::{Digest, Sha256};

use super::tags::tell;
use crate::engine::Rule;
use crate::records::{Execution, Idempotency, Lane, Payload, TagEventKind, Tags};
use crate::session::Session;
use crate::store::Tx;

/// How long an idempotency key is remembered if the policy does not say (EXE-009).
const DEDUP_WINDOW_MS: u64 = 86_400_000;

/// The range of priorities (EXE-006).
const PRIORITIES: (i32, i32) = (0, 9_000);

/// Creates an execution, or recognises one whose idempotency key is remembered (EXE-008) or that
/// exists (EXE-007); both decide before anything is written.
pub(crate) async fn create<T: Tx>(
    tx: &mut Session<T>,
    args: &CreateExecutionArgs,
) -> Rule<CreateExecutionResult> {
    let id = &args.execution_id;
    let key = args.idempotency_key.as_ref().filter(|key| !key.is_empty());
    let digest = key.map(|key| digest_of(&args.namespace, key));
    let (known, existing) = match &digest {
        Some(digest) => {
            let known = Idempotency::at(&args.partition_id, digest);
            tx.lock((known, Execution::at(id))).await?
        }
        // A creation that meets another one of this id conflicts with it.
        None => (None, tx.get(Execution::at(id)).await?),
    };
    let now = tx.now().await?;
    if let Some(known) = known.filter(|known| known.expires_at > now) {
        let execution_id = known.execution;
        return Ok(CreateExecutionResult::Duplicate { execution_id });
    }
    if existing.is_some() {
        let execution_id = id.clone();
        return Ok(CreateExecutionResult::Duplicate { execution_id });
    }

    let execution = new_execution(args, now);
    tx.put(&execution);
    tx.put(&Payload { execution: id.clone(), bytes: args.input_payload.clone().into() });
    if !args.tags.is_empty() {
        let tags: BTreeMap<String, String> = args.tags.clone().into_iter().collect();
        for (key, value) in &tags {
            tell(tx, id, TagEventKind::Attached, (key, value), now);
        }
        tx.put(&Tags { execution: id.clone(), tags });
    }
    tx.put(&Lane { name: execution.lane.clone() });
    if let Some(digest) = digest {
        let window = args.policy.as_ref().and_then(|policy| policy.dedup_window_ms);
        tx.put(&Idempotency {
            partition: args.partition_id,
            digest,
            execution: id.clone(),
            expires_at: later(now, window.unwrap_or(DEDUP_WINDOW_MS)),
        });
    }
    Ok(CreateExecutionResult::Created {
        public_state: execution.public_state(),
        execution_id: execution.id,
    })
}

/// What a key is found by; the length keeps the parts apart.
fn digest_of(namespace: &Namespace, key: &str) -> String {
    let namespace = namespace.as_str();
    let text = format!("{}:{namespace}:{key}", namespace.len());
    format!("{:x}", Sha256::digest(text))
}

pub(crate) fn new_execution(args: &CreateExecutionArgs, now: TimestampMs) -> Execution {
    let policy = args.policy.as_ref();
    let mut execution = Execution {
        id: args.execution_id.clone(),
        namespace: args.namespace.clone(),
        lane: args.lane_id.clone(),
        kind: args.execution_kind.clone(),
        creator_identity: args.creator_identity.clone(),
        payload_encoding: args.payload_encoding.clone(),
        priority: clamped(args.priority),
        requirements: policy.map_or_else(BTreeSet::new, required_capabilities),
        policy: args.policy.clone(),
        flow: None,
        phase: LifecyclePhase::Runnable,
        ownership: OwnershipState::Unowned,
        eligibility: EligibilityState::EligibleNow,
        blocking_reason: BlockingReason::WaitingForWorker,
        blocking_detail: String::new(),
        outcome: TerminalOutcome::None,
        attempt_state: AttemptState::PendingFirstAttempt,
        total_attempts: 0,
        retry_count: 0,
        replay_count: 0,
        reclaim_count: 0,
        attempt: None,
        lease: None,
        epoch: LeaseEpoch::new(0),
        lease_expired_at: None,
        lease_revoked_at: None,
        lease_revoke_reason: None,
        attempt_clock: None,
        denied_by: None,
        closing: None,
        created_at: now,
        started_at: None,
        completed_at: None,
        last_transition_at: now,
        last_mutation_at: now,
        delay_until: None,
        uncascaded_since: None,
        deadline_at: args.execution_deadline_at.or_else(|| Some(later(now, deadline_ms(policy?)?))),
        failure_reason: None,
        failure_category: None,
        cancellation_reason: None,
        cancelled_by: None,
        progress_percent: None,
        progress_message: None,
        suspension: None,
        waitpoint_count: 0,
        signal_count: 0,
        grant: None,
        last_lease: None,
    };
    if let Some(until) = args.delay_until.filter(|until| *until > now) {
        execution.park_until(until, BlockingReason::WaitingForDelay, now);
    }
    execution
}

fn required_capabilities(policy: &ExecutionPolicy) -> BTreeSet<String> {
    let routing = policy.routing_requirements.as_ref();
    routing.map_or_else(BTreeSet::new, |routing| routing.required_capabilities.clone())
}

fn deadline_ms(policy: &ExecutionPolicy) -> Option<u64> {
    policy.timeout_policy.as_ref()?.execution_deadline_ms
}

/// EXE-006.
pub(crate) fn clamped(priority: i32) -> i32 {
    priority.clamp(PRIORITIES.0, PRIORITIES.1)
}

/// An execution's place by priority: the highest goes first (SCH-002).
pub(crate) fn rank(priority: i32) -> i64 {
    (PRIORITIES.1 - priority).into()
}

/// A time after `now`, at most the last one that can travel.
pub(crate) fn later(now: TimestampMs, by_ms: u64) -> TimestampMs {
    let at = now.0.unsigned_abs().saturating_add(by_ms).min(MAX_INTEGER);
    TimestampMs(at.cast_signed())
}
