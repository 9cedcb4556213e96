//! Deviants that break the clauses under "Cancel".

use ff_core::call::{Call, Method, Reply};
use ff_core::contracts::CancelExecutionResult;
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::state::{AttemptState, PublicState, TerminalOutcome};
use ff_core::types::CancelSource;

use crate::deviants::declare::{deviant, request};
use crate::deviants::fault::{answer, marks_repetitions_of, write};

deviant!("every-cancel-ends-an-attempt", OPS_001,
    "Shows an attempt that ended where none was started." => write(|_, after| {
    if after.outcome == TerminalOutcome::Cancelled {
        after.attempt_state = AttemptState::AttemptTerminal;
    }
}));

deviant!("authors-are-operators", OPS_003,
    "Names the operator as the author of every cancellation." => write(|_, after| {
    if after.cancelled_by.as_deref().is_some_and(|by| by != "worker") {
        after.cancelled_by = Some("operator_override".to_owned());
    }
}));

deviant!("cancel-leaves-the-lease", OPS_002,
    "Keeps the lease of what is cancelled." => write(|before, after| {
    if after.outcome == TerminalOutcome::Cancelled {
        after.lease = before.and_then(|before| before.lease.clone());
    }
}));

deviant!("cancel-remembers-the-last-call", OPS_002,
    "Recognises a repetition after the execution was cancelled." => write(|before, after| {
    if after.outcome == TerminalOutcome::Cancelled && after.closing.is_none() {
        after.closing = before.and_then(|before| before.closing.clone());
    }
}));

request!("anybody-cancels", OPS_003, "Needs nobody's lease to cancel.",
    CancelExecution { args } => args.source = CancelSource::OperatorOverride);

request!("no-fence-no-check", OPS_003, "Takes a missing lease for an authority.",
    CancelExecution { args }
        if args.lease_id.is_none() && args.source == CancelSource::LeaseHolder =>
        args.source = CancelSource::SystemTimeout);

deviant!("any-end-is-cancelled", OPS_004,
    "Says that whatever has ended was cancelled." => answer(|call, answer| {
    if let Call::CancelExecution { args } = call
        && let Err(EngineError::State(StateKind::Terminal)) = answer
    {
        *answer = Ok(Reply::CancelExecution(CancelExecutionResult::Cancelled {
            execution_id: args.execution_id.clone(),
            public_state: PublicState::Cancelled,
        }));
    }
}));

deviant!("execution-cancelled-again", OPS_004,
    "Leaves a mark on an execution that has been cancelled already." =>
    marks_repetitions_of(Method::CancelExecution));
