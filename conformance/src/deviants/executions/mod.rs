//! Deviants of executions.

mod assignment;
mod attempts;
mod blocks;
mod cancel;
mod claims;
mod create;
mod expire;
mod expired;
mod fields;
mod grants;
mod idempotency;
mod leases;
mod lists;
mod policies;
mod priority;
mod progress;
mod reads;
mod reclaim;
mod reconcile;
mod redeem;
mod repetition;
mod replay;
mod retention;
mod retries;
mod revoke;
mod scheduling;
mod tags;
mod workers;

use crate::deviants::fault::{Fault, answer, call, write};
use ff_core::call::Call;
use ff_core::engine_error::ContentionKind;
use ff_core::engine_error::EngineError;
use ff_core::state::AttemptState;
use ff_core::state::EligibilityState;
use ff_core::state::LifecyclePhase;
use ff_core::state::OwnershipState;
use ff_core::state::TerminalOutcome;
use ff_mock::Execution;

pub(in crate::deviants) fn is_retry(before: Option<&Execution>, after: &Execution) -> bool {
    before.is_some_and(|before| before.retry_count < after.retry_count)
}

pub(in crate::deviants) fn is_over(answer: &super::fault::Answer) -> bool {
    matches!(answer, Err(EngineError::Contention(ContentionKind::ExecutionNotActive { .. })))
}

/// Puts back among the waiting what is owned like this.
pub(in crate::deviants) fn frees(owned: OwnershipState) -> Fault {
    write(move |_, after| {
        if after.ownership == owned {
            after.phase = LifecyclePhase::Runnable;
            after.ownership = OwnershipState::Unowned;
            after.eligibility = EligibilityState::EligibleNow;
            after.attempt_state = AttemptState::PendingRetryAttempt;
            after.lease = None;
        }
    })
}

/// Changes the arguments of creations.
pub(in crate::deviants) fn creating(
    change: impl Fn(&mut ff_core::contracts::CreateExecutionArgs) + Send + Sync + 'static,
) -> Fault {
    call(move |call| {
        if let Call::CreateExecution { args } = call {
            change(args);
        }
    })
}

/// Refuses some creations that are fine.
pub(in crate::deviants) fn refusing(
    refused: impl Fn(&ff_core::contracts::CreateExecutionArgs) -> bool + Send + Sync + 'static,
) -> Fault {
    answer(move |call, answer| {
        if let Call::CreateExecution { args } = call
            && refused(args)
        {
            *answer = Err(EngineError::invalid_input("not here"));
        }
    })
}

pub(in crate::deviants) fn runs_again(before: Option<&Execution>, after: &Execution) -> bool {
    before.is_some_and(|before| before.outcome != TerminalOutcome::None)
        && after.outcome == TerminalOutcome::None
}

pub(in crate::deviants) fn is_set_aside(before: Option<&Execution>, after: &Execution) -> bool {
    before.is_some_and(|before| before.phase == LifecyclePhase::Active)
        && after.phase == LifecyclePhase::Runnable
        && after.attempt_state == AttemptState::AttemptInterrupted
}
