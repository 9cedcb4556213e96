//! Deviants that are wrong only where several things come together, so that no case sees them:
//! sequences of calls do.

use ff_core::call::{Call, Reply};
use ff_core::contracts::CreateExecutionResult;
use ff_core::dispatch::Dispatch;
use ff_core::state::{BlockingReason, EligibilityState, OwnershipState, TerminalOutcome};
use ff_mock::Execution;

use super::tampering::{Tampering, around, write};
use super::{Deviant, deviant};

pub(super) const DEVIANTS: &[Deviant] = &[
    deviant!(
        "tag-shortens-backoff",
        "SYS-034",
        "A tag set while a retry waits makes the retry due.",
        write(|before, after| {
            let waiting = BlockingReason::WaitingForRetryBackoff;
            if before.is_some_and(|before| before.blocking_reason == waiting)
                && after.blocking_reason == waiting
            {
                after.delay_until = Some(after.created_at);
            }
        })
    ),
    deviant!(
        "renewal-forgets-full-progress",
        "SYS-034",
        "A renewal forgets progress of 100 percent.",
        write(|before, after| {
            let renewed = |execution: &Execution| execution.lease.as_ref()?.renewed_at;
            if before.and_then(renewed) != renewed(after) && after.progress_percent == Some(100) {
                after.progress_percent = None;
            }
        })
    ),
    deviant!(
        "lapse-of-a-retry-counts-a-lease",
        "SYS-034",
        "When the lease of a second attempt lapses, its epoch grows.",
        write(|before, after| {
            let lapsed = OwnershipState::LeaseExpiredReclaimable;
            if before.is_some_and(|before| before.ownership != lapsed)
                && after.ownership == lapsed
                && after.total_attempts > 1
            {
                after.epoch = after.epoch.next();
            }
        })
    ),
    deviant!(
        "flow-cancel-passes-over-retries",
        "SYS-034",
        "A cancelled flow leaves members alone that wait for a retry.",
        write(|before, after| {
            if let Some(before) = before
                && before.blocking_reason == BlockingReason::WaitingForRetryBackoff
                && after.outcome == TerminalOutcome::Cancelled
                && after.cancelled_by.as_deref() == Some("cancel_flow")
            {
                *after = before.clone();
            }
        })
    ),
    deviant!(
        "second-wait-is-longer",
        "SYS-034",
        "The second retry of all namespaces but one waits a millisecond too long.",
        write(|before, after| {
            if before.is_some_and(|before| before.retry_count == 1)
                && after.retry_count == 2
                && after.namespace.as_str() != "tenant"
                && let Some(until) = &mut after.delay_until
            {
                until.0 += 1;
            }
        })
    ),
    deviant!(
        "key-freed-by-cancellation",
        "SYS-034",
        "The key of a cancelled execution stands for nothing.",
        key_freed_by_cancellation()
    ),
    deviant!(
        "dependency-forgets-failure",
        "SYS-034",
        "A dependency applied to what has failed before forgets why it failed.",
        write(|before, after| {
            let blocked = EligibilityState::BlockedByDependencies;
            if before.is_some_and(|before| before.eligibility != blocked)
                && after.eligibility == blocked
            {
                after.failure_reason = None;
            }
        })
    ),
];

fn key_freed_by_cancellation() -> Tampering {
    around(|subject, call| {
        Box::pin(async move {
            let answer = subject.model.dispatch(call.clone()).await;
            let Ok(Reply::CreateExecution(CreateExecutionResult::Duplicate { execution_id })) =
                &answer
            else {
                return answer;
            };
            let outcome = subject.field(execution_id, "terminal_outcome").await;
            let Call::CreateExecution { mut args } = call else {
                return answer;
            };
            if args.execution_id == *execution_id || outcome.as_deref() != Some("cancelled") {
                return answer;
            }
            args.idempotency_key = None;
            subject.model.dispatch(Call::CreateExecution { args }).await
        })
    })
}
