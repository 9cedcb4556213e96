//! The end of a suspension without its condition, and the list of those that last.

use ff_core::backend::TimeoutBehavior;
use ff_core::contracts::{
    ListSuspendedPage, ResumeExecutionArgs, ResumeExecutionResult, SuspendedExecutionEntry,
};
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::partition::PartitionKey;
use ff_core::state::{AttemptLifecycle, TerminalOutcome};
use ff_core::types::{CancelSource, ExecutionId, TimestampMs};

use super::signals;
use crate::engine::Rule;
use crate::executions::{self, end_attempt, found};
use crate::page::{Page, partition_of};
use crate::records::{CloseReason, Execution, Suspension};
use crate::session::Session;
use crate::store::Tx;

/// What may resume an execution by this call (SUS-031).
const TRIGGERS: [&str; 3] = ["signal", "operator", "auto_resume"];

/// SUS-031.
pub(crate) fn check_trigger(trigger: &str) -> Result<(), EngineError> {
    if TRIGGERS.contains(&trigger) {
        return Ok(());
    }
    Err(EngineError::invalid_input(format!("{trigger:?} is none of {}", TRIGGERS.join(", "))))
}

/// Whatever its condition says (SUS-032).
pub(crate) async fn resume<T: Tx>(
    tx: &mut Session<T>,
    args: &ResumeExecutionArgs,
) -> Rule<ResumeExecutionResult> {
    let id = &args.execution_id;
    let (execution, suspension) = tx.lock((Execution::at(id), Suspension::at(id))).await?;
    let mut execution = found(execution)?;
    let (Some(_), Some(mut suspension)) = (execution.suspended(), suspension) else {
        return Err(EngineError::State(StateKind::ExecutionNotSuspended).into());
    };
    let now = tx.now().await?;
    suspension.resumed_at = Some(now);
    suspension.resumed_by = Some(args.trigger_type.clone());
    execution.resume(args.resume_delay_ms, now);
    tx.put(&suspension);
    tx.put(&execution);
    Ok(ResumeExecutionResult::Resumed { public_state: execution.public_state() })
}

/// Does what is due to be done with a suspension, or nothing (SUS-033 to SUS-036).
pub(crate) async fn expire<T: Tx>(tx: &mut Session<T>, id: &ExecutionId) -> Rule<()> {
    let (execution, suspension) = tx.lock((Execution::at(id), Suspension::at(id))).await?;
    let (Some(mut execution), Some(mut suspension)) = (execution, suspension) else {
        return Ok(());
    };
    let now = tx.now().await?;
    let due = execution.suspended().filter(|suspended| is_due(suspended.timeout_at, now));
    let Some((behavior, waitpoint)) = due.map(|due| (due.timeout_behavior, due.waitpoint)) else {
        return Ok(());
    };
    match behavior {
        TimeoutBehavior::AutoResumeWithTimeoutSignal => {
            let signal = signals::timeout(tx, &mut execution, waitpoint, now);
            suspension.satisfiers.push(signal);
            suspension.resumed_at = Some(now);
            suspension.resumed_by = Some("timeout".to_owned());
            execution.resume(0, now);
            tx.put(&suspension);
            tx.put(&execution);
        }
        TimeoutBehavior::Cancel => {
            execution.cancellation_reason = Some("suspension_timeout:cancel".to_owned());
            execution.cancelled_by = Some(CancelSource::SystemTimeout.as_str().to_owned());
            end(tx, execution, AttemptLifecycle::EndedCancelled, TerminalOutcome::Cancelled, now);
        }
        TimeoutBehavior::Escalate => {
            execution.escalate(now);
            tx.put(&execution);
        }
        TimeoutBehavior::Expire => {
            fail(&mut execution, "suspension_timeout:expire");
            end(tx, execution, AttemptLifecycle::EndedFailure, TerminalOutcome::Expired, now);
        }
        _ => {
            fail(&mut execution, "suspension_timeout:fail");
            end(tx, execution, AttemptLifecycle::EndedFailure, TerminalOutcome::Failed, now);
        }
    }
    Ok(())
}

fn is_due(timeout_at: Option<TimestampMs>, now: TimestampMs) -> bool {
    timeout_at.is_some_and(|at| at <= now)
}

fn fail(execution: &mut Execution, reason: &str) {
    execution.failure_reason = Some(reason.to_owned());
    execution.failure_category = Some("timeout".to_owned());
}

fn end<T: Tx>(
    tx: &mut Session<T>,
    mut execution: Execution,
    attempt: AttemptLifecycle,
    outcome: TerminalOutcome,
    now: TimestampMs,
) {
    end_attempt(tx, &execution, attempt, Some(CloseReason::SuspensionTimeout), now);
    execution.closing = None;
    executions::end(tx, &mut execution, outcome, now);
}

/// SUS-042, SUS-043.
pub(crate) async fn list<T: Tx>(
    tx: &mut Session<T>,
    key: &PartitionKey,
    cursor: Option<&ExecutionId>,
    limit: usize,
) -> Rule<ListSuspendedPage> {
    let partition = partition_of(key)?.index;
    let page = Page::of(limit);
    let mut listed = Execution::SUSPENDED.of(&partition).limit(page.wanted());
    if let Some(cursor) = cursor {
        let last = tx.get(Execution::at(cursor)).await?.and_then(|last| last.suspension);
        let never = || EngineError::invalid_input(format!("{cursor} has never been suspended"));
        let since = last.ok_or_else(never)?.since;
        listed = listed.after(Some(&since)).after(Some(&cursor.uuid()));
    }
    let (suspended, next) = page.cut(tx.get(listed).await?);
    let entry = |execution: &Execution| {
        let suspended = execution.suspended()?;
        let (since, reason) = (suspended.since.0, <&str>::from(suspended.reason));
        Some(SuspendedExecutionEntry::new(execution.id.clone(), since, reason.to_owned()))
    };
    let entries = suspended.iter().filter_map(entry).collect();
    Ok(ListSuspendedPage::new(entries, next.map(|execution| execution.id)))
}
