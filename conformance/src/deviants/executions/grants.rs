//! Deviants that break the clauses under "Grants".

use ff_core::call::{Call, Method, Reply};
use ff_core::contracts::IssueClaimGrantOutcome;
use ff_core::engine_error::{EngineError, ValidationKind};
use ff_core::types::TimestampMs;
use ff_mock::Execution;

use crate::deviants::declare::{deviant, request};
use crate::deviants::fault::{Answer, answer, instead, succeeds_for_all, write};

/// Whether a grant was issued.
fn is_granted(before: Option<&Execution>, after: &Execution) -> bool {
    after.grant.is_some() && before.is_some_and(|before| before.grant != after.grant)
}

/// The answer to a grant that was issued.
fn granted(call: &Call, refused: EngineError) -> Answer {
    match call {
        Call::IssueClaimGrant { args } => {
            let execution_id = args.execution_id.clone();
            Ok(Reply::IssueClaimGrant(IssueClaimGrantOutcome::Granted { execution_id }))
        }
        _ => Err(refused),
    }
}

deviant!("grants-change-times", CLM_013, "Says of what was granted that it was changed." =>
write(|before, execution| {
    if is_granted(before, execution) {
        execution.last_mutation_at = TimestampMs(execution.last_mutation_at.0 + 1);
    }
}));

deviant!("grants-keep-nothing", CLM_014, "Lets anybody claim what was granted." =>
write(|_, execution| {
    if let Some(grant) = &mut execution.grant {
        grant.is_over = true;
    }
}));

deviant!("grants-for-longer", CLM_014, "Lets a grant last a millisecond longer." =>
write(|before, execution| {
    if is_granted(before, execution)
        && let Some(grant) = execution.grant.as_mut().filter(|grant| !grant.is_over)
    {
        grant.expires_at = TimestampMs(grant.expires_at.0 + 1);
    }
}));

deviant!("grants-again", CLM_015, "Grants what is granted." =>
    instead(&[Method::IssueClaimGrant], "state.grant_already_exists", granted));

deviant!("grants-to-all", CLM_015, "Grants to all who ask at once." =>
    succeeds_for_all(Method::IssueClaimGrant, |_| true));

deviant!("grants-to-the-unable", CLM_016, "Grants to workers without the capabilities." =>
    instead(&[Method::IssueClaimGrant], "validation.capability_mismatch", granted));

deviant!("lacks-untold", CLM_017, "Does not tell what a worker lacks." =>
answer(|_, answer| {
    if let Err(EngineError::Validation { kind: ValidationKind::CapabilityMismatch, detail }) = answer {
        detail.clear();
    }
}));

deviant!("grants-what-does-not-wait", CLM_018, "Grants what is not to be claimed." =>
    instead(&[Method::IssueClaimGrant], "contention.execution_not_eligible", granted));

deviant!("grants-across-lanes", CLM_018, "Grants what is of another lane." =>
    instead(&[Method::IssueClaimGrant], "contention.execution_not_in_eligible_set", granted));

request!("grants-for-no-time", CLM_019, "Takes a grant of 0 ms for one of 1 ms.",
    IssueClaimGrant { args } if args.grant_ttl_ms == 0 => args.grant_ttl_ms = 1);

deviant!("capabilities-before-lanes", CLM_019, "Looks at capabilities before it looks at the lane." =>
instead(&[Method::IssueClaimGrant], "contention.execution_not_in_eligible_set", |call, refused| {
    match call {
        Call::IssueClaimGrant { args } if args.worker_capabilities.is_empty() => {
            Err(EngineError::validation(ValidationKind::CapabilityMismatch, "gpu"))
        }
        _ => Err(refused),
    }
}));
