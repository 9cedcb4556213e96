//! Deviants that break the clauses under "Attempts".

use ff_core::call::{Call, Reply};
use ff_core::contracts::CompleteExecutionResult;
use ff_core::state::{
    AttemptState, BlockingReason, EligibilityState, PublicState, TerminalOutcome,
};
use ff_core::types::{AttemptIndex, TimestampMs};
use ff_mock::Execution;

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::executions::{is_over, is_retry, is_set_aside};
use crate::deviants::fault::{answer, call, write};

deviant!("counts-failures", ATT_001, "Counts an attempt when it fails." => write(|before, after| {
    if is_retry(before, after) {
        after.total_attempts += 1;
    }
}));

deviant!("zero-for-nobody", ATT_030,
    "Counts nothing for what is not there." => answer(|call, answer| {
    if let (Call::ReadTotalAttemptCount { .. }, Err(_)) = (call, &answer) {
        *answer = Ok(Reply::ReadTotalAttemptCount(AttemptIndex::new(0)));
    }
}));

around!(
    "counts-from-one",
    ATT_002,
    "Counts an attempt before the first claim.",
    |subject, call| {
        let answer = subject.ask(call.clone()).await;
        if let Call::ReadTotalAttemptCount { execution_id } = &call
            && subject.field(execution_id, "started_at").await.is_none()
            && answer.is_ok()
        {
            return Ok(Reply::ReadTotalAttemptCount(AttemptIndex::new(1)));
        }
        answer
    }
);

deviant!("undated-success", ATT_007,
    "Does not say when an execution succeeded." => write(|_, after| {
    if after.outcome == TerminalOutcome::Success {
        after.completed_at = None;
    }
}));

request!("forgets-results", ATT_008, "Completes without the result.",
    Complete { payload, .. } => *payload = None);

request!("cancels-without-a-word", ATT_019, "Forgets why a worker cancelled.",
    Cancel { reason, .. } => reason.clear());

deviant!("cuts-reasons", ATT_018, "Keeps the beginning of a reason." => call(|call| match call {
    Call::Cancel { reason, .. } => reason.truncate(1_024),
    Call::Fail { reason, .. } => reason.message.truncate(1_024),
    _ => {}
}));

deviant!("everyone-decides", ATT_029,
    "Lets each end of an execution succeed." => answer(|call, answer| {
    if is_over(answer) {
        match call {
            Call::Complete { .. } => *answer = Ok(Reply::Complete(())),
            Call::Cancel { .. } => *answer = Ok(Reply::Cancel(())),
            _ => {}
        }
    }
}));

deviant!("pause-is-a-retry", ATT_022,
    "Ends the attempt of an execution that waits for children." => write(|before, after| {
    if is_set_aside(before, after) {
        after.attempt_state = AttemptState::PendingRetryAttempt;
    }
}));

deviant!("delays-begin-anew", ATT_020, "Ends the attempt of an execution that is delayed." =>
write(|before, after| {
    if is_delayed(before, after) {
        after.attempt_state = AttemptState::PendingRetryAttempt;
    }
}));

deviant!("delays-a-little-longer", ATT_020, "Delays for a millisecond more." => write(|before, after| {
    if is_delayed(before, after)
        && let Some(until) = &mut after.delay_until
    {
        until.0 += 1;
    }
}));

around!(
    "ends-twice",
    ATT_029,
    "Says that a completion is fine that came too late.",
    |subject, call| {
        let is_completion = matches!(call, Call::Complete { .. });
        match subject.ask(call).await {
            Err(error) if is_completion && error.code() == "contention.execution_not_active" => {
                Ok(Reply::Complete(()))
            }
            answer => answer,
        }
    }
);

/// Whether its holder delays it.
fn is_delayed(before: Option<&Execution>, after: &Execution) -> bool {
    is_set_aside(before, after) && after.blocking_reason == BlockingReason::WaitingForDelay
}

deviant!("delayed-begin-anew", ATT_021, "Begins another attempt after a delay." => write(|before, after| {
    let was_delayed = |before: &Execution| {
        before.blocking_reason == BlockingReason::WaitingForDelay
            && before.attempt_state == AttemptState::AttemptInterrupted
    };
    if before.is_some_and(was_delayed) && after.eligibility == EligibilityState::EligibleNow {
        after.attempt_state = AttemptState::PendingRetryAttempt;
    }
}));

request!("delays-until-never", ATT_033, "Takes a time that is none for the first.",
    Delay { delay_until, .. } if delay_until.0 <= 0 => *delay_until = TimestampMs(1));

reply!("completed-is-active", ATT_035, "Says of a completed execution that it is active.",
    CompleteExecution(CompleteExecutionResult::Completed { public_state, .. })
        => *public_state = PublicState::Active);
