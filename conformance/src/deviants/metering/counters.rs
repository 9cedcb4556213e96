//! Deviants that break the clauses under "Counters".

use ff_core::call::{Call, Reply};
use ff_core::engine_backend::ReconcileCounts;
use ff_core::engine_error::EngineError;
use ff_core::partition::PartitionFamily;
use ff_mock::{Budget, Slot, Snapshot};

use crate::deviants::declare::{around, deviant, reply};
use crate::deviants::fault::{Fault, around as around_calls};

around!("reconciles-usage", BUD_025, "Resets what is breached.", |subject, call| {
    let Call::ReconcileBudgetCounters { now_ms: now, .. } = &call else {
        return subject.ask(call).await;
    };
    let held = Snapshot::of(subject.model.store()).await;
    for budget in held.all::<Budget>().filter(|budget| budget.last_breach.is_some()) {
        let args = ff_core::contracts::ResetBudgetArgs { budget_id: budget.id, now: *now };
        let _ = subject.ask(Call::ResetBudget { args }).await;
    }
    subject.ask(call).await
});

reply!("counts-what-it-sees", BUD_026, "Counts every pass.",
    ReconcileBudgetCounters(counts) => counts.processed += 1);

deviant!("keeps-what-is-over", BUD_026, "Removes nothing." => {
    around_calls(|subject, call| Box::pin(async move {
        if let Call::ReconcileBudgetCounters { .. } = &call {
            return Ok(Reply::ReconcileBudgetCounters(ReconcileCounts::default()));
        }
        subject.ask(call).await
    }))
});

around!(
    "any-partition-has-counters",
    BUD_048,
    "Has nothing to do in other partitions.",
    |subject, call| {
        let (Call::ReconcileBudgetCounters { partition, .. }
        | Call::ReconcileQuotaCounters { partition, .. }) = &call
        else {
            return subject.ask(call).await;
        };
        let is_strange =
            matches!(partition.family, PartitionFamily::Flow | PartitionFamily::Execution);
        match subject.ask(call.clone()).await {
            Err(EngineError::Validation { .. }) if is_strange => {
                let counts = ReconcileCounts::default();
                Ok(match call {
                    Call::ReconcileBudgetCounters { .. } => Reply::ReconcileBudgetCounters(counts),
                    _ => Reply::ReconcileQuotaCounters(counts),
                })
            }
            answer => answer,
        }
    }
);

around!("releases-all", QUO_016, "Releases all that are admitted.", |subject, call| {
    if let Call::ReconcileQuotaCounters { .. } = &call {
        for slot in Snapshot::of(subject.model.store()).await.all::<Slot>() {
            let (policy, execution) = (slot.quota, slot.execution.clone());
            let args = ff_core::contracts::ReleaseAdmissionArgs::new(policy, execution);
            let _ = subject.ask(Call::ReleaseAdmission { args }).await;
        }
    }
    subject.ask(call).await
});

reply!("counts-all-policies", QUO_017, "Counts every pass over policies.",
    ReconcileQuotaCounters(counts) => counts.processed += 1);

deviant!("over-a-moment-later", QUO_017, "Keeps admissions that are over." =>
    Fault::default().damage(|_, after: &mut Slot| after.held_until.0 += 1));
