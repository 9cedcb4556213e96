//! Deviants of cancellations of single executions.

use ff_core::call::{Call, Reply};
use ff_core::contracts::CancelExecutionResult;
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::state::{AttemptState, PublicState, TerminalOutcome};
use ff_core::types::CancelSource;

use super::tampering::{answer, call, write};
use super::{Deviant, deviant};

pub(super) const DEVIANTS: &[Deviant] = &[
    deviant!(
        "every-cancel-ends-an-attempt",
        "OPS-001",
        "Shows an attempt that ended where none was started.",
        write(|_, after| {
            if after.outcome == TerminalOutcome::Cancelled {
                after.attempt_state = AttemptState::AttemptTerminal;
            }
        })
    ),
    deviant!(
        "authors-are-operators",
        "OPS-003",
        "Names the operator as the author of every cancellation.",
        write(|_, after| {
            if after.cancelled_by.as_deref().is_some_and(|by| by != "worker") {
                after.cancelled_by = Some("operator_override".to_owned());
            }
        })
    ),
    deviant!(
        "cancel-leaves-the-lease",
        "OPS-002",
        "Keeps the lease of what is cancelled.",
        write(|before, after| {
            if after.outcome == TerminalOutcome::Cancelled {
                after.lease = before.and_then(|before| before.lease.clone());
            }
        })
    ),
    deviant!(
        "cancel-remembers-the-last-call",
        "OPS-002",
        "Recognises a repetition after the execution was cancelled.",
        write(|before, after| {
            if after.outcome == TerminalOutcome::Cancelled && after.closing.is_none() {
                after.closing = before.and_then(|before| before.closing.clone());
            }
        })
    ),
    deviant!(
        "anybody-cancels",
        "OPS-003",
        "Needs nobody's lease to cancel.",
        call(|call| {
            if let Call::CancelExecution { args } = call {
                args.source = CancelSource::OperatorOverride;
            }
        })
    ),
    deviant!(
        "no-fence-no-check",
        "OPS-003",
        "Takes a missing lease for an authority.",
        call(|call| {
            if let Call::CancelExecution { args } = call
                && args.lease_id.is_none()
                && args.source == CancelSource::LeaseHolder
            {
                args.source = CancelSource::SystemTimeout;
            }
        })
    ),
    deviant!(
        "any-end-is-cancelled",
        "OPS-004",
        "Says that whatever has ended was cancelled.",
        answer(|call, answer| {
            if let Call::CancelExecution { args } = call
                && let Err(EngineError::State(StateKind::Terminal)) = answer
            {
                *answer = Ok(Reply::CancelExecution(CancelExecutionResult::Cancelled {
                    execution_id: args.execution_id.clone(),
                    public_state: PublicState::Cancelled,
                }));
            }
        })
    ),
];
