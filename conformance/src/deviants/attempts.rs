//! Deviants of attempts: counting, progress, ends and retries.

use ff_core::backend::{FailOutcome, FailureClass};
use ff_core::call::{Call, Reply};
use ff_core::engine_error::{ContentionKind, EngineError, StateKind};
use ff_core::policy::BackoffStrategy;
use ff_core::state::TerminalOutcome;
use ff_core::types::{AttemptIndex, TimestampMs};
use ff_mock::Execution;

use super::executions::{creating, failing};
use super::tampering::{answer, call, write};
use super::{Deviant, deviant};

pub(super) const DEVIANTS: &[Deviant] = &[
    deviant!(
        "counts-failures",
        "ATT-001",
        "Counts an attempt when it fails.",
        write(|before, after| {
            if is_retry(before, after) {
                after.total_attempts += 1;
            }
        })
    ),
    deviant!(
        "zero-for-nobody",
        "ATT-002",
        "Counts nothing for what is not there.",
        answer(|call, answer| {
            if let (Call::ReadTotalAttemptCount { .. }, Err(_)) = (call, &answer) {
                *answer = Ok(Reply::ReadTotalAttemptCount(AttemptIndex::new(0)));
            }
        })
    ),
    deviant!(
        "no-memory",
        "ATT-003",
        "Does not recognise repetitions.",
        write(|_, after| after.closing = None)
    ),
    deviant!(
        "any-arguments",
        "ATT-004",
        "Takes every completion after the end for a repetition.",
        answer(|call, answer| {
            if let Call::Complete { .. } = call
                && is_over(answer)
            {
                *answer = Ok(Reply::Complete(()));
            }
        })
    ),
    deviant!(
        "none-is-zero",
        "ATT-005",
        "Takes no percentage for none done.",
        call(|call| {
            if let Call::Progress { percent, .. } = call {
                percent.get_or_insert(0);
            }
        })
    ),
    deviant!(
        "progress-renews",
        "ATT-005",
        "Extends the lease with progress.",
        write(|before, after| {
            let now = after.last_mutation_at;
            if before.is_some_and(|before| before.progress_percent != after.progress_percent)
                && let Some(lease) = &mut after.lease
            {
                lease.expires_at = TimestampMs(now.0 + 30_000);
            }
        })
    ),
    deviant!(
        "clamps-progress",
        "ATT-006",
        "Takes more than everything for everything.",
        call(|call| {
            if let Call::Progress { percent: Some(percent), .. } = call {
                *percent = (*percent).min(100);
            }
        })
    ),
    deviant!(
        "undated-success",
        "ATT-007",
        "Does not say when an execution succeeded.",
        write(|_, after| {
            if after.outcome == TerminalOutcome::Success {
                after.completed_at = None;
            }
        })
    ),
    deviant!(
        "forgets-results",
        "ATT-008",
        "Completes without the result.",
        call(|call| {
            if let Call::Complete { payload, .. } = call {
                *payload = None;
            }
        })
    ),
    deviant!(
        "one-more-retry",
        "ATT-009",
        "Grants a retry too many.",
        creating(|args| {
            if let Some(retry) =
                args.policy.as_mut().and_then(|policy| policy.retry_policy.as_mut())
            {
                retry.max_retries += 1;
            }
        })
    ),
    deviant!(
        "any-category",
        "ATT-009",
        "Retries whatever the category.",
        creating(|args| {
            if let Some(retry) =
                args.policy.as_mut().and_then(|policy| policy.retry_policy.as_mut())
            {
                retry.retryable_categories.clear();
            }
        })
    ),
    deviant!(
        "timeouts-are-final",
        "ATT-010",
        "Does not retry after a timeout.",
        failing(|class| {
            if *class == FailureClass::Timeout {
                *class = FailureClass::Permanent;
            }
        })
    ),
    deviant!(
        "retries-by-default",
        "ATT-011",
        "Retries where no policy says so.",
        creating(|args| {
            args.policy.get_or_insert_default().retry_policy.get_or_insert_default();
        })
    ),
    deviant!(
        "grows-twice",
        "ATT-012",
        "Waits twice as long from the third retry on.",
        write(|before, after| {
            if is_retry(before, after) && after.retry_count >= 3 {
                let wait = after.delay_until.map_or(0, |until| until.0 - after.last_mutation_at.0);
                after.delay_until = Some(TimestampMs(after.last_mutation_at.0 + 2 * wait));
            }
        })
    ),
    deviant!(
        "full-jitter",
        "ATT-014",
        "Waits anything from nothing on.",
        creating(|args| {
            if let Some(retry) =
                args.policy.as_mut().and_then(|policy| policy.retry_policy.as_mut())
                && let BackoffStrategy::Exponential { initial_delay_ms, jitter: true, .. } =
                    &mut retry.backoff
            {
                *initial_delay_ms /= 3;
            }
        })
    ),
    deviant!(
        "forgets-the-category",
        "ATT-015",
        "Does not say why there is a retry.",
        write(|before, after| {
            if is_retry(before, after) {
                after.failure_category = None;
            }
        })
    ),
    deviant!(
        "promises-too-early",
        "ATT-016",
        "Promises the retry a millisecond early.",
        answer(|_, answer| {
            if let Ok(Reply::Fail(FailOutcome::RetryScheduled { delay_until })) = answer {
                delay_until.0 -= 1;
            }
        })
    ),
    deviant!(
        "forgets-the-reason",
        "ATT-017",
        "Does not say why an execution failed.",
        write(|_, after| {
            if after.outcome == TerminalOutcome::Failed {
                after.failure_reason = None;
            }
        })
    ),
    deviant!(
        "cuts-reasons",
        "ATT-018",
        "Keeps the beginning of a reason.",
        call(|call| match call {
            Call::Cancel { reason, .. } => reason.truncate(1_024),
            Call::Fail { reason, .. } => reason.message.truncate(1_024),
            _ => {}
        })
    ),
    deviant!(
        "blames-the-operator",
        "ATT-019",
        "Says that someone else cancelled.",
        write(|_, after| {
            if after.cancelled_by.as_deref() == Some("worker") {
                after.cancelled_by = Some("operator".to_owned());
            }
        })
    ),
    deviant!(
        "everyone-decides",
        "ATT-029",
        "Lets each end of an execution succeed.",
        answer(|call, answer| {
            if is_over(answer) {
                match call {
                    Call::Complete { .. } => *answer = Ok(Reply::Complete(())),
                    Call::Cancel { .. } => *answer = Ok(Reply::Cancel(())),
                    _ => {}
                }
            }
        })
    ),
    deviant!(
        "forgives",
        "ATT-017",
        "Forgets the last failure when a retry succeeds.",
        write(|_, after| {
            if after.outcome == TerminalOutcome::Success {
                after.failure_reason = None;
            }
        })
    ),
    deviant!(
        "begins-from-nothing",
        "ATT-006",
        "Forgets progress with each attempt.",
        write(|before, after| {
            if before.is_some_and(|before| before.total_attempts < after.total_attempts) {
                after.progress_percent = None;
            }
        })
    ),
    deviant!(
        "any-call",
        "ATT-004",
        "Takes every cancellation after the end for a repetition.",
        answer(|call, answer| {
            if let Call::Cancel { .. } = call
                && is_over(answer)
            {
                *answer = Ok(Reply::Cancel(()));
            }
        })
    ),
    deviant!(
        "remembers-too-long",
        "ATT-003",
        "Recognises a failure though another worker holds the execution.",
        answer(|call, answer| {
            if let (Call::Fail { .. }, Err(EngineError::State(StateKind::StaleLease))) =
                (call, &answer)
            {
                *answer = Ok(Reply::Fail(FailOutcome::TerminalFailed));
            }
        })
    ),
    deviant!(
        "reads-details",
        "ATT-010",
        "Takes the category from the detail.",
        call(|call| {
            if let Call::Fail { reason, classification, .. } = call
                && reason.detail.as_deref() == Some(b"permanent")
            {
                *classification = FailureClass::Permanent;
            }
        })
    ),
];

fn is_retry(before: Option<&Execution>, after: &Execution) -> bool {
    before.is_some_and(|before| before.retry_count < after.retry_count)
}

fn is_over(answer: &super::tampering::Answer) -> bool {
    matches!(answer, Err(EngineError::Contention(ContentionKind::ExecutionNotActive { .. })))
}
