//! Deviants that break the clauses under "Retries".

use ff_core::backend::{FailOutcome, FailureClass};
use ff_core::call::{Call, Reply};
use ff_core::contracts::FailExecutionResult;
use ff_core::policy::BackoffStrategy;
use ff_core::state::TerminalOutcome;
use ff_core::types::{AttemptIndex, TimestampMs};

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::executions::{creating, is_retry};
use crate::deviants::fault::{Fault, call, target_of, write};

deviant!("one-more-retry", ATT_009, "Grants a retry too many." => creating(|args| {
    if let Some(retry) =
        args.policy.as_mut().and_then(|policy| policy.retry_policy.as_mut())
    {
        retry.max_retries += 1;
    }
}));

deviant!("any-category", ATT_009, "Retries whatever the category." => creating(|args| {
    if let Some(retry) =
        args.policy.as_mut().and_then(|policy| policy.retry_policy.as_mut())
    {
        retry.retryable_categories.clear();
    }
}));

deviant!("timeouts-are-final", ATT_010, "Does not retry after a timeout." => failing(|class| {
    if *class == FailureClass::Timeout {
        *class = FailureClass::Permanent;
    }
}));

deviant!("retries-by-default", ATT_011, "Retries where no policy says so." => creating(|args| {
    args.policy.get_or_insert_default().retry_policy.get_or_insert_default();
}));

deviant!("grows-twice", ATT_012,
    "Waits twice as long from the third retry on." => write(|before, after| {
    if is_retry(before, after) && after.retry_count >= 3 {
        let wait = after.delay_until.map_or(0, |until| until.0 - after.last_mutation_at.0);
        after.delay_until = Some(TimestampMs(after.last_mutation_at.0 + 2 * wait));
    }
}));

around!("grows-by-a-power", ATT_032, "Takes the power of the factor first.", |subject, call| {
    let id = target_of(&call);
    let mut answer = subject.ask(call).await;
    if let (Some(id), Ok(Reply::Fail(FailOutcome::RetryScheduled { delay_until }))) =
        (id, &mut answer)
    {
        let retries = subject.field(&id, "retry_count").await;
        let wait = delay_until.0 - subject.clock.now().0;
        // 10^15 times 0.7 to the power of 2 and 3 come a millisecond short.
        if matches!(retries.as_deref(), Some("3" | "4")) && wait > 1_000_000_000_000 {
            delay_until.0 -= 1;
        }
    }
    answer
});

deviant!("full-jitter", ATT_014, "Waits anything from nothing on." => creating(|args| {
    if let Some(retry) =
        args.policy.as_mut().and_then(|policy| policy.retry_policy.as_mut())
        && let BackoffStrategy::Exponential { initial_delay_ms, jitter: true, .. } =
            &mut retry.backoff
    {
        *initial_delay_ms /= 3;
    }
}));

deviant!("forgets-the-category", ATT_015,
    "Does not say why there is a retry." => write(|before, after| {
    if is_retry(before, after) {
        after.failure_category = None;
    }
}));

reply!("promises-too-early", ATT_016, "Promises the retry a millisecond early.",
    Fail(FailOutcome::RetryScheduled { delay_until }) => delay_until.0 -= 1);

deviant!("forgets-the-reason", ATT_017,
    "Does not say why an execution failed." => write(|_, after| {
    if after.outcome == TerminalOutcome::Failed {
        after.failure_reason = None;
    }
}));

deviant!("forgives", ATT_017,
    "Forgets the last failure when a retry succeeds." => write(|_, after| {
    if after.outcome == TerminalOutcome::Success {
        after.failure_reason = None;
    }
}));

request!("reads-details", ATT_010, "Takes the category from the detail.",
    Fail { reason, classification, .. } if reason.detail.as_deref() == Some(b"permanent") =>
        *classification = FailureClass::Permanent);

deviant!("absolute-factors", ATT_013, "Makes something of every factor." => creating(|args| {
    if let Some(retry) =
        args.policy.as_mut().and_then(|policy| policy.retry_policy.as_mut())
        && let BackoffStrategy::Exponential { multiplier, .. } =
            &mut retry.backoff
    {
        *multiplier = if multiplier.is_finite() { multiplier.abs() } else { 1.0 };
    }
}));

/// Changes the class of failures.
fn failing(change: impl Fn(&mut FailureClass) + Send + Sync + 'static) -> Fault {
    call(move |call| {
        if let Call::Fail { classification, .. } = call {
            change(classification);
        }
    })
}

reply!("same-attempt-next", ATT_036, "Says that the attempt that failed comes next.",
    FailExecution(FailExecutionResult::RetryScheduled { next_attempt_index, .. })
        => *next_attempt_index = AttemptIndex::new(0));

request!("permanent-is-transient", ATT_036, "Retries what is permanent.",
    FailExecution { args } if args.failure_category == "permanent"
        => args.failure_category = "transient".to_owned());

request!("stored-policies-only", ATT_034, "Goes by the stored policy whatever the caller says.",
    FailExecution { args } => args.retry_policy_json.clear());

around!(
    "forgives-policies",
    ATT_034,
    "Takes a policy that it does not understand for none.",
    |subject, call| {
        let answer = subject.ask(call.clone()).await;
        let (Err(error), Call::FailExecution { mut args }) = (&answer, call) else {
            return answer;
        };
        if error.code() != "validation.invalid_policy_json" {
            return answer;
        }
        args.retry_policy_json.clear();
        args.next_attempt_policy_json.clear();
        subject.ask(Call::FailExecution { args }).await
    }
);
