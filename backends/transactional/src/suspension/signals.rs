//! Signals: delivered to a waitpoint, kept until a suspension takes it, counted once one has.

use std::collections::BTreeMap;

use ff_core::backend::{BackendTag, Handle, HandlePayload, ResumeSignal};
use ff_core::contracts::{DeliverApprovalSignalArgs, DeliverSignalArgs, DeliverSignalResult};
use ff_core::engine_error::{EngineError, StateKind, ValidationKind};
use ff_core::types::{SignalId, TimestampMs, WaitpointId, WaitpointToken};
use sha2::{Digest, Sha256};

use super::conditions::Effect;
use super::tokens;
use crate::engine::Rule;
use crate::executions::{found, later};
use crate::records::{Execution, Secrets, Signal, SignalKey, SignalRecord, Suspension, Waitpoint};
use crate::session::Session;
use crate::store::{Minted, Tx};

/// The longest name, in bytes.
const MAX_NAME: usize = 256;

/// How long an idempotency key is remembered if nothing else is said, in milliseconds (SIG-005).
const DEDUP_MS: u64 = 86_400_000;

/// Signals of an execution, if nothing else is said (SIG-009).
const MAX_SIGNALS: u64 = 10_000;

/// SIG-002.
pub(crate) fn check_name(name: &str) -> Result<(), EngineError> {
    let fits = (1..=MAX_NAME).contains(&name.len());
    if fits && !name.starts_with("__") && !name.chars().any(char::is_control) {
        return Ok(());
    }
    let why =
        "a signal's name has 1 to 256 bytes, no control characters, and does not begin with __";
    Err(EngineError::invalid_input(why))
}

/// A signal on its way to a waitpoint.
struct Delivery {
    signal: Signal,
    /// What its idempotency key is found by, and for how many milliseconds.
    key: Option<(String, u64)>,
    limit: Option<u64>,
    resume_delay_ms: Option<u64>,
}

/// What there is where it goes.
struct Target {
    execution: Execution,
    waitpoint: Waitpoint,
    suspension: Option<Suspension>,
    secrets: Option<Secrets>,
    known: Option<SignalKey>,
    now: TimestampMs,
}

/// SIG-001.
pub(crate) async fn deliver<T: Tx>(
    tx: &mut Session<T>,
    args: &DeliverSignalArgs,
) -> Rule<DeliverSignalResult> {
    let id = &args.execution_id;
    let key = args.idempotency_key.as_deref().filter(|key| !key.is_empty());
    let key = key.map(|key| (digest(&["key", key]), args.dedup_ttl_ms.unwrap_or(DEDUP_MS)));
    let by = key.as_ref().map_or_else(String::new, |(digest, _)| digest.clone());
    let asked = (
        Execution::at(id),
        Waitpoint::at(&id.partition(), &args.waitpoint_id),
        Suspension::at(id),
        Secrets::at(&id.partition()),
        Signal::at(id, &args.signal_id),
        SignalKey::at(&args.waitpoint_id, &by),
    );
    let (execution, waitpoint, suspension, secrets, again, known) = tx.lock(asked).await?;
    let execution = found(execution)?;
    let now = tx.now().await?;
    let waitpoint = waitpoint.filter(|waitpoint| waitpoint.execution == *id);
    let waitpoint = waitpoint.ok_or_else(tokens::not_accepted)?;
    let target = Target { execution, waitpoint, suspension, secrets, known, now };
    target.authorise(&args.waitpoint_token)?;
    let signal = Signal {
        execution: id.clone(),
        id: args.signal_id,
        waitpoint: args.waitpoint_id,
        number: target.execution.signal_count + 1,
        name: args.signal_name.clone(),
        category: args.signal_category.clone(),
        source_type: args.source_type.clone(),
        source_identity: args.source_identity.clone(),
        correlation_id: args.correlation_id.clone(),
        idempotency_key: args.idempotency_key.clone(),
        target_scope: args.target_scope.clone(),
        payload: args.payload.clone().filter(|bytes| !bytes.is_empty()).map(Into::into),
        payload_encoding: args.payload_encoding.clone(),
        created_at: args.created_at.unwrap_or(now),
        accepted_at: now,
        effect: String::new(),
    };
    let delivery = Delivery {
        signal,
        key,
        limit: args.max_signals_per_execution,
        resume_delay_ms: args.resume_delay_ms,
    };
    target.take(tx, delivery, again.is_some())
}

/// SIG-017, SIG-018.
pub(crate) async fn deliver_approval<T: Tx>(
    tx: &mut Session<T>,
    args: &DeliverApprovalSignalArgs,
) -> Rule<DeliverSignalResult> {
    let id = &args.execution_id;
    let by = digest(&["approval", &args.signal_name, &args.idempotency_suffix]);
    let asked = (
        Execution::at(id),
        Waitpoint::at(&id.partition(), &args.waitpoint_id),
        Suspension::at(id),
        Secrets::at(&id.partition()),
        SignalKey::at(&args.waitpoint_id, &by),
    );
    let (execution, waitpoint, suspension, secrets, known) = tx.lock(asked).await?;
    let execution = found(execution)?;
    if execution.lane != args.lane_id {
        let why = format!("the execution's lane is {}, not {}", execution.lane, args.lane_id);
        return Err(EngineError::invalid_input(why).into());
    }
    let waitpoint = waitpoint.filter(|waitpoint| waitpoint.execution == *id);
    let waitpoint = waitpoint.ok_or(EngineError::NotFound { entity: "waitpoint" })?;
    let now = tx.now().await?;
    let target = Target { execution, waitpoint, suspension, secrets, known, now };
    target.authorise(&target.waitpoint.token)?;
    let number = target.execution.signal_count + 1;
    let signal = Signal {
        execution: id.clone(),
        id: SignalId::from_uuid(tx.mint(id, Minted::Signal, number)),
        waitpoint: args.waitpoint_id,
        number,
        name: args.signal_name.clone(),
        category: "approval".to_owned(),
        source_type: "operator".to_owned(),
        source_identity: String::new(),
        correlation_id: None,
        idempotency_key: None,
        target_scope: "execution".to_owned(),
        payload: None,
        payload_encoding: None,
        created_at: now,
        accepted_at: now,
        effect: String::new(),
    };
    let delivery = Delivery {
        signal,
        key: Some((by, args.signal_dedup_ttl_ms)),
        limit: args.max_signals_per_execution,
        resume_delay_ms: None,
    };
    target.take(tx, delivery, false)
}

/// What a key is found by; the lengths keep the parts apart.
fn digest(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(format!("{}:{part}", part.len()));
    }
    format!("{:x}", digest.finalize())
}

impl Target {
    fn authorise(&self, token: &WaitpointToken) -> Result<(), EngineError> {
        if tokens::opens(self.secrets.as_ref(), &self.waitpoint, token, self.now) {
            return Ok(());
        }
        Err(tokens::not_accepted())
    }

    /// Everything but the token: whether the signal is known, whether it may come, and what it does.
    fn take<T: Tx>(
        mut self,
        tx: &mut Session<T>,
        mut delivery: Delivery,
        is_known: bool,
    ) -> Rule<DeliverSignalResult> {
        let now = self.now;
        let known = self.known.take().filter(|known| known.expires_at > now);
        let own = is_known.then_some(delivery.signal.id);
        if let Some(existing_signal_id) = known.map(|known| known.signal).or(own) {
            self.tell(tx, existing_signal_id, &delivery, None);
            return Ok(DeliverSignalResult::Duplicate { existing_signal_id });
        }
        if self.execution.is_terminal() {
            return Err(EngineError::State(StateKind::TargetNotSignalable).into());
        }
        let buffers = self.waitpoint.buffers(&self.execution, now);
        if !buffers && !self.waitpoint.is_active(&self.execution) {
            return Err(EngineError::State(StateKind::WaitpointClosed).into());
        }
        let limit = delivery.limit.unwrap_or_else(|| limit_of(&self.execution));
        if limit > 0 && self.execution.signal_count >= limit {
            let why = format!("the execution has {} signals", self.execution.signal_count);
            return Err(EngineError::validation(ValidationKind::SignalLimitExceeded, why).into());
        }
        let effect =
            if buffers { Effect::BufferedForPendingWaitpoint } else { self.count(tx, &delivery) };
        let effect = <&str>::from(effect);
        effect.clone_into(&mut delivery.signal.effect);
        self.execution.signal_count += 1;
        tx.put(&self.execution);
        tx.put(&delivery.signal);
        let signal_id = delivery.signal.id;
        self.tell(tx, signal_id, &delivery, Some(effect));
        if let Some((digest, millis)) = delivery.key.filter(|(_, millis)| *millis > 0) {
            tx.put(&SignalKey {
                waitpoint: self.waitpoint.id,
                digest,
                signal: signal_id,
                expires_at: later(now, millis),
            });
        }
        Ok(DeliverSignalResult::Accepted { effect: effect.to_owned(), signal_id })
    }

    /// Tells the outbox that it came, to this effect if it was not there already (EVT-016).
    fn tell<T: Tx>(
        &self,
        tx: &mut Session<T>,
        signal: SignalId,
        delivery: &Delivery,
        effect: Option<&str>,
    ) {
        tx.append(SignalRecord {
            execution: self.execution.id.clone(),
            namespace: self.execution.namespace.clone(),
            signal,
            waitpoint: self.waitpoint.id,
            source_identity: delivery.signal.source_identity.clone(),
            effect: effect.map(str::to_owned),
            at: self.now,
            tags: BTreeMap::new(),
        });
    }

    /// Counts it towards the suspension, and ends that if it is enough (SIG-013).
    fn count<T: Tx>(&mut self, tx: &mut Session<T>, delivery: &Delivery) -> Effect {
        let Some(suspension) = &mut self.suspension else {
            return Effect::SignalIgnoredNotInCondition;
        };
        let effect = suspension.count(&self.waitpoint.name, &delivery.signal);
        if effect == Effect::ResumeConditionSatisfied {
            let delay = delivery.resume_delay_ms.or(suspension.policy.resume_delay_ms);
            suspension.resumed_at = Some(self.now);
            suspension.resumed_by = Some("signal".to_owned());
            self.execution.resume(delay.unwrap_or(0), self.now);
        }
        tx.put(suspension);
        effect
    }
}

/// Signals that the execution may have, 0 for any number (SIG-009).
fn limit_of(execution: &Execution) -> u64 {
    let policy = execution.policy.as_ref();
    policy.map_or(MAX_SIGNALS, |policy| policy.max_signals_per_execution.into())
}

/// What the latest suspension of the handle's attempt was resumed by (SUS-040).
pub(crate) async fn observe<T: Tx>(
    tx: &mut Session<T>,
    tag: BackendTag,
    handle: &Handle,
) -> Rule<Vec<ResumeSignal>> {
    let payload = HandlePayload::open(tag, handle)?;
    let id = &payload.execution_id;
    let suspension = tx.get(Suspension::at(id)).await?;
    let is_its_own = |suspension: &Suspension| {
        suspension.attempt == payload.attempt_index && suspension.resumed_at.is_some()
    };
    let Some(suspension) = suspension.filter(is_its_own) else {
        return Ok(Vec::new());
    };
    let asked = suspension.satisfiers.iter().map(|signal| Signal::at(id, signal));
    let found = tx.get(asked.collect::<Vec<_>>()).await?;
    let mut signals: Vec<Signal> = found.into_iter().flatten().collect();
    signals.sort_by_key(|signal| (signal.accepted_at, signal.id));
    Ok(signals.into_iter().map(shown).collect())
}

fn shown(signal: Signal) -> ResumeSignal {
    ResumeSignal {
        accepted_at: signal.accepted_at,
        correlation_id: signal.correlation_id.unwrap_or_default(),
        payload: signal.payload.map(serde_bytes::ByteBuf::into_vec),
        signal_category: signal.category,
        signal_id: signal.id,
        signal_name: signal.name,
        source_identity: signal.source_identity,
        source_type: signal.source_type,
    }
}

/// The signal of a timeout (SUS-035).
pub(super) fn timeout<T: Tx>(
    tx: &mut Session<T>,
    execution: &mut Execution,
    waitpoint: WaitpointId,
    now: TimestampMs,
) -> SignalId {
    execution.signal_count += 1;
    let number = execution.signal_count;
    let id = SignalId::from_uuid(tx.mint(&execution.id, Minted::Signal, number));
    tx.put(&Signal {
        execution: execution.id.clone(),
        id,
        waitpoint,
        number,
        name: "timeout".to_owned(),
        category: "timeout".to_owned(),
        source_type: "system".to_owned(),
        source_identity: "suspension_timeout".to_owned(),
        correlation_id: None,
        idempotency_key: None,
        target_scope: "execution".to_owned(),
        payload: None,
        payload_encoding: None,
        created_at: now,
        accepted_at: now,
        effect: <&str>::from(Effect::ResumeConditionSatisfied).to_owned(),
    });
    id
}
