//! Deviants that break the clauses under "Outcomes".

use std::collections::HashMap;
use std::sync::Mutex;

use ff_core::call::{Call, Reply};
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::state::{BlockingReason, EligibilityState, LifecyclePhase, TerminalOutcome};
use ff_core::types::{EdgeId, ExecutionId, TimestampMs};

use crate::deviants::declare::{around, deviant};
use crate::deviants::fault::{Fault, call, lock, write};
use crate::deviants::flows::described_by;

around!(
    "cancelled-flows-rest",
    DEP_009,
    "Resolves nothing on a cancelled flow.",
    |subject, call| {
        let flow = match &call {
            Call::ResolveDependency { args } => Some(args.flow_id),
            Call::CascadeCompletion { payload } => payload.flow_id,
            _ => None,
        };
        if let Some(flow) = flow
            && let Some(flow) = described_by(subject, &flow).await
            && flow.cancelled_at.is_some()
        {
            return Err(EngineError::State(StateKind::FlowAlreadyTerminal));
        }
        subject.ask(call).await
    }
);

around!(
    "ended-members-matter",
    DEP_014,
    "Cannot resolve for a member that has ended.",
    |subject, call| {
        if let Call::ResolveDependency { args } = &call
            && subject.field(&args.downstream_execution_id, "completed_at").await.is_some()
        {
            return Err(EngineError::State(StateKind::ExecutionNotInFlow));
        }
        subject.ask(call).await
    }
);

deviant!("released-to-the-end", DEP_015,
    "Puts released members behind all others of their priority." => write(|before, after| {
    if released(before, after.eligibility) {
        after.created_at = TimestampMs(after.created_at.0 + 1_000);
    }
}));

deviant!("forgets-the-delay", DEP_016,
    "Releases members before their delay is over." => write(|before, after| {
    let delayed = EligibilityState::NotEligibleUntilTime;
    if was_blocked(before) && after.eligibility == delayed {
        after.eligibility = EligibilityState::EligibleNow;
        after.blocking_reason = BlockingReason::WaitingForWorker;
        after.delay_until = None;
    }
}));

deviant!("skipped-is-cancelled", DEP_017, "Cancels what cannot run any more." => write(|_, after| {
    if after.outcome == TerminalOutcome::Skipped {
        after.outcome = TerminalOutcome::Cancelled;
    }
}));

deviant!("lets-holders-finish", DEP_018,
    "Skips nothing that a worker holds." => write(|before, after| {
    if let Some(before) = before
        && before.phase == LifecyclePhase::Active
        && after.outcome == TerminalOutcome::Skipped
    {
        *after = before.clone();
    }
}));

deviant!("keeps-results-to-itself", DEP_019, "Passes no data on." => call(|call| match call {
    Call::StageDependencyEdge { args } => args.data_passing_ref = None,
    Call::ApplyDependencyToChild { args } => args.data_passing_ref = None,
    _ => {}
}));

deviant!("one-edge-feeds", DEP_046,
    "Lets only the first edge with a reference pass data to a member." =>
    one_edge_feeds());

around!(
    "skipped-without-input",
    DEP_019,
    "Shows no payload of what was skipped.",
    |subject, call| {
        let mut answer = subject.ask(call.clone()).await;
        if let Call::ReadExecutionContext { execution_id } = &call
            && let Ok(Reply::ReadExecutionContext(context)) = &mut answer
            && subject
                .field(execution_id, "terminal_outcome")
                .await
                .is_some_and(|outcome| outcome == "skipped")
        {
            context.input_payload.clear();
        }
        answer
    }
);

fn was_blocked(before: Option<&ff_mock::Execution>) -> bool {
    before.is_some_and(|before| before.eligibility == EligibilityState::BlockedByDependencies)
}

fn released(before: Option<&ff_mock::Execution>, eligibility: EligibilityState) -> bool {
    was_blocked(before) && eligibility == EligibilityState::EligibleNow
}

/// Forgets the reference of every edge but the first that has one and enters a member.
fn one_edge_feeds() -> Fault {
    let feeding: Mutex<HashMap<ExecutionId, EdgeId>> = Mutex::default();
    call(move |call| {
        let (member, edge, reference) = match call {
            Call::StageDependencyEdge { args } => {
                (&args.downstream_execution_id, args.edge_id, &mut args.data_passing_ref)
            }
            Call::ApplyDependencyToChild { args } => {
                (&args.downstream_execution_id, args.edge_id, &mut args.data_passing_ref)
            }
            _ => return,
        };
        if reference.is_some() && *lock(&feeding).entry(member.clone()).or_insert(edge) != edge {
            *reference = None;
        }
    })
}
