//! Deviants that break the clauses under "Repetition".

use ff_core::backend::FailOutcome;
use ff_core::call::{Call, Method, Reply};
use ff_core::contracts::CompleteExecutionResult;
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::state::PublicState;

use crate::deviants::declare::deviant;
use crate::deviants::executions::{is_over, runs_again};
use crate::deviants::fault::{answer, marks_repetitions_of, write};

deviant!("no-memory", ATT_003, "Does not recognise repetitions." =>
    write(|_, after| after.closing = None));

deviant!("marks-repeated-completions", ATT_031, "Leaves a mark when a completion is repeated." =>
    marks_repetitions_of(Method::Complete));

deviant!("any-arguments", ATT_004,
    "Takes every completion after the end for a repetition." => answer(|call, answer| {
    if let Call::Complete { .. } = call
        && is_over(answer)
    {
        *answer = Ok(Reply::Complete(()));
    }
}));

deviant!("any-call", ATT_004,
    "Takes every cancellation after the end for a repetition." => answer(|call, answer| {
    if let Call::Cancel { .. } = call
        && is_over(answer)
    {
        *answer = Ok(Reply::Cancel(()));
    }
}));

deviant!("remembers-too-long", ATT_003,
    "Recognises a failure though another worker holds the execution." => answer(|call, answer| {
    if let (Call::Fail { .. }, Err(EngineError::State(StateKind::StaleLease))) =
        (call, &answer)
    {
        *answer = Ok(Reply::Fail(FailOutcome::TerminalFailed));
    }
}));

deviant!("remembers-who-ended-it", ATT_003,
    "Recognises the call that ended an execution after its replay." => write(|before, after| {
    if runs_again(before, after) {
        after.closing = before.and_then(|before| before.closing.clone());
    }
}));

deviant!("any-arguments-by-name", ATT_004,
    "Takes every completion without a handle after the end for a repetition." => answer(|call, answer| {
    if let Call::CompleteExecution { args } = call
        && is_over(answer)
    {
        let (execution_id, public_state) = (args.execution_id.clone(), PublicState::Completed);
        let completed = CompleteExecutionResult::Completed { execution_id, public_state };
        *answer = Ok(Reply::CompleteExecution(completed));
    }
}));
