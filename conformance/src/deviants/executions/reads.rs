//! Deviants that break the clauses under "Reads".

use std::collections::HashMap;
use std::sync::Mutex;

use ff_core::call::{Call, Reply};
use ff_core::contracts::ExecutionContext;
use ff_core::state::PublicState;
use ff_core::types::ExecutionId;

use crate::deviants::declare::{deviant, reply};
use crate::deviants::fault::{Fault, answer, write};

reply!("forgets-the-ended", EXE_016, "Does not describe what has ended.",
    DescribeExecution(seen) =>
        *seen = seen.take().filter(|seen| seen.public_state != PublicState::Completed));

deviant!("shows-old-leases", EXE_017, "Shows the last lease when there is none." =>
    shows_old_leases());

reply!("says-none", EXE_018, "Says `none` where there is nothing to say.",
    DescribeExecution(Some(seen)) => seen.blocking_reason.get_or_insert_with(|| "none".to_owned()));

reply!("delayed-is-waiting", EXE_019, "Has one read that knows no delays.",
    ReadExecutionState(Some(state)) if *state == PublicState::Delayed =>
        *state = PublicState::Waiting);

reply!("zero-for-never", EXE_020, "Dates what has not happened to 1970.",
    ReadExecutionInfo(Some(info)) => info.started_at.get_or_insert_with(|| "0".to_owned()));

reply!("created-in-seconds", EXE_048, "Tells times in seconds.",
    ReadExecutionInfo(Some(info)) => info.created_at.truncate(info.created_at.len() - 3));

reply!("unknown-waits", EXE_021, "Says of what is not there that it waits.",
    ReadExecutionState(state) => state.get_or_insert(PublicState::Waiting));

deviant!("empty-context", EXE_022,
    "Gives an empty context for what is not there." => answer(|call, answer| {
    if let (Call::ReadExecutionContext { .. }, Err(_)) = (call, &answer) {
        let nothing = ExecutionContext::new(Vec::new(), String::new(), HashMap::new());
        *answer = Ok(Reply::ReadExecutionContext(nothing));
    }
}));

reply!("empty-is-none", EXE_023, "Takes an empty result for none.",
    GetExecutionResult(result) => *result = result.take().filter(|bytes| !bytes.is_empty()));

reply!("lower-case-tenants", EXE_024, "Tells namespaces in lower case.",
    GetExecutionNamespace(Some(namespace)) => *namespace = namespace.to_lowercase());

deviant!("quiet-progress", EXE_028,
    "Does not take progress for a modification." => write(|before, after| {
    if let Some(before) = before
        && before.progress_percent != after.progress_percent
    {
        after.last_mutation_at = before.last_mutation_at;
    }
}));

reply!("one-kind-of-work", EXE_022, "Tells every worker the same kind.",
    ReadExecutionContext(context) => "op".clone_into(&mut context.execution_kind));

reply!("ended-without-attempt", EXE_017, "Shows no attempt once it is over.",
    DescribeExecution(Some(seen)) if seen.public_state == PublicState::Completed =>
        seen.current_attempt = None);

reply!("never-attempted", EXE_016, "Describes no attempts.",
    DescribeExecution(Some(seen)) => seen.total_attempt_count = 0);

fn shows_old_leases() -> Fault {
    let seen: Mutex<HashMap<ExecutionId, ff_core::contracts::LeaseSummary>> = Mutex::default();
    answer(move |call, answer| {
        if let (
            Call::DescribeExecution { id },
            Ok(Reply::DescribeExecution(Some(now))),
            Ok(mut seen),
        ) = (call, answer, seen.lock())
        {
            match &now.current_lease {
                Some(lease) => drop(seen.insert(id.clone(), lease.clone())),
                None => now.current_lease = seen.get(id).cloned(),
            }
        }
    })
}
