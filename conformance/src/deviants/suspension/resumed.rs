//! Deviants that break the clauses under "Resumed".

use ff_core::backend::HandleKind;
use ff_core::call::{Call, Method, Reply};
use ff_core::engine_error::{ContentionKind, EngineError};
use ff_core::state::{AttemptState, EligibilityState, LifecyclePhase};
use ff_core::types::{LeaseId, WorkerId};
use ff_mock::Execution;

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::{answer, instead, succeeds_for_all, write};

/// Whether an attempt went on.
fn goes_on(before: Option<&Execution>, after: &Execution) -> bool {
    let is_interrupted = |before: &Execution| {
        before.phase == LifecyclePhase::Runnable
            && before.attempt_state == AttemptState::AttemptInterrupted
    };
    after.phase == LifecyclePhase::Active && before.is_some_and(is_interrupted)
}

deviant!("goes-on-anew", SUS_037, "Counts an attempt that goes on as another." =>
write(|before, execution| {
    if goes_on(before, execution) {
        execution.total_attempts += 1;
    }
}));

deviant!("goes-on-in-the-same-epoch", SUS_037, "Goes on under a lease of the epoch before." =>
write(|before, execution| {
    if goes_on(before, execution)
        && let Some(before) = before
    {
        execution.epoch = before.epoch;
    }
}));

reply!("resumed-handles-fresh", SUS_050, "Says of a resumed handle that it is fresh.",
    ClaimFromResumeGrant(Some(handle)) => handle.kind = HandleKind::Fresh);

around!("grants-itself", SUS_038, "Goes on without a grant.", |subject, call| {
    let answer = subject.ask(call.clone()).await;
    let (Err(error), Call::ClaimResumedExecution { args }) = (&answer, &call) else {
        return answer;
    };
    if error.code() != "contention.invalid_claim_grant" {
        return answer;
    }
    subject.grant_to(&args.execution_id, &args.worker_id).await;
    subject.ask(call).await
});

deviant!("running-like-fresh", SUS_038, "Says of what is not runnable that it was not resumed." =>
instead(&[Method::ClaimResumedExecution], "contention.execution_not_leaseable", |_, _| {
    Err(EngineError::Contention(ContentionKind::NotAResumedExecution))
}));

deviant!("runs-out-like-none", SUS_051, "Says of a grant that has run out that there is none." =>
answer(|call, answer| {
    let expired = EngineError::Contention(ContentionKind::ClaimGrantExpired);
    if call.method() == Method::ClaimResumedExecution && *answer == Err(expired) {
        *answer = Err(EngineError::Contention(ContentionKind::InvalidClaimGrant));
    }
}));

around!(
    "leases-again",
    SUS_051,
    "Takes a lease id that the execution has had for another.",
    |subject, call| {
        let answer = subject.ask(call.clone()).await;
        let (Err(error), Call::ClaimResumedExecution { mut args }) = (&answer, call) else {
            return answer;
        };
        if error.code() != "validation.invalid_input" {
            return answer;
        }
        args.lease_id = LeaseId::new();
        subject.ask(Call::ClaimResumedExecution { args }).await
    }
);

deviant!("goes-on-for-all", SUS_039, "Goes on for all who ask at once." =>
    succeeds_for_all(Method::ClaimResumedExecution, |_| true));

deviant!("refuses-what-is-over", SUS_052, "Refuses to go on where nothing can go on." =>
answer(|_, answer| {
    if *answer == Ok(Reply::ClaimFromResumeGrant(None)) {
        *answer = Err(EngineError::Contention(ContentionKind::ExecutionNotLeaseable));
    }
}));

request!("grants-for-anybody", SUS_053, "Takes everybody for the worker that has a grant.",
    ClaimResumedExecution { args } => args.worker_id = WorkerId::new("worker"));

request!("leases-of-no-time", SUS_054, "Takes a lease of 0 ms for one of 1 ms.",
    ClaimResumedExecution { args } if args.lease_ttl_ms == 0 => args.lease_ttl_ms = 1);

deviant!("believes-tokens", SUS_054, "Goes by what a token says of the grant's end." =>
answer(|call, answer| {
    if let Call::ClaimFromResumeGrant { token } = call
        && token.grant.expires_at_ms == 1
    {
        *answer = Err(EngineError::Contention(ContentionKind::ClaimGrantExpired));
    }
}));

deviant!("children-begin-anew", SUS_055, "Begins another attempt once dependencies are satisfied." =>
write(|before, execution| {
    let was_blocked = |before: &Execution| {
        before.eligibility == EligibilityState::BlockedByDependencies
            && before.attempt_state == AttemptState::AttemptInterrupted
    };
    if before.is_some_and(was_blocked) && execution.eligibility == EligibilityState::EligibleNow {
        execution.attempt_state = AttemptState::PendingRetryAttempt;
    }
}));
