//! How an attempt ends: success, cancellation by its holder, a wait for dependencies.

use ff_core::backend::{BackendTag, Handle, HandlePayload};
use ff_core::call::Call;
use ff_core::state::{AttemptLifecycle, TerminalOutcome};
use ff_core::types::TimestampMs;
use sha2::{Digest, Sha256};

use super::leases::{Held, Standing, emit, not_active, standing};
use crate::engine::Rule;
use crate::flows;
use crate::records::{Attempt, Closing, Execution, ExecutionResult, LeaseEventKind};
use crate::session::Session;
use crate::store::{StoreError, Tx};

/// A call that may end the lease.
pub(super) enum Ending {
    /// It does: the lease is released, `closing` is kept for a repetition.
    First(Box<Held>, Closing),
    /// It did already (ATT-003).
    Again(Closing),
}

/// Ends the execution in success (ATT-007), with its result (ATT-008).
pub(crate) async fn complete<T: Tx>(
    tx: &mut Session<T>,
    tag: BackendTag,
    call: &Call,
    handle: &Handle,
    result: Option<&[u8]>,
) -> Rule<()> {
    let Ending::First(mut held, closing) = ending(tx, tag, call, handle).await? else {
        return Ok(());
    };
    if let Some(result) = result {
        tx.put(&ExecutionResult {
            execution: held.execution.id.clone(),
            bytes: result.to_vec().into(),
        });
    }
    release(tx, &mut held, closing, AttemptLifecycle::EndedSuccess);
    super::end(tx, &mut held.execution, TerminalOutcome::Success, held.now);
    Ok(())
}

/// Ends the execution as cancelled by its holder (ATT-019, EXE-051).
pub(crate) async fn cancel<T: Tx>(
    tx: &mut Session<T>,
    tag: BackendTag,
    call: &Call,
    handle: &Handle,
    reason: &str,
) -> Rule<()> {
    let Ending::First(mut held, closing) = ending(tx, tag, call, handle).await? else {
        return Ok(());
    };
    held.execution.cancellation_reason = Some(reason.to_owned());
    held.execution.cancelled_by = Some("worker".to_owned());
    release(tx, &mut held, closing, AttemptLifecycle::EndedCancelled);
    super::end(tx, &mut held.execution, TerminalOutcome::Cancelled, held.now);
    Ok(())
}

/// Gives up the lease until the dependencies are satisfied, or for now if they are (DEP-034).
pub(crate) async fn wait_children<T: Tx>(
    tx: &mut Session<T>,
    tag: BackendTag,
    call: &Call,
    handle: &Handle,
) -> Rule<()> {
    let id = HandlePayload::open(tag, handle)?.execution_id;
    let flow = flows::lock_flow_of(tx, &id).await?;
    let Ending::First(mut held, closing) = ending(tx, tag, call, handle).await? else {
        return Ok(());
    };
    flows::still_of(&held.execution, flow)?;
    let satisfied = flows::is_satisfied(tx, &held.execution).await?;
    release(tx, &mut held, closing, AttemptLifecycle::Suspended);
    held.execution.wait_for_children(satisfied, held.now);
    tx.put(&held.execution);
    Ok(())
}

/// Whether the call ends the lease, ended it before, or may not (ATT-003, ATT-004, ATT-031).
pub(super) async fn ending<T: Tx>(
    tx: &mut Session<T>,
    tag: BackendTag,
    call: &Call,
    handle: &Handle,
) -> Rule<Ending> {
    let digest = digest(call)?;
    match standing(tx, tag, handle).await? {
        Standing::Held(held) => Ok(Ending::First(held, Closing { digest, retry_at: None })),
        Standing::NotActive(execution) => match &execution.closing {
            Some(closing) if closing.digest == digest => Ok(Ending::Again(closing.clone())),
            _ => Err(not_active(&execution)),
        },
    }
}

/// The call with its handle and all its arguments, so that equal digests mean an exact repetition.
pub(crate) fn digest(call: &Call) -> Result<String, StoreError> {
    let bytes = rmp_serde::to_vec(call).map_err(|error| StoreError::Failed(error.into()))?;
    Ok(format!("{:x}", Sha256::digest(bytes)))
}

/// Ends the attempt and gives up the lease (LSE-013).
pub(super) fn release<T: Tx>(
    tx: &mut Session<T>,
    held: &mut Held,
    closing: Closing,
    state: AttemptLifecycle,
) {
    let execution = &mut held.execution;
    emit(tx, execution, LeaseEventKind::Released, held.now);
    end_attempt(tx, execution, state, held.now);
    execution.release(closing);
}

/// Records the current attempt as it ends or is set aside.
pub(crate) fn end_attempt<T: Tx>(
    tx: &mut Session<T>,
    execution: &Execution,
    state: AttemptLifecycle,
    now: TimestampMs,
) {
    let Some(current) = execution.attempt else {
        return;
    };
    let failed = state == AttemptLifecycle::EndedFailure;
    let told = |text: &Option<String>| text.clone().filter(|_| failed);
    tx.put(&Attempt {
        execution: execution.id.clone(),
        index: current.index,
        id: current.id,
        kind: current.kind,
        started_at: current.started_at,
        state,
        ended_at: Some(now).filter(|_| state.is_terminal()),
        failure_reason: told(&execution.failure_reason),
        failure_category: told(&execution.failure_category),
    });
}
