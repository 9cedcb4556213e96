//! Removing what is over.

use ff_core::contracts::{CheckAdmissionArgs, CheckAdmissionResult, ReportUsageResult};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::partition::{Partition, PartitionFamily};
use ff_core::types::{BudgetId, QuotaPolicyId};

use crate::stage::{CALLERS_NOW, FIRST, Verdict, Way, World, case};

impl World {
    /// Sees to the budgets of a partition: how many something was removed of.
    async fn counted(&self, budget: &BudgetId) -> Result<u32, EngineError> {
        let home = self.budget_home(budget);
        Ok(self.reconcile_budget_counters(home, CALLERS_NOW).await?.processed)
    }

    /// The same of the policies of a partition.
    async fn counted_of(&self, policy: &QuotaPolicyId) -> Result<u32, EngineError> {
        let home = self.quota_home(policy);
        Ok(self.reconcile_quota_counters(home, CALLERS_NOW).await?.processed)
    }
}

/// Breached, counted in somebody's name, and under a key that is kept.
#[case(BUD_025)]
async fn nothing_shown(world: World) -> Verdict {
    let id = world.budget(&[("cost", 10, 5), ("calls", 0, 0)]).await?;
    let execution = world.execution_id();
    let way = Way::Spend(execution.clone());
    for amount in [6, 9] {
        let key = amount.to_string();
        world.report(&way, &id, &[("cost", amount), ("calls", 1)], Some(&key)).await?;
    }
    world.counts(&Way::Operator, &id, &[("calls", 3)]).await?;
    let before = world.status(&id).await?;
    for _ in 0..2 {
        world.counted(&id).await?;
        expect_eq!(world.status(&id).await?, before, "what is shown");
    }
    let again = world.report(&way, &id, &[("cost", 1)], Some("6")).await?;
    expect_eq!(again, ReportUsageResult::AlreadyApplied, "the key is kept");
    world.give_back(&id, &execution).await?;
    world.expect_usage(&id, &[("calls", 3), ("cost", 0)], "the name is kept").await
}

/// What was counted before a reset, of two budgets of three.
#[case(BUD_026)]
async fn budgets_over(world: World) -> Verdict {
    let ids = [world.budget(&[]).await?, world.budget(&[]).await?, world.budget(&[]).await?];
    for (number, id) in (0..).zip(&ids) {
        for _ in 0..300 / (1 + number * 99) {
            world.counts(&Way::Spend(world.execution_id()), id, &[("cost", 1)]).await?;
        }
        expect_eq!(world.counted(id).await?, 0, "nothing is over");
    }
    let mut expected = 0;
    for id in &ids[..2] {
        world.reset(id).await?;
        world.counts(&Way::Spend(world.execution_id()), id, &[("cost", 1)]).await?;
        expected += world.counted(id).await?;
        expect_eq!(world.counted(id).await?, 0, "called again");
    }
    expect_eq!(expected, 2, "one each");
    expect_eq!(world.counted(&ids[2]).await?, 0, "it was not reset");
    Ok(())
}

/// A key, to the millisecond.
#[case(BUD_026, needs(clock))]
async fn keys_over(world: World) -> Verdict {
    let id = world.budget(&[]).await?;
    world.report(&Way::Operator, &id, &[("cost", 1)], Some("key")).await?;
    for (millis, expected) in [(86_399_999, 0), (1, 1), (0, 0)] {
        world.pass_ms(millis).await?;
        expect_eq!(world.counted(&id).await?, expected, "{millis} ms later");
    }
    Ok(())
}

/// Of another family, and beyond the last.
#[case(BUD_048)]
async fn partitions(world: World) -> Verdict {
    use PartitionFamily::{Budget, Execution, Flow, Quota};
    let count = world.partitions();
    let invalid = "validation.invalid_input";
    for (family, index) in
        [(Flow, FIRST), (Execution, FIRST), (Quota, FIRST), (Budget, count.num_budget_partitions)]
    {
        let answer =
            world.reconcile_budget_counters(Partition { family, index }, CALLERS_NOW).await;
        expect_refused!(answer, invalid, "budgets of {family:?} {index}");
    }
    for (family, index) in
        [(Flow, FIRST), (Execution, FIRST), (Budget, FIRST), (Quota, count.num_quota_partitions)]
    {
        let answer = world.reconcile_quota_counters(Partition { family, index }, CALLERS_NOW).await;
        expect_refused!(answer, invalid, "quotas of {family:?} {index}");
    }
    Ok(())
}

/// With places in the window, and executions that are admitted.
#[case(QUO_016)]
async fn nothing_answered(world: World) -> Verdict {
    let policy = world.quota(world.quota_args()).await?;
    let first = world.asking(2, 2);
    world.admitted(&policy, first.clone()).await?;
    world.admitted(&policy, world.asking(2, 2)).await?;
    for _ in 0..2 {
        world.counted_of(&policy).await?;
        let again = world.admission(&policy, &first).await?;
        expect_eq!(again, CheckAdmissionResult::AlreadyAdmitted, "it is admitted");
        let third = world.admission(&policy, &world.asking(2, 0)).await?;
        let is_full = matches!(third, CheckAdmissionResult::RateExceeded { .. });
        expect!(is_full, "two places are taken, not {third:?}");
        let third = world.admission(&policy, &world.asking(0, 2)).await?;
        expect_eq!(third, CheckAdmissionResult::ConcurrencyExceeded, "two are admitted");
    }
    Ok(())
}

/// Admissions and places that end one after the other.
#[case(QUO_017, needs(clock))]
async fn quotas_over(world: World) -> Verdict {
    let mut args = world.quota_args();
    args.window_seconds = 2;
    let policy = world.quota(args).await?;
    let asking = || CheckAdmissionArgs { window_seconds: 1, ..world.asking(9, 0) };
    world.admitted(&policy, asking()).await?;
    world.pass_ms(500).await?;
    let second = asking();
    world.admitted(&policy, second.clone()).await?;
    world.leave(&policy, &second.execution_id).await?;
    // The first ends, then the places leave the policy's window.
    for (millis, expected) in [(499, 0), (1, 1), (999, 0), (1, 1), (499, 0), (1, 1), (9_000, 0)] {
        world.pass_ms(millis).await?;
        expect_eq!(world.counted_of(&policy).await?, expected, "{millis} ms later");
        expect_eq!(world.counted_of(&policy).await?, 0, "called again");
    }
    Ok(())
}
