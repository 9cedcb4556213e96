//! Giving up a lease until a condition is met.

use std::collections::BTreeSet;

use ff_core::backend::{
    BackendTag, Handle, HandleKind, HandlePayload, IdempotencyKey, SuspendArgs, SuspendOutcome,
    SuspendOutcomeDetails, TimeoutBehavior, WaitpointBinding, WaitpointHmac,
};
use ff_core::call::Call;
use ff_core::contracts::AdditionalWaitpointBinding;
use ff_core::engine_error::{ConflictKind, ContentionKind, EngineError, StateKind};
use ff_core::state::{AttemptLifecycle, LifecyclePhase};
use ff_core::types::{ExecutionId, LeaseFence, SuspensionId, TimestampMs, WaitpointId};
use sha2::{Digest, Sha256};

use super::conditions::{self, Arrival, Effect};
use super::tokens::{self, Bound};
use super::waitpoints::{check_name, not_of};
use crate::engine::Rule;
use crate::executions::{self, Holder, emit, end_attempt, found, hold, later, not_active};
use crate::records::{
    Closing, Execution, LeaseEventKind, Secrets, Signal, SuspendReplay, Suspended, Suspension,
    Waitpoint,
};
use crate::session::Session;
use crate::store::{StoreError, Tx};

/// How far a deadline may lie in the past, in milliseconds (SUS-009).
const TOLERANCE_MS: i64 = 600_000;

/// How long an outcome is kept after the deadline, and at most, in milliseconds (SUS-046).
const KEPT_AFTER_MS: u64 = 60_000;
const KEPT_AT_MOST_MS: u64 = 604_800_000;

/// The most waitpoints of a suspension (SUS-007).
const MAX_WAITPOINTS: usize = 64;

/// SUS-007, SUS-010, SUS-047.
pub(crate) fn check(args: &SuspendArgs) -> Result<(), EngineError> {
    let refuse = |why: &str| Err(EngineError::invalid_input(why));
    let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
    for binding in &args.waitpoints {
        let id = match binding {
            WaitpointBinding::Fresh { waitpoint_id, waitpoint_key } => {
                check_name(waitpoint_key)?;
                if !names.insert(waitpoint_key.as_str()) {
                    return refuse("two waitpoints have one key");
                }
                waitpoint_id
            }
            WaitpointBinding::UsePending { .. } if args.waitpoints.len() > 1 => {
                return refuse("a pending waitpoint is the only one of its suspension");
            }
            WaitpointBinding::UsePending { waitpoint_id } => waitpoint_id,
            _ => return refuse("a binding that nobody knows"),
        };
        if !ids.insert(*id) {
            return refuse("two waitpoints have one id");
        }
    }
    if !(1..=MAX_WAITPOINTS).contains(&ids.len()) {
        return refuse("a suspension has 1 to 64 waitpoints");
    }
    conditions::check(&args.resume_condition)?;
    if names.is_empty() { Ok(()) } else { check_named(args, &names) }
}

/// The condition names the waitpoints that there are, or none (SUS-010).
fn check_named(args: &SuspendArgs, names: &BTreeSet<&str>) -> Result<(), EngineError> {
    let named = conditions::named(&args.resume_condition);
    if named == *names || named.is_empty() && names.len() == 1 {
        return Ok(());
    }
    Err(EngineError::invalid_input("the condition names other waitpoints than there are"))
}

pub(crate) async fn suspend<T: Tx>(
    tx: &mut Session<T>,
    tag: BackendTag,
    call: &Call,
    handle: &Handle,
    args: &SuspendArgs,
) -> Rule<SuspendOutcome> {
    let payload = HandlePayload::open(tag, handle)?;
    suspended(tx, tag, call, &Holder::of(&payload), args).await
}

/// SUS-027.
pub(crate) async fn suspend_by_triple<T: Tx>(
    tx: &mut Session<T>,
    tag: BackendTag,
    call: &Call,
    (execution, fence): (&ExecutionId, &LeaseFence),
    args: &SuspendArgs,
) -> Rule<SuspendOutcome> {
    suspended(tx, tag, call, &Holder::named(execution, fence), args).await
}

async fn suspended<T: Tx>(
    tx: &mut Session<T>,
    tag: BackendTag,
    call: &Call,
    holder: &Holder<'_>,
    args: &SuspendArgs,
) -> Rule<SuspendOutcome> {
    let (id, partition) = (holder.execution, holder.execution.partition());
    let key =
        args.idempotency_key.as_ref().map(IdempotencyKey::as_str).filter(|key| !key.is_empty());
    let digest = digest(key, call)?;
    let bound = args.waitpoints.iter().map(|binding| Waitpoint::at(&partition, id_of(binding)));
    let bound: Vec<_> = bound.collect();
    let asked = (Execution::at(id), SuspendReplay::at(id, &digest), Secrets::at(&partition), bound);
    let (execution, replay, secrets, bound) = tx.lock(asked).await?;
    let mut execution = found(execution)?;
    let now = tx.now().await?;
    if let Some(replay) = replay
        && recognises(&execution, &replay, key.is_some(), now)
    {
        return repeated(tx, tag, partition, replay).await;
    }
    if execution.phase != LifecyclePhase::Active {
        return Err(not_active(&execution));
    }
    hold(tx, &mut execution, holder, now)?;
    let (timeout_at, timeout_behavior) = deadline(&execution, args, now)?;
    let mut waitpoints = taken(&execution, args, bound, secrets.as_ref(), now)?;
    let mut suspension = new_suspension(&execution, args, &waitpoints);
    let is_met = count_buffered(tx, &mut suspension, &waitpoints).await?;
    let released = (!is_met).then(|| execution.handle_payload()).flatten();
    for waitpoint in &mut waitpoints {
        if is_met {
            waitpoint.closed_at = Some(now);
        } else {
            waitpoint.taken_at_epoch = Some(execution.epoch);
            waitpoint.activated_at = Some(now);
        }
        tx.put(waitpoint);
    }
    if is_met {
        suspension.resumed_at = Some(now);
    } else {
        emit(tx, &execution, LeaseEventKind::Released, now);
        end_attempt(tx, &execution, AttemptLifecycle::Suspended, None, now);
        execution.release(Closing { digest: digest.clone(), retry_at: None }, now);
        execution.suspend(Suspended {
            id: args.suspension_id,
            waitpoint: waitpoints[0].id,
            since: now,
            reason: args.reason_code,
            timeout_at,
            timeout_behavior,
        });
        tx.put(&execution);
    }
    tx.put(&suspension);
    let outcome = outcome(tag, suspension.id, &waitpoints, released.as_ref())?;
    if key.is_some() || !is_met {
        tx.put(&SuspendReplay {
            execution: execution.id,
            digest,
            suspension_id: suspension.id,
            waitpoints: suspension.waitpoints,
            released,
            expires_at: kept_until(timeout_at, now),
        });
    }
    Ok(outcome)
}

fn id_of(binding: &WaitpointBinding) -> &WaitpointId {
    match binding {
        WaitpointBinding::UsePending { waitpoint_id }
        | WaitpointBinding::Fresh { waitpoint_id, .. } => waitpoint_id,
        _ => unreachable!("`check` refuses what is neither"),
    }
}

/// What the outcome is kept under: the caller's key, or the whole call.
fn digest(key: Option<&str>, call: &Call) -> Result<String, StoreError> {
    if let Some(key) = key {
        return Ok(format!("{:x}", Sha256::digest(format!("key:{key}"))));
    }
    executions::digest(call)
}

/// Whether this is the same request again: by its key as long as that is remembered (SUS-019), otherwise
/// until something else happens to the lease (SUS-018).
fn recognises(
    execution: &Execution,
    replay: &SuspendReplay,
    has_key: bool,
    now: TimestampMs,
) -> bool {
    let closed_it = || {
        let closing = execution.closing.as_ref();
        execution.phase != LifecyclePhase::Active
            && closing.is_some_and(|closing| closing.digest == replay.digest)
    };
    if has_key { replay.expires_at > now } else { closed_it() }
}

async fn repeated<T: Tx>(
    tx: &mut Session<T>,
    tag: BackendTag,
    partition: u16,
    replay: SuspendReplay,
) -> Rule<SuspendOutcome> {
    let asked = replay.waitpoints.iter().map(|id| Waitpoint::at(&partition, id));
    let found = tx.get(asked.collect::<Vec<_>>()).await?;
    let waitpoints: Vec<Waitpoint> = found.into_iter().flatten().collect();
    Ok(outcome(tag, replay.suspension_id, &waitpoints, replay.released.as_ref())?)
}

/// When it ends by itself and how: as the arguments say, or else the policy (SUS-009, SUS-044).
fn deadline(
    execution: &Execution,
    args: &SuspendArgs,
    now: TimestampMs,
) -> Result<(Option<TimestampMs>, TimeoutBehavior), EngineError> {
    if let Some(at) = args.timeout_at {
        if at.0 + TOLERANCE_MS < now.0 {
            let why = format!("{at} is more than {TOLERANCE_MS} ms ago");
            return Err(EngineError::invalid_input(why));
        }
        return Ok((Some(at), args.timeout_behavior));
    }
    let policy = execution.policy.as_ref().and_then(|policy| policy.suspension_policy.as_ref());
    let timeout = policy.and_then(|policy| Some((policy.default_timeout_ms?, policy)));
    if let Some((millis, policy)) = timeout {
        let behavior = serde_json::from_value(policy.timeout_behavior.as_str().into());
        let behavior = behavior.map_err(|error| EngineError::invalid_input(error.to_string()))?;
        return Ok((Some(later(now, millis)), behavior));
    }
    if conditions::needs_timeout(&args.resume_condition) {
        return Err(EngineError::invalid_input(
            "only a timeout can meet the condition, and there is none",
        ));
    }
    Ok((None, args.timeout_behavior))
}

/// The waitpoints in the order of the request (SUS-024, SUS-026, WPT-010).
fn taken(
    execution: &Execution,
    args: &SuspendArgs,
    found: Vec<Option<Waitpoint>>,
    secrets: Option<&Secrets>,
    now: TimestampMs,
) -> Result<Vec<Waitpoint>, EngineError> {
    let mut taken = Vec::new();
    for (binding, found) in args.waitpoints.iter().zip(found) {
        taken.push(match (binding, found) {
            (WaitpointBinding::UsePending { .. }, found) => {
                let waitpoint = usable(execution, found, now)?;
                check_named(args, &BTreeSet::from([waitpoint.name.as_str()]))?;
                waitpoint
            }
            (WaitpointBinding::Fresh { .. }, Some(_)) => {
                return Err(EngineError::Conflict(ConflictKind::WaitpointAlreadyExists));
            }
            (WaitpointBinding::Fresh { waitpoint_id, waitpoint_key: name }, None) => {
                let bound = Bound {
                    execution: &execution.id,
                    waitpoint: waitpoint_id,
                    created_at: now,
                    name,
                };
                Waitpoint {
                    partition: execution.id.partition(),
                    id: *waitpoint_id,
                    execution: execution.id.clone(),
                    attempt: execution
                        .attempt
                        .map_or_else(Default::default, |attempt| attempt.index),
                    name: name.clone(),
                    token: tokens::sign(secrets, bound)?,
                    created_at: now,
                    pending_until: None,
                    taken_at_epoch: None,
                    activated_at: None,
                    closed_at: None,
                }
            }
            _ => return Err(EngineError::invalid_input("a binding that nobody knows")),
        });
    }
    Ok(taken)
}

/// A pending waitpoint of the execution's attempt (SUS-024).
fn usable(
    execution: &Execution,
    found: Option<Waitpoint>,
    now: TimestampMs,
) -> Result<Waitpoint, EngineError> {
    let Some(waitpoint) = found else {
        return Err(EngineError::Contention(ContentionKind::WaitpointNotFound));
    };
    if !waitpoint.is_of_attempt(execution) {
        return Err(not_of(&waitpoint));
    }
    if !waitpoint.is_pending() {
        return Err(EngineError::State(StateKind::WaitpointNotPending));
    }
    if waitpoint.is_due(now) {
        return Err(EngineError::State(StateKind::PendingWaitpointExpired));
    }
    Ok(waitpoint)
}

fn new_suspension(
    execution: &Execution,
    args: &SuspendArgs,
    waitpoints: &[Waitpoint],
) -> Suspension {
    Suspension {
        execution: execution.id.clone(),
        id: args.suspension_id,
        attempt: execution.attempt.map_or_else(Default::default, |attempt| attempt.index),
        condition: args.resume_condition.clone(),
        policy: args.resume_policy.clone(),
        requested_by: args.requested_by,
        continuation_metadata_pointer: args.continuation_metadata_pointer.clone(),
        waitpoints: waitpoints.iter().map(|waitpoint| waitpoint.id).collect(),
        counted: conditions::none_counted(&args.resume_condition),
        satisfiers: Vec::new(),
        resumed_at: None,
        resumed_by: None,
    }
}

/// Counts what a pending waitpoint has kept, in the order of acceptance; whether that meets the condition
/// (SUS-025).
async fn count_buffered<T: Tx>(
    tx: &mut Session<T>,
    suspension: &mut Suspension,
    waitpoints: &[Waitpoint],
) -> Rule<bool> {
    let [Waitpoint { pending_until: Some(_), id, name, .. }] = waitpoints else {
        return Ok(false);
    };
    for signal in tx.get(Signal::ARRIVED.of(id)).await? {
        let effect = suspension.count(name, &signal);
        if effect == Effect::ResumeConditionSatisfied {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Suspension {
    /// Counts a signal at the waitpoint of this name.
    pub(super) fn count(&mut self, waitpoint: &str, signal: &Signal) -> Effect {
        let arrival = Arrival {
            waitpoint,
            id: signal.id,
            name: &signal.name,
            source_type: &signal.source_type,
            source_identity: &signal.source_identity,
        };
        let effect = conditions::arrive(&self.condition, &mut self.counted, &arrival);
        if matches!(effect, Effect::ResumeConditionSatisfied | Effect::AppendedToWaitpoint) {
            self.satisfiers.push(signal.id);
        }
        effect
    }
}

fn kept_until(timeout_at: Option<TimestampMs>, now: TimestampMs) -> TimestampMs {
    let until_timeout = timeout_at.map(|at| (at.0 - now.0).max(0).unsigned_abs());
    let kept = until_timeout.map_or(KEPT_AT_MOST_MS, |left| left.saturating_add(KEPT_AFTER_MS));
    later(now, kept.min(KEPT_AT_MOST_MS))
}

/// SUS-022.
fn outcome(
    tag: BackendTag,
    suspension_id: SuspensionId,
    waitpoints: &[Waitpoint],
    released: Option<&HandlePayload>,
) -> Result<SuspendOutcome, StoreError> {
    let Some((first, others)) = waitpoints.split_first() else {
        let detail = format!("the waitpoints of {suspension_id} are gone");
        return Err(StoreError::Corrupt { record: "suspension", detail });
    };
    let token = |waitpoint: &Waitpoint| WaitpointHmac::new(waitpoint.token.as_str());
    let other = |waitpoint: &Waitpoint| {
        AdditionalWaitpointBinding::new(waitpoint.id, waitpoint.name.clone(), token(waitpoint))
    };
    let details = SuspendOutcomeDetails::new(
        others.iter().map(other).collect(),
        suspension_id,
        first.id,
        first.name.clone(),
        token(first),
    );
    Ok(match released {
        Some(payload) => {
            SuspendOutcome::Suspended { details, handle: payload.seal(tag, HandleKind::Suspended) }
        }
        None => SuspendOutcome::AlreadySatisfied { details },
    })
}
