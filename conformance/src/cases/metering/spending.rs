//! What was counted in an execution's name, and taking it back.

use ff_core::contracts::ReportUsageResult;

use crate::stage::{Verdict, Way, World, case};

/// Of an execution that is not there.
#[case(BUD_017)]
async fn spent(world: World) -> Verdict {
    let id = world.budget(&[("cost", 10, 5)]).await?;
    let way = Way::Spend(world.execution_id());
    world.counts(&way, &id, &[("cost", 2), ("other", 1)]).await?;
    let told = world.report(&way, &id, &[("cost", 4)], None).await?;
    expect!(matches!(told, ReportUsageResult::SoftBreach { .. }), "it is limited, not {told:?}");
    world.expect_usage(&id, &[("cost", 6), ("other", 1)], "the spend").await
}

/// One execution of two, with what others reported.
#[case(BUD_018)]
async fn released(world: World) -> Verdict {
    let id = world.budget(&[("cost", 20, 0)]).await?;
    let (one, other) = (world.execution_id(), world.execution_id());
    let spends = [(&one, 3), (&other, 4), (&one, 2)];
    for (execution, amount) in spends {
        let way = Way::Spend(execution.clone());
        world.counts(&way, &id, &[("cost", amount), ("calls", 1)]).await?;
    }
    world.counts(&Way::Operator, &id, &[("cost", 5)]).await?;
    world.give_back(&id, &one).await?;
    world.expect_usage(&id, &[("calls", 1), ("cost", 9)], "the one is released").await?;
    world.give_back(&id, &other).await?;
    world.expect_usage(&id, &[("calls", 0), ("cost", 5)], "both are released").await?;
    world.counts(&Way::Operator, &id, &[("cost", 15)]).await
}

/// Under a handle, and by an operator.
#[case(BUD_042)]
async fn in_whose_name(world: World) -> Verdict {
    let id = world.budget(&[]).await?;
    let (execution, handle) = world.claimed().await?;
    world.counts(&Way::Attempt(handle), &id, &[("cost", 3)]).await?;
    world.counts(&Way::Operator, &id, &[("cost", 4)]).await?;
    world.expect_usage(&id, &[("cost", 7)], "both are counted").await?;
    world.give_back(&id, &execution).await?;
    world.expect_usage(&id, &[("cost", 4)], "what was counted in its name").await
}

/// Twice, of nobody, and of no budget.
#[case(BUD_019)]
async fn nothing_to_release(world: World) -> Verdict {
    let id = world.budget(&[]).await?;
    let execution = world.execution_id();
    let way = Way::Spend(execution.clone());
    world.give_back(&id, &execution).await?;
    world.counts(&way, &id, &[("cost", 3)]).await?;
    world.counts(&Way::Operator, &id, &[("cost", 4)]).await?;
    world.give_back(&id, &world.execution_id()).await?;
    world.expect_usage(&id, &[("cost", 7)], "nothing was counted for another").await?;
    for _ in 0..2 {
        world.give_back(&id, &execution).await?;
        world.expect_usage(&id, &[("cost", 4)], "it is released once").await?;
    }
    let unknown = world.budget_id();
    world.give_back(&unknown, &execution).await?;
    expect_refused!(world.status(&unknown).await, "not_found.budget", "it is not defined");
    Ok(())
}

/// What was counted before, after, and both.
#[case(BUD_021)]
async fn after_a_reset(world: World) -> Verdict {
    let id = world.budget(&[]).await?;
    let (before, both) = (world.execution_id(), world.execution_id());
    for execution in [&before, &both] {
        world.counts(&Way::Spend(execution.clone()), &id, &[("cost", 5)]).await?;
    }
    world.reset(&id).await?;
    world.counts(&Way::Operator, &id, &[("cost", 20)]).await?;
    world.counts(&Way::Spend(both.clone()), &id, &[("cost", 2)]).await?;
    world.give_back(&id, &before).await?;
    world.expect_usage(&id, &[("cost", 22)], "it was over").await?;
    world.give_back(&id, &both).await?;
    world.expect_usage(&id, &[("cost", 20)], "only what came after").await
}

/// A breach of each kind, and a key.
#[case(BUD_044)]
async fn what_stays(world: World) -> Verdict {
    let id = world.budget(&[("cost", 10, 1)]).await?;
    let execution = world.execution_id();
    let way = Way::Spend(execution.clone());
    for (amount, key) in [(2, "counted"), (9, "refused")] {
        world.report(&way, &id, &[("cost", amount)], Some(key)).await?;
    }
    let mut before = world.status(&id).await?;
    world.give_back(&id, &execution).await?;
    before.usage.insert("cost".to_owned(), 0);
    expect_eq!(world.status(&id).await?, before, "all but the usage");
    let again = world.report(&way, &id, &[("cost", 2)], Some("counted")).await?;
    expect_eq!(again, ReportUsageResult::AlreadyApplied, "the key");
    Ok(())
}
