//! Deviants that break the clauses under "Spending".

use ff_core::call::{Call, Method, Reply};
use ff_core::contracts::{ReleaseBudgetArgs, ReportUsageAdminArgs};
use ff_core::engine_error::EngineError;
use ff_mock::{Budget, Spend, UsageKey};

use crate::deviants::declare::{around, deviant, request};
use crate::deviants::fault::{Fault, marks_repetitions_of};

around!(
    "spends-of-the-known",
    BUD_017,
    "Counts spends of executions that are there.",
    |subject, call| {
        if let Call::RecordSpend { args } = &call
            && subject.field(&args.execution_id, "lane_id").await.is_none()
        {
            return Err(EngineError::NotFound { entity: "execution" });
        }
        subject.ask(call).await
    }
);

deviant!("releases-twice-as-much", BUD_018, "Releases a spend twice." =>
Fault::default().damage(|before: Option<&Spend>, after: &mut Spend| {
    if let Some(before) = before {
        for (name, amount) in &before.amounts {
            *after.amounts.entry(name.clone()).or_default() += amount;
        }
    }
}));

around!("releases-everything", BUD_018, "Releases what everybody spent.", |subject, call| {
    let Call::ReleaseBudget { args } = &call else {
        return subject.ask(call).await;
    };
    let answer = subject.ask(call.clone()).await;
    let now = subject.clock.now();
    let reset = ff_core::contracts::ResetBudgetArgs { budget_id: args.budget_id, now };
    // What is not defined is not reset.
    let _ = subject.ask(Call::ResetBudget { args: reset }).await;
    answer
});

around!(
    "in-nobodys-name",
    BUD_042,
    "Counts what attempts report in nobody's name.",
    |subject, call| {
        let Call::ReportUsage { budget, dimensions, .. } = &call else {
            return subject.ask(call).await;
        };
        let (names, deltas) = dimensions.custom.clone().into_iter().unzip();
        let args = ReportUsageAdminArgs::new(names, deltas, subject.clock.now());
        match subject.ask(Call::ReportUsageAdmin { budget: *budget, args }).await? {
            Reply::ReportUsageAdmin(result) => Ok(Reply::ReportUsage(result)),
            other => Ok(other),
        }
    }
);

around!("releases-what-is-there", BUD_019, "Refuses where nothing was spent.", |subject, call| {
    let Call::ReleaseBudget { args: ReleaseBudgetArgs { budget_id, .. } } = &call else {
        return subject.ask(call).await;
    };
    let known = subject.ask(Call::GetBudgetStatus { id: *budget_id }).await;
    if known.is_err() { known } else { subject.ask(call).await }
});

deviant!("marks-releases", BUD_019, "Leaves a mark on what is released again." =>
    marks_repetitions_of(Method::ReleaseBudget));

deviant!("ledgers-survive", BUD_021, "Releases what was counted before a reset." =>
    Fault::default().damage(|_, after: &mut Budget| after.reset_count = 0));

deviant!("releases-forgive", BUD_044, "Forgets keys that are released." =>
    Fault::default().damage(|_, after: &mut UsageKey| after.expires_at.0 -= 86_400_000));

request!("spends-anew", BUD_044, "Counts every spend under a key of its own.", RecordSpend { args } => {
    args.idempotency_key = uuid::Uuid::new_v4().to_string();
});
