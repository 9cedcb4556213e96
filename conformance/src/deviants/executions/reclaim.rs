//! Deviants that break the clauses under "Reclaim".

use ff_core::backend::HandleKind;
use ff_core::call::{Call, Method, Reply};
use ff_core::contracts::{IssueReclaimGrantOutcome, ReclaimExecutionOutcome};
use ff_core::engine_error::{ContentionKind, EngineError};
use ff_core::partition::{Partition, PartitionFamily};
use ff_core::types::{AttemptId, LeaseEpoch, TimestampMs, WorkerId};
use ff_mock::Execution;

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::{answer, instead, succeeds_for_all, write};

/// Whether it was taken over.
fn is_reclaimed(before: Option<&Execution>, after: &Execution) -> bool {
    before.is_some_and(|before| before.reclaim_count != after.reclaim_count)
}

deviant!("reclaim-grants-change-times", LSE_023, "Says of what was granted to be taken over that it was changed." =>
write(|before, after| {
    if let Some(before) = before
        && before.grant != after.grant
        && before.lease == after.lease
        && after.lease.is_some()
    {
        after.last_mutation_at = TimestampMs(after.last_mutation_at.0 + 1);
    }
}));

reply!("reclaim-grants-last-longer", LSE_023, "Says of a grant that it lasts a millisecond longer.",
    IssueReclaimGrant(IssueReclaimGrantOutcome::Granted(grant)) => grant.expires_at_ms += 1);

around!(
    "marks-before-it-reclaims",
    LSE_024,
    "Marks what is due when somebody asks to take it over.",
    |subject, call| {
        if let Call::IssueReclaimGrant { args } = &call {
            let (family, index) = (PartitionFamily::Execution, args.execution_id.partition());
            let partition = Partition { family, index };
            let execution_id = args.execution_id.clone();
            // What is not due is left alone.
            let _ = subject.ask(Call::MarkLeaseExpiredIfDue { partition, execution_id }).await;
        }
        subject.ask(call).await
    }
);

around!("reclaims-again", LSE_025, "Grants what is granted.", |subject, call| {
    let answer = subject.ask(call.clone()).await;
    match (&answer, &call) {
        (Err(error), Call::IssueReclaimGrant { args })
            if error.code() == "state.grant_already_exists" =>
        {
            let detail = "it is granted".to_owned();
            let execution_id = args.execution_id.clone();
            let outcome = IssueReclaimGrantOutcome::NotReclaimable { detail, execution_id };
            Ok(Reply::IssueReclaimGrant(outcome))
        }
        _ => answer,
    }
});

deviant!("reclaims-count-as-retries", LSE_026, "Counts a reclaim as a retry." => write(|before, after| {
    if is_reclaimed(before, after) {
        after.retry_count += 1;
    }
}));

deviant!("reclaims-in-the-same-epoch", LSE_026, "Takes over under a lease of the epoch before." =>
write(|before, after| {
    if is_reclaimed(before, after) {
        after.epoch = before.map_or(LeaseEpoch::new(1), |before| before.epoch);
    }
}));

reply!("reclaimed-handles-fresh", LSE_027, "Says of the handle of a takeover that it is fresh.",
    ReclaimExecution(ReclaimExecutionOutcome::Claimed(handle)) => handle.kind = HandleKind::Fresh);

request!("reclaims-for-anybody", LSE_028, "Takes everybody for the worker that has a grant.",
    ReclaimExecution { args } => args.worker_id = WorkerId::new("worker"));

around!("hundred-and-one", LSE_029, "Grants a takeover too many.", |subject, call| {
    let answer = subject.ask(call).await;
    match answer {
        Ok(Reply::IssueReclaimGrant(IssueReclaimGrantOutcome::ReclaimCapExceeded {
            execution_id,
            reclaim_count,
        })) => {
            let detail = reclaim_count.to_string();
            let outcome = IssueReclaimGrantOutcome::NotReclaimable { detail, execution_id };
            Ok(Reply::IssueReclaimGrant(outcome))
        }
        answer => answer,
    }
});

deviant!("reclaims-for-all", LSE_030, "Takes over for all who ask at once." =>
succeeds_for_all(Method::ReclaimExecution, |reply| {
    matches!(reply, Reply::ReclaimExecution(ReclaimExecutionOutcome::Claimed(_)))
}));

deviant!("any-lane-is-granted", LSE_031, "Says of what is of another lane that it does not wait." =>
instead(&[Method::IssueReclaimGrant, Method::ReclaimExecution], "contention.execution_not_in_eligible_set", |_, _| {
    Err(EngineError::Contention(ContentionKind::ExecutionNotEligible))
}));

around!(
    "reclaims-attempts-again",
    LSE_031,
    "Takes an attempt id that the execution has had for another.",
    |subject, call| {
        let answer = subject.ask(call.clone()).await;
        let (Err(error), Call::ReclaimExecution { mut args }) = (&answer, call) else {
            return answer;
        };
        if error.code() != "validation.invalid_input" {
            return answer;
        }
        args.attempt_id = AttemptId::new();
        subject.ask(Call::ReclaimExecution { args }).await
    }
);

request!("reclaims-for-no-time", LSE_032, "Takes a lease of 0 ms for one of 1 ms.",
    ReclaimExecution { args } if args.lease_ttl_ms == 0 => args.lease_ttl_ms = 1);

deviant!("believes-in-attempts", LSE_032, "Goes by what a caller says of the current attempt." => answer(|call, answer| {
    if let (Call::ReclaimExecution { args }, Ok(Reply::ReclaimExecution(outcome))) = (call, answer)
        && args.current_attempt_index.0 == 7
        && matches!(outcome, ReclaimExecutionOutcome::Claimed(_))
    {
        let execution_id = args.execution_id.clone();
        *outcome = ReclaimExecutionOutcome::GrantNotFound { execution_id };
    }
}));
