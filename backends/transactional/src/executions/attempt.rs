//! How an attempt ends: success, failure with or without a retry, cancellation by its holder.

use ff_core::backend::{
    BackendTag, FailOutcome, FailureClass, FailureReason, Handle, HandlePayload,
};
use ff_core::call::Call;
use ff_core::policy::{BackoffStrategy, RetryPolicy};
use ff_core::state::{AttemptLifecycle, AttemptState, BlockingReason, TerminalOutcome};
use ff_core::types::TimestampMs;
use sha2::{Digest, Sha256};

use super::create::later;
use super::lease::{Held, Standing, emit, not_active, standing};
use crate::engine::Rule;
use crate::flows;
use crate::records::{Attempt, Closing, Execution, ExecutionResult, LeaseEventKind};
use crate::session::Session;
use crate::store::{StoreError, Tx};

/// A call that may end the lease.
enum Ending {
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

/// Ends the execution as cancelled by its holder (ATT-019).
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

/// Ends the attempt in failure: a retry follows if the policy and the class permit (ATT-009).
pub(crate) async fn fail<T: Tx>(
    tx: &mut Session<T>,
    tag: BackendTag,
    call: &Call,
    handle: &Handle,
    reason: &FailureReason,
    class: FailureClass,
) -> Rule<FailOutcome> {
    let (mut held, mut closing) = match ending(tx, tag, call, handle).await? {
        Ending::First(held, closing) => (held, closing),
        Ending::Again(closing) => return Ok(outcome(&closing)),
    };
    let execution = &mut held.execution;
    let category: &'static str = class.into();
    execution.failure_reason = Some(reason.message.clone());
    execution.failure_category = Some(category.to_owned());
    let retry = applicable_retry(execution, class, category);
    closing.retry_at =
        retry.map(|policy| later(held.now, backoff_ms(&policy.backoff, execution.retry_count)));
    let outcome = outcome(&closing);
    release(tx, &mut held, closing.clone(), AttemptLifecycle::EndedFailure);
    match closing.retry_at {
        Some(until) => {
            let execution = &mut held.execution;
            execution.retry_count += 1;
            execution.attempt_state = AttemptState::PendingRetryAttempt;
            execution.park_until(until, BlockingReason::WaitingForRetryBackoff, held.now);
            tx.put(execution);
        }
        None => super::end(tx, &mut held.execution, TerminalOutcome::Failed, held.now),
    }
    Ok(outcome)
}

fn outcome(closing: &Closing) -> FailOutcome {
    match closing.retry_at {
        Some(delay_until) => FailOutcome::RetryScheduled { delay_until },
        None => FailOutcome::TerminalFailed,
    }
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

/// Whether the call ends the lease, ended it before, or may not (ATT-003, ATT-004).
async fn ending<T: Tx>(
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
fn digest(call: &Call) -> Result<String, StoreError> {
    let bytes = rmp_serde::to_vec(call).map_err(|error| StoreError::Failed(error.into()))?;
    Ok(format!("{:x}", Sha256::digest(bytes)))
}

/// Ends the attempt and gives up the lease (LSE-013).
fn release<T: Tx>(tx: &mut Session<T>, held: &mut Held, closing: Closing, state: AttemptLifecycle) {
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

/// The policy, if it grants one more retry (ATT-009 to ATT-011).
fn applicable_retry(
    execution: &Execution,
    class: FailureClass,
    category: &str,
) -> Option<RetryPolicy> {
    let policy = execution.policy.as_ref()?.retry_policy.as_ref()?;
    let permitted = !matches!(class, FailureClass::Permanent | FailureClass::Cancelled);
    let left = execution.retry_count < policy.max_retries;
    let categories = &policy.retryable_categories;
    let named = categories.is_empty() || categories.iter().any(|known| known == category);
    (permitted && left && named).then(|| policy.clone())
}

/// The wait before the retry that follows `retries` others, in milliseconds (ATT-012). It is exact
/// also where the policy allows jitter (ATT-014).
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp
)]
fn backoff_ms(backoff: &BackoffStrategy, retries: u32) -> u64 {
    match *backoff {
        BackoffStrategy::Fixed { delay_ms } => delay_ms,
        BackoffStrategy::Exponential { initial_delay_ms, max_delay_ms, multiplier, .. } => {
            let mut grown = initial_delay_ms as f64;
            for _ in 0..retries {
                let next = grown * multiplier;
                if next == grown {
                    break;
                }
                grown = next;
            }
            // Casting saturates, and both bounds are below 2^53, where it is exact.
            grown.min(max_delay_ms as f64) as u64
        }
    }
}
