//! Deviants that break the clauses under "Expire".

use ff_core::call::Method;
use ff_core::engine_backend::ExpirePhase;
use ff_core::state::{OwnershipState, TerminalOutcome};
use ff_mock::{AttemptClock, Execution};

use crate::deviants::declare::{deviant, request};
use crate::deviants::executions::{creating, is_retry};
use crate::deviants::fault::{later_by, marks_repetitions_of, write};

deviant!("policies-without-time", ATT_024, "Does not look for a limit in the policy." => creating(|args| {
    if let Some(timeouts) = args.policy.as_mut().and_then(|policy| policy.timeout_policy.as_mut()) {
        timeouts.attempt_timeout_ms = None;
    }
}));

request!("claims-without-time", ATT_024, "Does not look for a limit in the claim.",
    ClaimExecution { args } => args.attempt_timeout_ms = None);

deviant!("one-time-for-all-attempts", ATT_024, "Counts from the start of the first attempt." => write(|before, after| {
    if let (Some(before), Some(AttemptClock::Runs(until))) = (before, &mut after.attempt_clock)
        && before.total_attempts > 0
        && before.total_attempts < after.total_attempts
        && let Some(started) = after.started_at
    {
        let since = after.last_mutation_at.0 - started.0;
        until.0 -= since;
    }
}));

deviant!("time-never-stands", ATT_037, "Lets time go on while an attempt is set aside." => write(|before, after| {
    if let Some(AttemptClock::Runs(until)) = before.and_then(|before| before.attempt_clock)
        && let Some(AttemptClock::Stands(_)) = after.attempt_clock
    {
        after.attempt_clock = Some(AttemptClock::Runs(until));
    }
}));

deviant!("all-of-the-time-again", ATT_037, "Gives an attempt that goes on all of its time again." => write(|_, after| {
    let limit = after.policy.as_ref().and_then(|policy| policy.timeout_policy.as_ref()?.attempt_timeout_ms);
    if let (Some(AttemptClock::Stands(left)), Some(limit)) = (&mut after.attempt_clock, limit) {
        *left = limit;
    }
}));

deviant!("only-who-holds-has-no-time", ATT_037, "Lets time stand still once nobody holds the execution." => write(|_, after| {
    if [OwnershipState::LeaseExpiredReclaimable, OwnershipState::LeaseRevoked].contains(&after.ownership) {
        after.attempt_clock = None;
    }
}));

request!("goes-on-as-before", ATT_038, "Does not mind how much time a claim gives.",
    ClaimResumedExecution { args } => args.remaining_attempt_timeout_ms = None);

deviant!("out-of-time-early", ATT_025, "Ends attempts before their time." =>
    later_by(Method::ExpireExecution, 3_600_000));

deviant!("marks-repeated-ends", ATT_025, "Leaves a mark on what is out of time already." =>
    marks_repetitions_of(Method::ExpireExecution));

deviant!("out-of-time-is-final", ATT_026, "Grants no retry to what is out of time." => write(|before, after| {
    if is_retry(before, after) && is_out_of_time(after) {
        after.retry_count -= 1;
    }
}));

deviant!("out-of-time-has-failed", ATT_026, "Takes an attempt that is out of time for a failure." => write(|_, after| {
    if after.outcome == TerminalOutcome::Expired && is_out_of_time(after) {
        after.outcome = TerminalOutcome::Failed;
    }
}));

request!("deadlines-of-attempts", ATT_027, "Takes a deadline for the limit of an attempt.",
    ExpireExecution { phase, .. } => *phase = ExpirePhase::AttemptTimeout);

deviant!("delays-stay", ATT_028, "Keeps the delay of what is out of time." => write(|before, after| {
    if after.outcome == TerminalOutcome::Expired {
        after.delay_until = before.and_then(|before| before.delay_until);
    }
}));

deviant!("leases-stay", ATT_028, "Leaves the lease to whoever had an attempt." => write(|before, after| {
    if is_retry(before, after) && is_out_of_time(after) && let Some(before) = before {
        after.phase = before.phase;
        after.ownership = before.ownership;
        after.eligibility = before.eligibility;
        after.lease.clone_from(&before.lease);
        after.grant.clone_from(&before.grant);
    }
}));

deviant!("out-of-time-for-nothing", ATT_039, "Does not say what is out of time." => write(|_, after| {
    if after.failure_category.as_deref() == Some("timeout") {
        after.failure_reason = None;
    }
}));

fn is_out_of_time(execution: &Execution) -> bool {
    execution.failure_reason.as_deref() == Some("attempt_timeout")
}
