//! Deviants that break the clauses under "Replay".

use ff_core::call::{Call, Reply};
use ff_core::contracts::EdgeGroupState;
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::state::{AttemptState, BlockingReason, EligibilityState};

use crate::deviants::declare::{around, deviant};
use crate::deviants::executions::{is_set_aside, runs_again};
use crate::deviants::fault::{group, write};
use crate::deviants::flows::{cascades_once, nothing, outgoing, waits_for_all_above};

deviant!("waits-anyway", DEP_034,
    "Lets a member wait whose group is satisfied." => write(|before, after| {
    if is_set_aside(before, after) {
        after.eligibility = EligibilityState::BlockedByDependencies;
        after.blocking_reason = BlockingReason::WaitingForChildren;
    }
}));

deviant!("resumes-afresh", DEP_035,
    "Starts a released member from the beginning." => write(|before, after| {
    let blocked = EligibilityState::BlockedByDependencies;
    if before.is_some_and(|before| before.eligibility == blocked)
        && after.eligibility == EligibilityState::EligibleNow
        && after.attempt_state == AttemptState::AttemptInterrupted
    {
        after.attempt_state = AttemptState::PendingRetryAttempt;
    }
}));

deviant!("losses-stay-counted", DEP_037,
    "Counts what a replayed member lost as lost." => group(|before, group| {
    if let Some(before) = before
        && before.group_state == EdgeGroupState::Impossible
        && group.group_state != EdgeGroupState::Impossible
    {
        group.failed_count = before.failed_count;
        group.running_count -= before.failed_count;
    }
}));

deviant!("runs-without-upstreams", DEP_038,
    "Lets a skipped member run as soon as it is replayed." => write(|before, after| {
    if runs_again(before, after) {
        after.eligibility = EligibilityState::EligibleNow;
        after.blocking_reason = BlockingReason::WaitingForWorker;
    }
}));

around!(
    "upstreams-run-once",
    DEP_039,
    "Does not replay what others have depended on.",
    |subject, call| {
        if let Call::ReplayExecution { args } = &call {
            let id = &args.execution_id;
            let flow = Call::ResolveExecutionFlowId { execution_id: id.clone() };
            if let Ok(Reply::ResolveExecutionFlowId(Some(flow))) = subject.ask(flow).await
                && !outgoing(subject, flow, id).await.is_empty()
            {
                return Err(EngineError::State(StateKind::ExecutionNotTerminal));
            }
        }
        subject.ask(call).await
    }
);

deviant!("lost-for-good", DEP_040,
    "Counts the end of an upstream once, whatever is unresolved again." =>
    cascades_once(|| Ok(nothing())));

deviant!("hunts-the-replayed", DEP_041, "Waits for the end of upstreams that run again." =>
    waits_for_all_above());
