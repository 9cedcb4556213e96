//! Whether and when a failed attempt is followed by another.

use ff_core::backend::{
    BackendTag, FailOutcome, FailureClass, FailureReason, Handle, HandlePayload,
};
use ff_core::call::Call;
use ff_core::contracts::{FailExecutionArgs, FailExecutionResult};
use ff_core::engine_error::{EngineError, ValidationKind};
use ff_core::policy::{BackoffStrategy, RetryPolicy};
use ff_core::state::{AttemptLifecycle, TerminalOutcome};
use ff_core::types::{AttemptIndex, TimestampMs};

use super::attempts::{Ending, ending, release};
use super::create::later;
use super::leases::Holder;
use crate::engine::Rule;
use crate::records::Execution;
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
    let payload = HandlePayload::open(tag, handle)?;
    let failure = Failure { reason: &reason.message, category: class.into(), policy: None };
    Ok(match end(tx, call, &Holder::of(&payload), failure).await?.0 {
        Some(delay_until) => FailOutcome::RetryScheduled { delay_until },
        None => FailOutcome::TerminalFailed,
    })
}

/// The same without a handle, by a policy of the caller's if there is one (ATT-011).
pub(crate) async fn fail_execution<T: Tx>(
    tx: &mut Session<T>,
    call: &Call,
    args: &FailExecutionArgs,
) -> Rule<FailExecutionResult> {
    let holder = Holder::of_attempt(&args.execution_id, args.fence.as_ref(), args.attempt_index);
    let policy = parse_retry_policy(&args.retry_policy_json)?;
    let (reason, category) = (&args.failure_reason, &args.failure_category);
    let (retry_at, next) = end(tx, call, &holder, Failure { reason, category, policy }).await?;
    Ok(match retry_at {
        Some(delay_until) => {
            FailExecutionResult::RetryScheduled { delay_until, next_attempt_index: next }
        }
        None => FailExecutionResult::TerminalFailed,
    })
}

/// The policy that a caller gives as JSON, none if it is empty (ATT-034).
pub fn parse_retry_policy(json: &str) -> Result<Option<RetryPolicy>, EngineError> {
    if json.is_empty() {
        return Ok(None);
    }
    let refuse =
        |detail: String| EngineError::validation(ValidationKind::InvalidPolicyJson, detail);
    let policy: serde_json::Map<_, _> =
        serde_json::from_str(json).map_err(|error| refuse(error.to_string()))?;
    let policy =
        serde_json::from_value(policy.into()).map_err(|error| refuse(error.to_string()))?;
    Ok(Some(policy))
}

struct Failure<'a> {
    reason: &'a str,
    category: &'a str,
    /// Instead of the one that the execution was created with.
    policy: Option<RetryPolicy>,
}

/// Returns when a retry is due, and the index that it gets.
async fn end<T: Tx>(
    tx: &mut Session<T>,
    call: &Call,
    holder: &Holder<'_>,
    failure: Failure<'_>,
) -> Rule<(Option<TimestampMs>, AttemptIndex)> {
    let (mut held, mut closing) = match ending(tx, call, holder).await? {
        Ending::First(held, closing) => (held, closing),
        Ending::Again(execution) => {
            let retry_at = execution.closing.as_ref().and_then(|closing| closing.retry_at);
            return Ok((retry_at, AttemptIndex::new(execution.total_attempts)));
        }
    };
    let execution = &mut held.execution;
    execution.failure_reason = Some(failure.reason.to_owned());
    execution.failure_category = Some(failure.category.to_owned());
    closing.retry_at = retry_at(execution, failure.policy, failure.category, held.now);
    let told = (closing.retry_at, AttemptIndex::new(execution.total_attempts));
    release(tx, &mut held, closing, AttemptLifecycle::EndedFailure);
    match told.0 {
        Some(until) => {
            held.execution.retry(until, held.now);
            tx.put(&held.execution);
        }
        None => super::end(tx, &mut held.execution, TerminalOutcome::Failed, held.now),
    }
    Ok(told)
}

/// When a retry is due, if the policy grants one more (ATT-012).
pub(super) fn retry_at(
    execution: &Execution,
    given: Option<RetryPolicy>,
    category: &str,
    now: TimestampMs,
) -> Option<TimestampMs> {
    let policy = applicable_retry(execution, given, category)?;
    Some(later(now, backoff_ms(&policy.backoff, execution.retry_count)))
}

/// The policy, if it grants one more retry (ATT-009 to ATT-011).
fn applicable_retry(
    execution: &Execution,
    given: Option<RetryPolicy>,
    category: &str,
) -> Option<RetryPolicy> {
    let stored = || execution.policy.as_ref()?.retry_policy.clone();
    let policy = given.or_else(stored)?;
    let permitted = !matches!(category, "permanent" | "cancelled");
    let left = execution.retry_count < policy.max_retries;
    let categories = &policy.retryable_categories;
    let named = categories.is_empty() || categories.iter().any(|known| known == category);
    (permitted && left && named).then_some(policy)
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
