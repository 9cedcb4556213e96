//! Deviants that break the clauses under "Policies".

use ff_core::call::Call;
use ff_core::engine_error::EngineError;

use crate::deviants::declare::{around, deviant};
use crate::deviants::executions::{creating, refusing};

deviant!("drops-budgets", EXE_043, "Leaves out all budgets but the first 64." => creating(|args| {
    if let Some(policy) = &mut args.policy {
        policy.budget_ids.truncate(64);
    }
}));

deviant!("policy-decides", EXE_012, "Takes the priority from the policy." => creating(|args| {
    if let Some(policy) = &args.policy {
        args.priority = policy.priority;
    }
}));

deviant!("forgets-deadlines", EXE_013, "Counts no deadline from the creation." => creating(|args| {
    if let Some(timeouts) =
        args.policy.as_mut().and_then(|policy| policy.timeout_policy.as_mut())
    {
        timeouts.execution_deadline_ms = None;
    }
}));

deviant!("any-word-will-do", EXE_037,
    "Takes behaviours that nobody knows for failing." => creating(|args| {
    if let Some(suspension) =
        args.policy.as_mut().and_then(|policy| policy.suspension_policy.as_mut())
    {
        "fail".clone_into(&mut suspension.timeout_behavior);
    }
}));

around!(
    "rejects-late-deadlines",
    EXE_013,
    "Refuses a creation whose deadline has passed.",
    |subject, call| {
        if let Call::CreateExecution { args } = &call
            && args.execution_deadline_at.is_some_and(|at| at <= subject.clock.now())
        {
            return Err(EngineError::invalid_input("too late"));
        }
        subject.ask(call).await
    }
);

deviant!("never-escalates", EXE_037, "Does not know one of the behaviours." => refusing(|args| {
    let suspension =
        args.policy.as_ref().and_then(|policy| policy.suspension_policy.as_ref());
    suspension.is_some_and(|suspension| suspension.timeout_behavior == "escalate")
}));
