//! Deviants that break the clauses under "Resume".

use ff_core::call::{Method, Reply};
use ff_core::contracts::ResumeExecutionResult as Resumed;
use ff_core::state::{AttemptState, LifecyclePhase, PublicState, TerminalOutcome};
use ff_core::types::TimestampMs;
use ff_mock::Execution;

use crate::deviants::declare::{deviant, reply, request};
use crate::deviants::fault::{instead, marks_repetitions_of, write};

deviant!("resumed-as-new", SUS_029, "Begins another attempt after a suspension." =>
write(|before, execution| {
    if is_suspended(before) && execution.phase == LifecyclePhase::Runnable {
        execution.attempt_state = AttemptState::PendingRetryAttempt;
    }
}));

deviant!("resumed-twice", SUS_030, "Says that it resumes what is not suspended." =>
instead(&[Method::ResumeExecution], "state.execution_not_suspended", |_, _| {
    Ok(Reply::ResumeExecution(Resumed::Resumed { public_state: PublicState::Resumable }))
}));

reply!("resumed-waits", SUS_031, "Says of what is resumed that it waits.",
    ResumeExecution(Resumed::Resumed { public_state }) => *public_state = PublicState::Waiting);

request!("any-trigger", SUS_032, "Takes any trigger for an operator.",
    ResumeExecution { args } => args.trigger_type = "operator".to_owned());

deviant!("timeouts-later", SUS_033, "Lets a suspension time out a millisecond later." =>
write(|before, execution| {
    if execution.phase == LifecyclePhase::Suspended
        && !is_suspended(before)
        && let Some(at) = execution.suspension.as_mut().and_then(|one| one.timeout_at.as_mut())
    {
        *at = TimestampMs(at.0 + 1);
    }
}));

deviant!("times-out-again", SUS_033, "Marks the execution when it times out again." =>
    marks_repetitions_of(Method::ExpireSuspension));

deviant!("expired-is-failed", SUS_034, "Says of a suspension that expired that it failed." =>
write(|_, execution| {
    if execution.outcome == TerminalOutcome::Expired {
        execution.outcome = TerminalOutcome::Failed;
    }
}));

deviant!("timeouts-of-no-kind", SUS_049, "Does not tell what a timeout did." =>
write(|_, execution| {
    if let Some(reason) = &mut execution.failure_reason
        && reason.starts_with("suspension_timeout")
    {
        reason.truncate("suspension_timeout".len());
    }
}));

reply!("timeouts-unseen", SUS_035, "Does not tell of the timeout's signal.",
    ObserveSignals(signals) => signals.retain(|signal| signal.signal_name != "timeout"));

deviant!("escalates-again", SUS_036, "Keeps the timeout of what was escalated." =>
write(|before, execution| {
    let until = before.and_then(|before| before.suspension.as_ref()?.timeout_at);
    if execution.phase == LifecyclePhase::Suspended
        && is_suspended(before)
        && let Some(suspension) = &mut execution.suspension
    {
        suspension.timeout_at = until;
    }
}));

reply!("reasons-unlisted", SUS_042, "Lists no reasons.",
    ListSuspended(page) => page.entries.iter_mut().for_each(|entry| entry.reason.clear()));

reply!("latest-suspension-first", SUS_043, "Lists the latest suspension first.",
    ListSuspended(page) => page.entries.reverse());

fn is_suspended(execution: Option<&Execution>) -> bool {
    execution.is_some_and(|execution| execution.phase == LifecyclePhase::Suspended)
}
