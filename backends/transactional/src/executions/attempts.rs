//! How an attempt ends or is set aside: success, cancellation by its holder, a wait for dependencies or a time.

use ff_core::backend::{BackendTag, Handle, HandlePayload};
use ff_core::call::Call;
use ff_core::contracts::{CompleteExecutionArgs, CompleteExecutionResult};
use ff_core::state::{
    AttemptLifecycle, AttemptState, BlockingReason, PublicState, TerminalOutcome,
};
use ff_core::types::TimestampMs;
use sha2::{Digest, Sha256};

use super::leases::{Held, Holder, Standing, emit, not_active, standing};
use crate::engine::Rule;
use crate::flows;
use crate::records::{Attempt, CloseReason, Closing, Execution, ExecutionResult, LeaseEventKind};
use crate::session::Session;
use crate::store::{StoreError, Tx};

/// A call that may end the lease.
pub(super) enum Ending {
    /// It does: the lease is released, `closing` is kept for a repetition.
    First(Box<Held>, Closing),
    /// It did already (ATT-003).
    Again(Box<Execution>),
}

/// Ends the execution in success (ATT-007), with its result (ATT-008).
pub(crate) async fn complete<T: Tx>(
    tx: &mut Session<T>,
    tag: BackendTag,
    call: &Call,
    handle: &Handle,
    result: Option<&[u8]>,
) -> Rule<()> {
    let payload = HandlePayload::open(tag, handle)?;
    succeed(tx, call, &Holder::of(&payload), result).await
}

/// The same without a handle.
pub(crate) async fn complete_execution<T: Tx>(
    tx: &mut Session<T>,
    call: &Call,
    args: &CompleteExecutionArgs,
) -> Rule<CompleteExecutionResult> {
    let holder = Holder::of_attempt(&args.execution_id, args.fence.as_ref(), args.attempt_index);
    succeed(tx, call, &holder, args.result_payload.as_deref()).await?;
    Ok(CompleteExecutionResult::Completed {
        execution_id: args.execution_id.clone(),
        public_state: PublicState::Completed,
    })
}

async fn succeed<T: Tx>(
    tx: &mut Session<T>,
    call: &Call,
    holder: &Holder<'_>,
    result: Option<&[u8]>,
) -> Rule<()> {
    let Ending::First(mut held, closing) = ending(tx, call, holder).await? else {
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
    let payload = HandlePayload::open(tag, handle)?;
    let Ending::First(mut held, closing) = ending(tx, call, &Holder::of(&payload)).await? else {
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
    let payload = HandlePayload::open(tag, handle)?;
    let flow = flows::lock_flow_of(tx, &payload.execution_id).await?;
    let Ending::First(mut held, closing) = ending(tx, call, &Holder::of(&payload)).await? else {
        return Ok(());
    };
    flows::still_of(&held.execution, flow)?;
    let satisfied = flows::is_satisfied(tx, &held.execution).await?;
    release(tx, &mut held, closing, AttemptLifecycle::Suspended);
    held.execution.wait_for_children(satisfied, held.now);
    tx.put(&held.execution);
    Ok(())
}

/// Gives up the lease until a time; the attempt goes on then (ATT-020).
pub(crate) async fn delay<T: Tx>(
    tx: &mut Session<T>,
    tag: BackendTag,
    call: &Call,
    handle: &Handle,
    until: TimestampMs,
) -> Rule<()> {
    let payload = HandlePayload::open(tag, handle)?;
    let Ending::First(mut held, closing) = ending(tx, call, &Holder::of(&payload)).await? else {
        return Ok(());
    };
    release(tx, &mut held, closing, AttemptLifecycle::Suspended);
    held.execution.attempt_state = AttemptState::AttemptInterrupted;
    held.execution.park_until(until, BlockingReason::WaitingForDelay, held.now);
    tx.put(&held.execution);
    Ok(())
}

/// Whether the call ends the lease, ended it before, or may not (ATT-003, ATT-004, ATT-031). An operator's
/// call is never the same again.
pub(super) async fn ending<T: Tx>(
    tx: &mut Session<T>,
    call: &Call,
    holder: &Holder<'_>,
) -> Rule<Ending> {
    let digest = digest(call)?;
    match standing(tx, holder).await? {
        Standing::Held(held) => Ok(Ending::First(held, Closing { digest, retry_at: None })),
        Standing::NotActive(execution) => match &execution.closing {
            Some(closing) if closing.digest == digest && holder.fence.is_some() => {
                Ok(Ending::Again(execution))
            }
            _ => Err(not_active(&execution)),
        },
    }
}

/// The call with all its arguments but the caller's time (R41): equal digests mean an exact repetition.
pub(crate) fn digest(call: &Call) -> Result<String, StoreError> {
    let mut call = call.clone();
    match &mut call {
        Call::Suspend { args, .. } | Call::SuspendByTriple { args, .. } => {
            args.now = TimestampMs(0);
        }
        Call::CompleteExecution { args } => args.now = TimestampMs(0),
        _ => {}
    }
    let bytes = rmp_serde::to_vec(&call).map_err(|error| StoreError::Failed(error.into()))?;
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
    end_attempt(tx, execution, state, None, held.now);
    execution.release(closing, held.now);
}

/// Records the current attempt as it ends or is set aside; its stream is closed for that reason, or else the one that
/// follows from the end.
pub(crate) fn end_attempt<T: Tx>(
    tx: &mut Session<T>,
    execution: &Execution,
    state: AttemptLifecycle,
    reason: Option<CloseReason>,
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
        closed: execution.closes(state, reason, now),
    });
}
