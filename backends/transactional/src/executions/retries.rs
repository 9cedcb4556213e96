//! Whether and when a failed attempt is followed by another.

use ff_core::backend::{BackendTag, FailOutcome, FailureClass, FailureReason, Handle};
use ff_core::call::Call;
use ff_core::policy::{BackoffStrategy, RetryPolicy};
use ff_core::state::{AttemptLifecycle, AttemptState, BlockingReason, TerminalOutcome};

use super::attempts::{Ending, ending, release};
use super::create::later;
use crate::engine::Rule;
use crate::records::{Closing, Execution};
use crate::session::Session;
use crate::store::Tx;

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

/// The wait before the retry that follows `retries` others, in milliseconds (ATT-012, ATT-032). It is exact
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
