//! Deviants that break the clauses under "Exhaustion".

use ff_core::call::Call;
use ff_core::engine_error::{ContentionKind, EngineError};
use ff_mock::Budget;

use crate::deviants::declare::{around, deviant, request};
use crate::deviants::fault::{Fault, write};

request!("budgets-are-texts", BUD_045, "Forgets which budgets a policy names.",
CreateExecution { args } => if let Some(policy) = &mut args.policy {
    policy.budget_ids.clear();
});

request!("the-first-budget", BUD_045, "Asks the first budget only.",
CreateExecution { args } => if let Some(policy) = &mut args.policy {
    policy.budget_ids.truncate(1);
});

deviant!("exhausted-early", BUD_045, "Takes a budget for exhausted with one unit left." =>
Fault::default().damage(|_, after: &mut Budget| {
    for (name, limits) in after.definition.iter_mut().flat_map(|known| &mut known.limits) {
        let used = after.usage.get(name).copied().unwrap_or(0);
        if limits.hard == used + 1 {
            limits.hard = used;
        }
    }
}));

deviant!("blocks-without-a-word", BUD_046, "Does not say which budget is exhausted." => write(|_, after| {
    if after.denied_by.is_some() {
        after.blocking_detail.clear();
    }
}));

around!("everybody-is-asked", BUD_047, "Asks for budgets in every claim.", |subject, call| {
    let target = match &call {
        Call::IssueClaimGrant { args } => &args.execution_id,
        Call::IssueGrantAndClaim { args } => &args.execution_id,
        _ => return subject.ask(call).await,
    };
    match subject.field(target, "budget_ids").await {
        Some(budgets) if !budgets.is_empty() => {
            Err(EngineError::Contention(ContentionKind::ExecutionNotEligible))
        }
        _ => subject.ask(call).await,
    }
});
