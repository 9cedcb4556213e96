//! Deviants that break the clauses under "Budgets".

use ff_core::call::{Call, Method, Reply};
use ff_core::contracts::{
    BudgetUsageAndLimits, CreateBudgetResult, ReportUsageAdminArgs, ResetBudgetResult,
};
use ff_core::types::TimestampMs;

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::{answer, pause, succeeds_for_all};
use crate::deviants::metering::budget;

deviant!("starts-at-nothing", BUD_004, "Forgets what was reported before the definition." =>
budget(|before, after| {
    if before.is_some_and(|before| before.definition.is_none()) && after.definition.is_some() {
        after.usage.clear();
    }
}));

reply!("born-breached", BUD_004, "Counts a breach that never was.",
    GetBudgetStatus(status) if status.last_breach_at.is_none() => status.breach_count += 1);

reply!("scopes-exchanged", BUD_030, "Takes the scope's type for its id.",
    GetBudgetStatus(status) => std::mem::swap(&mut status.scope_id, &mut status.scope_type));

deviant!("soft-is-hard", BUD_030, "Keeps soft limits as hard ones." => budget(|_, after| {
    for limits in after.definition.iter_mut().flat_map(|known| known.limits.values_mut()) {
        limits.soft = limits.hard;
    }
}));

reply!("always-strict", BUD_030, "Enforces every budget in the same mode.",
    GetBudgetStatus(status) => "strict".clone_into(&mut status.enforcement_mode));

around!(
    "redefines",
    BUD_005,
    "Says that it is defined, and takes the new interval.",
    |subject, call| {
        let answer = subject.ask(call.clone()).await;
        if let (
            Call::CreateBudget { args },
            Ok(Reply::CreateBudget(CreateBudgetResult::AlreadySatisfied { .. })),
        ) = (&call, &answer)
        {
            let reset =
                ff_core::contracts::ResetBudgetArgs { budget_id: args.budget_id, now: args.now };
            // It is defined.
            let _ = subject.ask(Call::ResetBudget { args: reset }).await;
        }
        answer
    }
);

deviant!("created-for-all", BUD_005, "Says to all at once that theirs is new." =>
succeeds_for_all(Method::CreateBudget, |reply| {
    matches!(reply, Reply::CreateBudget(CreateBudgetResult::Created { .. }))
}));

request!("names-are-cut", BUD_002, "Cuts names that are too long.", CreateBudget { args } => {
    for name in &mut args.dimensions {
        name.truncate(256);
    }
});

request!("limits-are-filled-up", BUD_003, "Takes a missing limit for none.", CreateBudget { args } => {
    args.hard_limits.resize(args.dimensions.len(), 0);
    args.soft_limits.resize(args.dimensions.len(), 0);
});

reply!("times-in-seconds", BUD_031, "Shows the creation in seconds.",
GetBudgetStatus(status) => if let Some(at) = &mut status.created_at {
    at.truncate(at.len().saturating_sub(3));
});

deviant!("resets-from-nothing", BUD_031, "Has no first reset." => budget(|before, after| {
    if before.is_none_or(|before| before.definition.is_none()) {
        after.next_reset_at = None;
    }
}));

deviant!("resets-what-is-limited", BUD_020, "Resets only dimensions with a limit." =>
budget(|before, after| {
    if let (Some(before), Some(definition)) = (before, &after.definition)
        && after.reset_count > before.reset_count
    {
        let others = before.usage.iter().filter(|(name, _)| !definition.limits.contains_key(*name));
        let others: Vec<_> = others.map(|(name, used)| (name.clone(), *used)).collect();
        after.usage.extend(others);
    }
}));

deviant!("forgets-dimensions", BUD_020, "Forgets what was counted at a reset." =>
budget(|before, after| {
    if before.is_some_and(|before| after.reset_count > before.reset_count) {
        after.usage.clear();
    }
}));

deviant!("forgives-breaches", BUD_032, "Forgets at a reset that a limit was passed." =>
budget(|before, after| {
    if before.is_some_and(|before| after.reset_count > before.reset_count) {
        after.breach_count = 0;
    }
}));

reply!("never-again", BUD_033, "Does not say when the next reset is due.",
    ResetBudget(ResetBudgetResult::Reset { next_reset_at }) => *next_reset_at = TimestampMs(0));

around!(
    "reset-in-parts",
    BUD_022,
    "Resets, and lets reports go on in between.",
    |subject, call| {
        let Call::ResetBudget { args } = &call else {
            return subject.ask(call).await;
        };
        let before = subject.ask(Call::GetBudgetStatus { id: args.budget_id }).await;
        let answer = subject.ask(call.clone()).await;
        pause().await;
        if let Ok(Reply::GetBudgetStatus(status)) = before {
            let last = status.usage.into_iter().max();
            let (names, deltas) = last.filter(|(_, used)| *used > 0).into_iter().unzip();
            let again = ReportUsageAdminArgs::new(names, deltas, args.now);
            let _ =
                subject.ask(Call::ReportUsageAdmin { budget: args.budget_id, args: again }).await;
        }
        answer
    }
);

around!(
    "reset-defines",
    BUD_034,
    "Says of a budget that is not defined that it is reset.",
    |subject, call| {
        let is_reset = call.method() == Method::ResetBudget;
        match subject.ask(call).await {
            Err(_) if is_reset => {
                Ok(Reply::ResetBudget(ResetBudgetResult::Reset { next_reset_at: TimestampMs(0) }))
            }
            answer => answer,
        }
    }
);

deviant!("counts-what-is-limited", BUD_023, "Shows a usage of 0 for every limit." => answer(|_, answer| {
    if let Ok(Reply::GetBudgetStatus(status)) = answer {
        for name in status.hard_limits.keys() {
            status.usage.entry(name.clone()).or_insert(0);
        }
    }
}));

deviant!("usage-without-limits", BUD_024, "Shows usage where nothing is limited." => answer(|_, answer| {
    if let Ok(Reply::ReadBudgetUsageAndLimits(shown)) = answer
        && shown.limits.is_empty()
    {
        shown.usage.insert("cost".to_owned(), 1);
    }
}));

deviant!("hard-limits-only", BUD_035, "Leaves out soft limits." => answer(|_, answer| {
    if let Ok(Reply::ReadBudgetUsageAndLimits(BudgetUsageAndLimits { limits, .. })) = answer {
        limits.retain(|name, _| name.starts_with("hard:"));
    }
}));

deviant!("limited-usage-only", BUD_035, "Leaves out what is not limited." => answer(|_, answer| {
    if let Ok(Reply::ReadBudgetUsageAndLimits(shown)) = answer {
        let limits = &shown.limits;
        shown.usage.retain(|name, _| limits.contains_key(&format!("hard:{name}")));
    }
}));
