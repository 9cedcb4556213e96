//! Deviants that break the clauses under "Replay".

use ff_core::call::{Call, Method, Reply};
use ff_core::contracts::ReplayExecutionResult;
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::state::{AttemptState, PublicState};
use ff_core::types::LeaseEpoch;

use crate::deviants::declare::{around, deviant};
use crate::deviants::executions::runs_again;
use crate::deviants::fault::{answer, succeeds_for_all, write};

deviant!("replays-for-ever", OPS_008,
    "Says that it replays whatever was replayed too often." => answer(|_, answer| {
    if let Err(EngineError::State(StateKind::MaxReplaysExhausted)) = answer {
        *answer = Ok(waiting());
    }
}));

deviant!("replays-the-living", OPS_008,
    "Says that it replays what has not ended." => answer(|_, answer| {
    if let Err(EngineError::State(StateKind::ExecutionNotTerminal)) = answer {
        *answer = Ok(waiting());
    }
}));

around!(
    "limit-before-the-end",
    OPS_012,
    "Looks at the number of replays first.",
    |subject, call| {
        let answer = subject.ask(call.clone()).await;
        if let (
            Call::ReplayExecution { args },
            Err(EngineError::State(StateKind::ExecutionNotTerminal)),
        ) = (&call, &answer)
            && subject.field(&args.execution_id, "replay_count").await.as_deref() == Some("10")
        {
            return Err(EngineError::State(StateKind::MaxReplaysExhausted));
        }
        answer
    }
);

deviant!("epochs-begin-anew", OPS_009,
    "Counts the leases of a replayed execution from the beginning." => write(|before, after| {
    if runs_again(before, after) {
        after.epoch = LeaseEpoch(0);
    }
}));

deviant!("replays-are-retries", OPS_009, "Replays as a retry." => write(|_, after| {
    if after.attempt_state == AttemptState::PendingReplayAttempt {
        after.attempt_state = AttemptState::PendingRetryAttempt;
    }
}));

deviant!("remembers-the-end", OPS_010,
    "Keeps what the last end was about." => write(|before, after| {
    if let Some(before) = before
        && runs_again(Some(before), after)
    {
        after.failure_reason.clone_from(&before.failure_reason);
        after.cancelled_by.clone_from(&before.cancelled_by);
    }
}));

deviant!("keeps-the-deadline", OPS_010,
    "Keeps a deadline that has passed." => write(|before, after| {
    if runs_again(before, after) {
        after.deadline_at = before.and_then(|before| before.deadline_at);
    }
}));

deviant!("keeps-the-retries", OPS_010,
    "Grants only the retries that were left." => write(|before, after| {
    if runs_again(before, after) {
        after.retry_count = before.map_or(0, |before| before.retry_count);
    }
}));

deviant!("replays-twice", OPS_011, "Says to all who replay at once that they have." =>
    succeeds_for_all(Method::ReplayExecution, |_| true));

fn waiting() -> Reply {
    Reply::ReplayExecution(ReplayExecutionResult::Replayed { public_state: PublicState::Waiting })
}
