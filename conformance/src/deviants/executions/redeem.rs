//! Deviants that break the clauses under "Redeem".

use ff_core::call::{Call, Method, Reply};
use ff_core::contracts::ClaimExecutionResult;
use ff_core::engine_error::{ContentionKind, EngineError};
use ff_core::state::{AttemptState, AttemptType};
use ff_core::types::{AttemptId, AttemptIndex, LeaseId, WorkerId};
use ff_mock::Execution;

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::{instead, succeeds_for_all, write};

/// Whether a lease has begun that an operator holds.
fn is_operators(before: Option<&Execution>, after: &Execution) -> bool {
    let held = after.lease.as_ref().is_some_and(|lease| lease.worker.as_str() == "operator");
    held && before.is_some_and(|before| before.epoch != after.epoch)
}

deviant!("redeems-twice", CLM_020, "Keeps a grant that was redeemed." => write(|before, after| {
    if let Some(before) = before
        && after.grant.is_none()
    {
        after.grant.clone_from(&before.grant);
    }
}));

request!("redeems-under-its-own-lease", CLM_020, "Begins leases under ids of its own.",
    ClaimExecution { args } => args.lease_id = LeaseId::new());

reply!("all-attempts-initial", CLM_021, "Says of every attempt that it is the first.",
    ClaimExecution(ClaimExecutionResult::Claimed(claimed)) => claimed.attempt_type = AttemptType::Initial);

around!("redeems-without-a-grant", CLM_022, "Claims without a grant.", |subject, call| {
    let answer = subject.ask(call.clone()).await;
    let (Err(error), Call::ClaimExecution { args }) = (&answer, &call) else {
        return answer;
    };
    if error.code() != "contention.invalid_claim_grant" {
        return answer;
    }
    subject.grant_to(&args.execution_id, &args.worker_id).await;
    subject.ask(call).await
});

deviant!("late-redemptions-like-none", CLM_022, "Says of a grant that has run out that there is none." =>
instead(&[Method::ClaimExecution], "contention.claim_grant_expired", |_, _| {
    Err(EngineError::Contention(ContentionKind::InvalidClaimGrant))
}));

deviant!("interrupted-like-running", CLM_023, "Does not say how an interrupted attempt goes on." =>
instead(&[Method::ClaimExecution], "contention.use_claim_resumed_execution", |_, _| {
    Err(EngineError::Contention(ContentionKind::ExecutionNotLeaseable))
}));

deviant!("redeems-for-all", CLM_024, "Redeems a grant for all who ask at once." =>
    succeeds_for_all(Method::ClaimExecution, |_| true));

request!("redeems-for-no-time", CLM_025, "Takes a lease of 0 ms for one of 1 ms.",
    ClaimExecution { args } if args.lease_ttl_ms == 0 => args.lease_ttl_ms = 1);

around!(
    "attempts-again",
    CLM_025,
    "Takes an attempt id that the execution has had for another.",
    |subject, call| {
        let answer = subject.ask(call.clone()).await;
        let (Err(error), Call::ClaimExecution { mut args }) = (&answer, call) else {
            return answer;
        };
        if error.code() != "validation.invalid_input" {
            return answer;
        }
        args.attempt_id = AttemptId::new();
        subject.ask(Call::ClaimExecution { args }).await
    }
);

around!(
    "expects-nothing",
    CLM_025,
    "Does not look at the index that is expected.",
    |subject, call| {
        let Call::ClaimExecution { mut args } = call else {
            return subject.ask(call).await;
        };
        let total = subject.field(&args.execution_id, "total_attempt_count").await;
        let total = total.and_then(|total| total.parse().ok()).unwrap_or_default();
        args.expected_attempt_index = AttemptIndex::new(total);
        subject.ask(Call::ClaimExecution { args }).await
    }
);

request!("keeps-its-deadline", CLM_026, "Claims without the new deadline.",
    ClaimExecution { args } => args.execution_deadline_at = None);

deviant!("operators-begin-anew", CLM_027, "Counts an attempt that an operator goes on with as another." =>
write(|before, after| {
    let interrupted = |before: &Execution| before.attempt_state == AttemptState::AttemptInterrupted;
    if is_operators(before, after) && before.is_some_and(interrupted) {
        after.total_attempts += 1;
    }
}));

reply!("operators-next-epoch", CLM_028, "Tells an operator the epoch of the next lease.",
    IssueGrantAndClaim(claimed) => claimed.lease_epoch = claimed.lease_epoch.next());

deviant!("granted-like-running", CLM_029, "Says of what is granted that it does not wait." =>
instead(&[Method::IssueGrantAndClaim], "state.grant_already_exists", |_, _| {
    Err(EngineError::Contention(ContentionKind::ExecutionNotEligible))
}));

deviant!("operators-are-admins", CLM_030, "Has another name for operators." => write(|before, after| {
    if is_operators(before, after)
        && let Some(lease) = &mut after.lease
    {
        lease.worker = WorkerId::new("admin");
    }
}));

deviant!("operators-all-claim", CLM_031, "Claims for all operators who ask at once." =>
    succeeds_for_all(Method::IssueGrantAndClaim, |reply| matches!(reply, Reply::IssueGrantAndClaim(_))));
