//! Deviants that break the clauses under "Priority".

use ff_core::call::{Call, Method, Reply};
use ff_core::contracts::ChangePriorityResult;
use ff_core::types::LaneId;

use crate::deviants::declare::{deviant, request};
use crate::deviants::fault::{instead, marks_repetitions_of, write};

deviant!("priority-renews-age", OPS_006, "Counts the age from the change of the priority." =>
write(|before, after| {
    if before.is_some_and(|before| before.priority != after.priority) {
        after.created_at = after.last_mutation_at;
    }
}));

deviant!("marks-repeated-priorities", OPS_006, "Leaves a mark when a priority is set again." =>
    marks_repetitions_of(Method::ChangePriority));

deviant!("changes-what-does-not-wait", OPS_013, "Says of what does not wait that its priority was changed." =>
instead(&[Method::ChangePriority], "contention.execution_not_eligible", |call, refused| match call {
    Call::ChangePriority { args } => {
        let execution_id = args.execution_id.clone();
        Ok(Reply::ChangePriority(ChangePriorityResult::Changed { execution_id }))
    }
    _ => Err(refused),
}));

request!("any-lanes-priority", OPS_007, "Does not look at the lane of a new priority.",
    ChangePriority { args } => args.lane_id = LaneId::new(""));
