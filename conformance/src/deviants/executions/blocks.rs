//! Deviants that break the clauses under "Blocks".

use ff_core::call::{Call, Method, Reply};
use ff_core::contracts::{
    BlockExecutionForAdmissionOutcome, BlockRouteOutcome, BlockingReason as Denial,
};
use ff_core::engine_error::ContentionKind;
use ff_core::state::{AttemptState, BlockingReason, EligibilityState};
use ff_mock::Execution;

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::{answer, instead, marks_repetitions_of, write};

deviant!("shows-blocks-only", SCH_007, "Shows a block, and lets everybody claim." => write(|_, after| {
    if after.blocking_reason == BlockingReason::WaitingForQuota {
        after.eligibility = EligibilityState::EligibleNow;
    }
}));

reply!("blocked-for-something", SCH_007, "Says that a budget is missing, whatever is.",
    BlockExecutionForAdmission(BlockExecutionForAdmissionOutcome::Blocked { reason, .. }) =>
        *reason = Denial::WaitingForBudget);

deviant!("routes-to-quotas", SCH_007, "Takes a missing worker for a quota." => write(|_, after| {
    if after.eligibility == EligibilityState::BlockedByRoute {
        after.eligibility = EligibilityState::BlockedByQuota;
    }
}));

deviant!("blocks-end-grants", SCH_007, "Takes the grant from what it blocks." => write(|before, after| {
    if was_blocked(before) != was_blocked(Some(after)) {
        after.grant = None;
    }
}));

around!(
    "marks-what-it-rejects",
    SCH_008,
    "Leaves a mark on what it does not block.",
    |subject, call| {
        let id = crate::deviants::fault::target_of(&call);
        let answer = subject.ask(call).await;
        if let (Ok(Reply::BlockRoute(BlockRouteOutcome::Rejected { .. })), Some(id)) = (&answer, id)
        {
            subject.leave_trace(&id).await;
        }
        answer
    }
);

around!(
    "another-block-instead",
    SCH_008,
    "Blocks for another reason what is blocked.",
    |subject, call| {
        let Call::BlockExecutionForAdmission { args } = &call else {
            return subject.ask(call).await;
        };
        if let Some(expected) = subject.field(&args.execution_id, "blocking_reason").await {
            let unblock = Call::UnblockExecution {
                partition: args.partition,
                lane_id: args.lane_id.clone(),
                execution_id: args.execution_id.clone(),
                expected_blocking_reason: expected,
                now_ms: args.now,
            };
            // What is not blocked stays as it is.
            let _ = subject.ask(unblock).await;
        }
        subject.ask(call).await
    }
);

reply!("ended-is-busy", SCH_009, "Says of what has ended that it is not eligible.",
    BlockRoute(BlockRouteOutcome::Rejected { message }) =>
        *message = message.replace("not_active", "not_eligible"));

reply!("lane-is-anything", SCH_009, "Says of another lane that it is not eligible.",
    BlockExecutionForAdmission(BlockExecutionForAdmissionOutcome::Rejected { message }) =>
        *message = message.replace("not_in_eligible_set", "not_eligible"));

request!("forgets-details", SCH_010, "Forgets the detail of a block.",
    BlockExecutionForAdmission { args } => args.reason_detail = None);

request!("any-code-is-a-route", SCH_011, "Takes any reason code for a missing worker.",
    BlockRoute { args } => "waiting_for_capable_worker".clone_into(&mut args.reason_code));

deviant!("details-stay", SCH_010, "Keeps the detail of a block that is lifted." => write(|before, after| {
    if was_blocked(before) && let Some(before) = before {
        after.blocking_detail.clone_from(&before.blocking_detail);
    }
}));

deviant!("marks-repeated-routes", SCH_010, "Leaves a mark when a route is blocked again." =>
    marks_repetitions_of(Method::BlockRoute));

deviant!("marks-repeated-blocks", SCH_010, "Leaves a mark when an admission is denied again." =>
    marks_repetitions_of(Method::BlockExecutionForAdmission));

deviant!("lifted-to-the-end", SCH_012, "Puts what it lifts behind the rest." => write(|before, after| {
    if was_blocked(before) && after.is_claimable() {
        after.created_at = after.last_mutation_at;
    }
}));

deviant!("lifted-to-begin", SCH_012, "Takes a lifted retry for a first attempt." => write(|before, after| {
    if was_blocked(before) && after.is_claimable() {
        after.attempt_state = AttemptState::PendingFirstAttempt;
    }
}));

around!("lifts-any-block", SCH_013, "Lifts a block whatever its reason.", |subject, mut call| {
    if let Call::UnblockExecution { execution_id, expected_blocking_reason, .. } = &mut call
        && expected_blocking_reason == "waiting_for_quota"
        && let Some(reason) = subject.field(execution_id, "blocking_reason").await
        && reason.starts_with("waiting_for_")
    {
        *expected_blocking_reason = reason;
    }
    subject.ask(call).await
});

deviant!("lifted-is-fine", SCH_013, "Says of what is not blocked that it is lifted." =>
instead(&[Method::UnblockExecution], "contention.execution_not_eligible", |_, _| {
    Ok(Reply::UnblockExecution(()))
}));

deviant!("no-reason-is-contention", SCH_014, "Takes a word that is no reason for another." => answer(|call, answer| {
    if let (Call::UnblockExecution { .. }, Err(error)) = (call, &mut *answer)
        && error.code() == "validation.invalid_blocking_reason"
    {
        *error = ff_core::engine_error::EngineError::Contention(ContentionKind::ExecutionNotEligible);
    }
}));

fn was_blocked(execution: Option<&Execution>) -> bool {
    let blocked = [
        EligibilityState::BlockedByBudget,
        EligibilityState::BlockedByQuota,
        EligibilityState::BlockedByRoute,
    ];
    execution.is_some_and(|execution| blocked.contains(&execution.eligibility))
}
