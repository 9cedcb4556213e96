//! Deviants of members that wait for others, and of what runs again.

use ff_core::call::{Call, Method, Reply};
use ff_core::contracts::{EdgeGroupState, ReplayExecutionResult};
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::state::{
    AttemptState, BlockingReason, EligibilityState, LifecyclePhase, PublicState, TerminalOutcome,
};
use ff_core::types::LeaseEpoch;
use ff_mock::Execution;

use super::cascades::{cascades_once, nothing, outgoing};
use super::siblings::waits_for_all_above;
use super::tampering::{answer, around, group, succeeds_for_all, write};
use super::{Deviant, deviant};

pub(super) const DEVIANTS: &[Deviant] = &[
    deviant!(
        "replays-for-ever",
        "OPS-008",
        "Says that it replays whatever was replayed too often.",
        answer(|_, answer| {
            if let Err(EngineError::State(StateKind::MaxReplaysExhausted)) = answer {
                *answer = Ok(waiting());
            }
        })
    ),
    deviant!(
        "replays-the-living",
        "OPS-008",
        "Says that it replays what has not ended.",
        answer(|_, answer| {
            if let Err(EngineError::State(StateKind::ExecutionNotTerminal)) = answer {
                *answer = Ok(waiting());
            }
        })
    ),
    deviant!(
        "epochs-begin-anew",
        "OPS-009",
        "Counts the leases of a replayed execution from the beginning.",
        write(|before, after| {
            if runs_again(before, after) {
                after.epoch = LeaseEpoch(0);
            }
        })
    ),
    deviant!(
        "replays-are-retries",
        "OPS-009",
        "Replays as a retry.",
        write(|_, after| {
            if after.attempt_state == AttemptState::PendingReplayAttempt {
                after.attempt_state = AttemptState::PendingRetryAttempt;
            }
        })
    ),
    deviant!(
        "remembers-the-end",
        "OPS-010",
        "Keeps what the last end was about.",
        write(|before, after| {
            if let Some(before) = before
                && runs_again(Some(before), after)
            {
                after.failure_reason.clone_from(&before.failure_reason);
                after.cancelled_by.clone_from(&before.cancelled_by);
            }
        })
    ),
    deviant!(
        "keeps-the-deadline",
        "OPS-010",
        "Keeps a deadline that has passed.",
        write(|before, after| {
            if runs_again(before, after) {
                after.deadline_at = before.and_then(|before| before.deadline_at);
            }
        })
    ),
    deviant!(
        "keeps-the-retries",
        "OPS-010",
        "Grants only the retries that were left.",
        write(|before, after| {
            if runs_again(before, after) {
                after.retry_count = before.map_or(0, |before| before.retry_count);
            }
        })
    ),
    deviant!(
        "remembers-who-ended-it",
        "ATT-003",
        "Recognises the call that ended an execution after its replay.",
        write(|before, after| {
            if runs_again(before, after) {
                after.closing = before.and_then(|before| before.closing.clone());
            }
        })
    ),
    deviant!(
        "replays-twice",
        "OPS-011",
        "Says to all who replay at once that they have.",
        succeeds_for_all(Method::ReplayExecution, |_| true)
    ),
    deviant!(
        "pause-is-a-retry",
        "ATT-022",
        "Ends the attempt of an execution that waits for children.",
        write(|before, after| {
            if is_set_aside(before, after) {
                after.attempt_state = AttemptState::PendingRetryAttempt;
            }
        })
    ),
    deviant!(
        "waits-anyway",
        "DEP-034",
        "Lets a member wait whose group is satisfied.",
        write(|before, after| {
            if is_set_aside(before, after) {
                after.eligibility = EligibilityState::BlockedByDependencies;
                after.blocking_reason = BlockingReason::WaitingForChildren;
            }
        })
    ),
    deviant!(
        "resumes-afresh",
        "DEP-035",
        "Starts a released member from the beginning.",
        write(|before, after| {
            let blocked = EligibilityState::BlockedByDependencies;
            if before.is_some_and(|before| before.eligibility == blocked)
                && after.eligibility == EligibilityState::EligibleNow
                && after.attempt_state == AttemptState::AttemptInterrupted
            {
                after.attempt_state = AttemptState::PendingRetryAttempt;
            }
        })
    ),
    deviant!(
        "losses-stay-counted",
        "DEP-037",
        "Counts what a replayed member lost as lost.",
        group(|before, group| {
            if let Some(before) = before
                && before.group_state == EdgeGroupState::Impossible
                && group.group_state != EdgeGroupState::Impossible
            {
                group.failed_count = before.failed_count;
                group.running_count -= before.failed_count;
            }
        })
    ),
    deviant!(
        "runs-without-upstreams",
        "DEP-038",
        "Lets a skipped member run as soon as it is replayed.",
        write(|before, after| {
            if runs_again(before, after) {
                after.eligibility = EligibilityState::EligibleNow;
                after.blocking_reason = BlockingReason::WaitingForWorker;
            }
        })
    ),
    deviant!(
        "upstreams-run-once",
        "DEP-039",
        "Does not replay what others have depended on.",
        around(|subject, call| Box::pin(async move {
            if let Call::ReplayExecution { args } = &call {
                let id = &args.execution_id;
                let flow = Call::ResolveExecutionFlowId { execution_id: id.clone() };
                if let Ok(Reply::ResolveExecutionFlowId(Some(flow))) =
                    subject.model.dispatch(flow).await
                    && !outgoing(subject, flow, id).await.is_empty()
                {
                    return Err(EngineError::State(StateKind::ExecutionNotTerminal));
                }
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "lost-for-good",
        "DEP-040",
        "Counts the end of an upstream once, whatever is unresolved again.",
        cascades_once(|| Ok(nothing()))
    ),
    deviant!(
        "hunts-the-replayed",
        "DEP-041",
        "Waits for the end of upstreams that run again.",
        waits_for_all_above()
    ),
];

fn waiting() -> Reply {
    Reply::ReplayExecution(ReplayExecutionResult::Replayed { public_state: PublicState::Waiting })
}

fn runs_again(before: Option<&Execution>, after: &Execution) -> bool {
    before.is_some_and(|before| before.outcome != TerminalOutcome::None)
        && after.outcome == TerminalOutcome::None
}

fn is_set_aside(before: Option<&Execution>, after: &Execution) -> bool {
    before.is_some_and(|before| before.phase == LifecyclePhase::Active)
        && after.phase == LifecyclePhase::Runnable
        && after.attempt_state == AttemptState::AttemptInterrupted
}
