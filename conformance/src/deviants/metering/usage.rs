//! Deviants that break the clauses under "Usage".

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use ff_core::call::{Call, Method, Reply};
use ff_core::contracts::ReportUsageResult;
use ff_core::engine_error::EngineError;
use ff_core::types::BudgetId;
use ff_mock::UsageKey;

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::{Answer, Fault, answer, around as around_calls, busy, lock, pause};
use crate::deviants::metering::budget;

/// The budget that a report is for, and its key.
fn report_of(call: &mut Call) -> Option<(&mut BudgetId, Option<&mut String>)> {
    match call {
        Call::ReportUsage { budget, dimensions, .. } => {
            Some((budget, dimensions.dedup_key.as_mut()))
        }
        Call::ReportUsageAdmin { budget, args } => Some((budget, args.dedup_key.as_mut())),
        Call::RecordSpend { args } => Some((&mut args.budget_id, Some(&mut args.idempotency_key))),
        _ => None,
    }
}

/// The result of a report.
fn result_of(answer: &mut Answer) -> Option<&mut ReportUsageResult> {
    match answer {
        Ok(
            Reply::ReportUsage(result)
            | Reply::ReportUsageAdmin(result)
            | Reply::RecordSpend(result),
        ) => Some(result),
        _ => None,
    }
}

/// Changes the results of reports.
fn result(change: impl Fn(&mut ReportUsageResult) + Send + Sync + 'static) -> Fault {
    answer(move |_, answer| {
        if let Some(result) = result_of(answer) {
            change(result);
        }
    })
}

deviant!("reports-define", BUD_006, "Defines what is reported for." => budget(|_, after| {
    after.definition.get_or_insert_with(|| ff_mock::BudgetDefinition {
        scope_type: String::new(),
        scope_id: String::new(),
        enforcement_mode: String::new(),
        on_hard_limit: String::new(),
        on_soft_limit: String::new(),
        reset_interval_ms: 0,
        limits: std::collections::BTreeMap::new(),
        created_at: ff_core::types::TimestampMs(0),
    });
}));

request!("drops-tokens", BUD_007, "Counts no built-in counters.", ReportUsage { dimensions, .. } => {
    (dimensions.input_tokens, dimensions.output_tokens) = (0, 0);
});

request!("drops-wall-clocks", BUD_007, "Does not count the time spent.",
    ReportUsage { dimensions, .. } => dimensions.wall_ms = None);

request!("custom-tokens", BUD_036, "Takes a custom dimension for the counter of its name.",
ReportUsage { dimensions, .. } => for name in ["input_tokens", "output_tokens", "wall_ms"] {
    dimensions.custom.remove(name);
});

around!("wants-a-lease", BUD_008, "Counts for those who hold a lease.", |subject, call| {
    if let Call::ReportUsage { handle, .. } = &call
        && let Err(error) = subject.ask(Call::Renew { handle: handle.clone() }).await
    {
        return Err(error);
    }
    subject.ask(call).await
});

request!("special-names", BUD_037, "Does not count tokens that an operator reports.",
ReportUsageAdmin { args, .. } => {
    let at = args.dimensions.iter().position(|name| name == "input_tokens");
    if let Some(at) = at.filter(|at| *at < args.deltas.len()) {
        args.deltas[at] = 0;
    }
});

request!("deltas-in-order", BUD_037, "Sorts names and deltas by themselves.",
ReportUsageAdmin { args, .. } => {
    args.dimensions.sort();
    args.deltas.sort_unstable();
});

request!("last-one-wins", BUD_009, "Counts the last of a name that is there twice.",
ReportUsageAdmin { args, .. } if args.dimensions.len() == args.deltas.len() => {
    let pairs = args.dimensions.drain(..).zip(args.deltas.drain(..));
    let last: HashMap<String, u64> = pairs.collect();
    (args.dimensions, args.deltas) = last.into_iter().unzip();
});

request!("cuts-dimensions", BUD_028, "Cuts names of dimensions.", RecordSpend { args } => {
    let cut = |(name, delta): (String, u64)| (name.chars().take(256).collect(), delta);
    args.deltas = std::mem::take(&mut args.deltas).into_iter().map(cut).collect();
});

around!("wraps", BUD_041, "Counts beyond what travels.", |subject, mut call| {
    let answer = subject.ask(call.clone()).await;
    match (&answer, &mut call) {
        (Err(EngineError::Validation { .. }), Call::ReportUsageAdmin { args, .. }) => {
            args.deltas.fill(0);
            subject.ask(call).await
        }
        _ => answer,
    }
});

deviant!("limits-are-passed", BUD_010, "Lets a hard limit be passed by one." => budget(|_, after| {
    let breached = after.last_breach.is_some();
    for limits in after.definition.iter_mut().flat_map(|known| known.limits.values_mut()) {
        limits.hard += u64::from(limits.hard > 0 && limits.hard < 11 && !breached);
    }
}));

around!("counts-what-fits", BUD_010, "Counts the dimensions that fit.", |subject, call| {
    let answer = subject.ask(call.clone()).await;
    let refused = match &answer {
        Ok(
            Reply::ReportUsage(ReportUsageResult::HardBreach { dimension, .. })
            | Reply::ReportUsageAdmin(ReportUsageResult::HardBreach { dimension, .. })
            | Reply::RecordSpend(ReportUsageResult::HardBreach { dimension, .. }),
        ) => dimension.clone(),
        _ => return answer,
    };
    let mut rest = call;
    match &mut rest {
        Call::RecordSpend { args } => drop(args.deltas.remove(&refused)),
        Call::ReportUsage { dimensions, .. } => drop(dimensions.custom.remove(&refused)),
        Call::ReportUsageAdmin { args, .. } => {
            if let Some(at) = args.dimensions.iter().position(|name| *name == refused) {
                args.dimensions.remove(at);
                args.deltas.remove(at);
            }
        }
        _ => {}
    }
    // What is left may breach as well.
    let _ = subject.ask(rest).await;
    answer
});

deviant!("counts-no-breaches", BUD_038, "Counts the first breach only." => budget(|_, after| {
    after.breach_count = after.breach_count.min(1);
}));

deviant!("first-breach", BUD_038, "Shows the first breach as the last." => budget(|before, after| {
    if let Some(first) = before.and_then(|before| before.last_breach.clone())
        && after.last_breach.is_some()
    {
        after.last_breach = Some(first);
    }
}));

deviant!("usage-before", BUD_039, "Tells the usage before the report." => result(|result| {
    if let ReportUsageResult::SoftBreach { current_usage, .. } = result {
        *current_usage = current_usage.saturating_sub(1);
    }
}));

deviant!("usage-after", BUD_039, "Tells the usage that there would have been." => result(|result| {
    if let ReportUsageResult::HardBreach { current_usage, .. } = result {
        *current_usage += 1;
    }
}));

deviant!("soft-from-the-limit-on", BUD_011, "Warns when a soft limit is reached." => budget(|_, after| {
    for limits in after.definition.iter_mut().flat_map(|known| known.limits.values_mut()) {
        limits.soft = limits.soft.saturating_sub(1);
    }
}));

deviant!("warns-in-silence", BUD_011, "Does not tell of soft limits." => result(|result| {
    if matches!(result, ReportUsageResult::SoftBreach { .. }) {
        *result = ReportUsageResult::Ok;
    }
}));

deviant!("counts-each-warning", BUD_011, "Counts a soft breach in each dimension." =>
budget(|before, after| {
    if before.is_some_and(|before| after.soft_breach_count > before.soft_breach_count) {
        after.soft_breach_count += after.usage.len().saturating_sub(1) as u64;
    }
}));

deviant!("any-breach-is-the-last", BUD_043, "Shows a soft breach as the last." =>
budget(|before, after| {
    if before.is_some_and(|before| after.soft_breach_count > before.soft_breach_count) {
        let (dimension, at) = ("cost".to_owned(), ff_core::types::TimestampMs(1));
        after.last_breach = Some(ff_mock::Breach { dimension, at });
    }
}));

deviant!("nothing-is-not-counted", BUD_013, "Counts no dimension with a delta of 0." => budget(|_, after| {
    after.usage.retain(|_, used| *used > 0);
}));

deviant!("forgets-usage-keys", BUD_014, "Keeps no keys." =>
    Fault::default().damage(|_, after: &mut UsageKey| after.expires_at.0 = 0));

deviant!("keys-of-everybody", BUD_014, "Knows a key in every budget." => {
    let known: Arc<Mutex<HashMap<String, BudgetId>>> = Arc::default();
    around_calls(move |subject, mut call| {
        let known = Arc::clone(&known);
        Box::pin(async move {
            if let Some((budget, Some(key))) = report_of(&mut call)
                && !key.is_empty()
            {
                let first = *lock(&known).entry(key.clone()).or_insert(*budget);
                let method = call.method();
                let elsewhere = report_of(&mut call).is_some_and(|(budget, _)| *budget != first);
                if elsewhere {
                    let result = ReportUsageResult::AlreadyApplied;
                    return Ok(match method {
                        Method::ReportUsage => Reply::ReportUsage(result),
                        Method::ReportUsageAdmin => Reply::ReportUsageAdmin(result),
                        _ => Reply::RecordSpend(result),
                    });
                }
            }
            subject.ask(call).await
        })
    })
});

request!("keys-of-a-method", BUD_040, "Keeps the keys of spends apart.",
    RecordSpend { args } if !args.idempotency_key.is_empty() => args.idempotency_key.push('!'));

deviant!("keys-a-moment-longer", BUD_040, "Keeps keys for a millisecond more." =>
    Fault::default().damage(|_, after: &mut UsageKey| after.expires_at.0 += 1));

deviant!("refusals-take-keys", BUD_040, "Takes the key of a report that it refuses." => {
    let refused: Arc<Mutex<HashSet<(BudgetId, String)>>> = Arc::default();
    around_calls(move |subject, mut call| {
        let refused = Arc::clone(&refused);
        Box::pin(async move {
            let known = report_of(&mut call)
                .and_then(|(budget, key)| Some((*budget, key?.clone())))
                .filter(|(_, key)| !key.is_empty());
            let mut answer = subject.ask(call).await;
            if let (Some(known), Some(result)) = (known, result_of(&mut answer)) {
                if lock(&refused).contains(&known) {
                    *result = ReportUsageResult::AlreadyApplied;
                } else if matches!(result, ReportUsageResult::HardBreach { .. }) {
                    lock(&refused).insert(known);
                }
            }
            answer
        })
    })
});

around!(
    "loses-a-spend",
    BUD_015,
    "Counts what others count at the same time once.",
    |subject, call| {
        let Call::RecordSpend { args } = &call else {
            return subject.ask(call).await;
        };
        let look = || subject.ask(Call::GetBudgetStatus { id: args.budget_id });
        let before = look().await;
        pause().await;
        if let (Ok(Reply::GetBudgetStatus(before)), Ok(Reply::GetBudgetStatus(now))) =
            (before, look().await)
            && before.usage != now.usage
        {
            return Ok(Reply::RecordSpend(ReportUsageResult::Ok));
        }
        subject.ask(call).await
    }
);

deviant!("one-report-at-a-time", BUD_015, "Turns reports away that meet." => busy(Method::RecordSpend));

around!(
    "applied-for-both",
    BUD_015,
    "Says to two with one key that theirs is counted.",
    |subject, mut call| {
        let has_key =
            report_of(&mut call).is_some_and(|(_, key)| key.is_some_and(|key| key.contains('.')));
        let mut answer = subject.ask(call).await;
        if has_key
            && let Some(result) = result_of(&mut answer)
            && *result == ReportUsageResult::AlreadyApplied
        {
            *result = ReportUsageResult::Ok;
        }
        answer
    }
);

reply!("every-limit-is-soft", BUD_010, "Says of a hard limit that it is a soft one.",
    ReportUsageAdmin(result) if matches!(result, ReportUsageResult::HardBreach { .. }) =>
        *result = ReportUsageResult::Ok);
