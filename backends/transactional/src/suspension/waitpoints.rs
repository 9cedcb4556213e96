//! Places for signals: made ahead of a suspension, listed, closed when none takes them.

use std::time::Duration;

use ff_core::backend::{BackendTag, Handle, HandlePayload, PendingWaitpoint, WaitpointHmac};
use ff_core::contracts::{
    ListPendingWaitpointsArgs, ListPendingWaitpointsResult, PendingWaitpointInfo,
};
use ff_core::engine_error::{EngineError, ValidationKind};
use ff_core::partition::PartitionKey;
use ff_core::types::{ExecutionId, MAX_INTEGER, TimestampMs, WaitpointId};

use super::conditions;
use super::tokens::{self, Bound};
use crate::engine::Rule;
use crate::executions::{self, Held, Holder};
use crate::page::{Page, partition_of};
use crate::records::{Execution, Secrets, Suspension, Waitpoint};
use crate::session::Session;
use crate::store::{Minted, StoreError, Tx};

/// The longest name, in bytes.
const MAX_NAME: usize = 256;

/// Entries of a page, if the caller does not say.
const DEFAULT_PAGE: u32 = 100;

/// WPT-001.
pub(super) fn check_name(name: &str) -> Result<(), EngineError> {
    if (1..=MAX_NAME).contains(&name.len()) && !name.contains('\0') {
        return Ok(());
    }
    Err(EngineError::invalid_input("a waitpoint's key has 1 to 256 bytes, none of them U+0000"))
}

/// WPT-001.
pub(crate) fn check_creation(name: &str, expires_in: Duration) -> Result<(), EngineError> {
    check_name(name)?;
    if (1..=u128::from(MAX_INTEGER)).contains(&expires_in.as_millis()) {
        return Ok(());
    }
    Err(EngineError::invalid_input("a waitpoint is pending for 1 to 2^53 - 1 ms"))
}

/// The id in a call of [`close`].
pub(crate) fn parsed(id: &str) -> Result<WaitpointId, EngineError> {
    id.parse().map_err(|_| EngineError::invalid_input(format!("{id:?} is no waitpoint's id")))
}

/// Makes a waitpoint that a suspension may take (WPT-002).
pub(crate) async fn create<T: Tx>(
    tx: &mut Session<T>,
    tag: BackendTag,
    handle: &Handle,
    name: &str,
    expires_in: Duration,
) -> Rule<PendingWaitpoint> {
    let payload = HandlePayload::open(tag, handle)?;
    let partition = payload.execution_id.partition();
    let asked = (Execution::at(&payload.execution_id), Secrets::at(&partition));
    let (_, secrets) = tx.lock(asked).await?;
    let Held { mut execution, now } = executions::held(tx, &Holder::of(&payload)).await?;
    execution.waitpoint_count += 1;
    let id = tx.mint(&execution.id, Minted::Waitpoint, execution.waitpoint_count);
    let id = WaitpointId::from_uuid(id);
    let bound = Bound { execution: &execution.id, waitpoint: &id, created_at: now, name };
    let token = tokens::sign(secrets.as_ref(), bound)?;
    let millis = u64::try_from(expires_in.as_millis()).unwrap_or(MAX_INTEGER);
    tx.put(&Waitpoint {
        partition,
        id,
        execution: execution.id.clone(),
        attempt: payload.attempt_index,
        name: name.to_owned(),
        token: token.clone(),
        created_at: now,
        pending_until: Some(executions::later(now, millis)),
        taken_at_epoch: None,
        activated_at: None,
        closed_at: None,
    });
    tx.put(&execution);
    Ok(PendingWaitpoint::new(id, WaitpointHmac::new(token.as_str())))
}

/// WPT-011.
pub(crate) async fn read_token<T: Tx>(
    tx: &mut Session<T>,
    key: &PartitionKey,
    id: &WaitpointId,
) -> Rule<Option<String>> {
    let partition = partition_of(key)?.index;
    let found = tx.get(Waitpoint::at(&partition, id)).await?;
    Ok(found.map(|waitpoint| waitpoint.token.as_str().to_owned()))
}

/// Those that are pending or active, ascending (WPT-013).
pub(crate) async fn list<T: Tx>(
    tx: &mut Session<T>,
    args: &ListPendingWaitpointsArgs,
) -> Rule<ListPendingWaitpointsResult> {
    let (id, partition) = (&args.execution_id, args.execution_id.partition());
    let page = Page::of(args.limit.unwrap_or(DEFAULT_PAGE) as usize);
    let pending = Waitpoint::PENDING.of(id).after(args.after.as_ref()).limit(page.wanted());
    let asked = (Execution::at(id), Suspension::at(id), pending);
    let (execution, suspension, mut found) = tx.get(asked).await?;
    let execution = executions::found(execution)?;
    let suspended = execution.suspended().and(suspension);
    if let Some(suspension) = &suspended {
        let at = |taken| Waitpoint::at(&partition, taken);
        let taken = tx.get(suspension.waitpoints.iter().map(at).collect::<Vec<_>>()).await?;
        let is_after = |one: &Waitpoint| args.after.is_none_or(|after| one.id > after);
        found.extend(taken.into_iter().flatten().filter(is_after));
        found.sort_by_key(|waitpoint| waitpoint.id);
    }
    let (listed, next) = page.cut(found);
    let mut entries = Vec::new();
    for waitpoint in listed {
        entries.push(info(&execution, suspended.as_ref(), waitpoint)?);
    }
    let listed = ListPendingWaitpointsResult::new(entries);
    Ok(match next {
        Some(last) => listed.with_next_cursor(last.id),
        None => listed,
    })
}

/// WPT-014.
fn info(
    execution: &Execution,
    suspension: Option<&Suspension>,
    waitpoint: Waitpoint,
) -> Rule<PendingWaitpointInfo> {
    let Some((kid, fingerprint)) = waitpoint.fingerprint() else {
        let detail = format!("the token of {}", waitpoint.id);
        return Err(StoreError::Corrupt { record: "waitpoint", detail }.into());
    };
    let is_active = waitpoint.is_active(execution);
    let mut info = PendingWaitpointInfo::new(
        waitpoint.id,
        waitpoint.name.clone(),
        if is_active { "active" } else { "pending" }.to_owned(),
        waitpoint.created_at,
        execution.id.clone(),
        kid.to_owned(),
        fingerprint.to_owned(),
    );
    info.activated_at = waitpoint.activated_at;
    info.expires_at = waitpoint.pending_until;
    if let (true, Some(suspension)) = (is_active, suspension) {
        info.expires_at = execution.suspended().and_then(|suspended| suspended.timeout_at);
        info.required_signal_names =
            conditions::required_names(&suspension.condition, &waitpoint.name);
    }
    Ok(info)
}

/// Closes a pending waitpoint that is due (WPT-016).
pub(crate) async fn close<T: Tx>(
    tx: &mut Session<T>,
    execution: &ExecutionId,
    id: &str,
) -> Rule<()> {
    let found = tx.lock(Waitpoint::at(&execution.partition(), &parsed(id)?)).await?;
    let Some(mut waitpoint) = found else {
        return Ok(());
    };
    if waitpoint.execution != *execution {
        return Err(not_of(&waitpoint).into());
    }
    let now = tx.now().await?;
    if waitpoint.is_pending() && waitpoint.is_due(now) {
        waitpoint.closed_at = Some(now);
        tx.put(&waitpoint);
    }
    Ok(())
}

/// The refusal of a waitpoint that is another's.
pub(super) fn not_of(waitpoint: &Waitpoint) -> EngineError {
    let why = format!("the waitpoint {} is of another execution or attempt", waitpoint.id);
    EngineError::validation(ValidationKind::InvalidWaitpointForExecution, why)
}

impl Waitpoint {
    /// No suspension has taken it, and it is not closed.
    pub fn is_pending(&self) -> bool {
        self.taken_at_epoch.is_none() && self.closed_at.is_none()
    }

    /// The suspension that took it lasts.
    pub(super) fn is_active(&self, execution: &Execution) -> bool {
        execution.suspended().is_some()
            && self.closed_at.is_none()
            && self.taken_at_epoch == Some(execution.epoch)
    }

    /// No suspension may take it any more (WPT-004).
    pub(super) fn is_due(&self, now: TimestampMs) -> bool {
        self.pending_until.is_some_and(|until| until <= now)
    }

    /// Signals may still be kept for a suspension to come (WPT-004).
    pub(super) fn buffers(&self, execution: &Execution, now: TimestampMs) -> bool {
        self.is_pending() && !self.is_due(now) && self.is_of_attempt(execution)
    }

    /// Of the attempt that the execution is at.
    pub(super) fn is_of_attempt(&self, execution: &Execution) -> bool {
        let attempt = execution.shown_attempt().map(|attempt| attempt.index);
        self.execution == execution.id && attempt == Some(self.attempt)
    }
}
