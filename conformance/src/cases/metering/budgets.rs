//! Budgets: their definitions, and what they show.

use std::collections::BTreeMap;

use ff_core::contracts::{BudgetStatus, CreateBudgetArgs, CreateBudgetResult};
use ff_core::engine_backend::EngineBackend;
use ff_core::types::{BudgetId, TimestampMs};

use crate::stage::{Failure, Verdict, Way, World, case, in_order};

/// Limits of three kinds.
const LIMITS: [(&str, u64, u64); 3] = [("cost", 10, 5), ("tokens", 0, 7), ("calls", 3, 0)];

impl World {
    /// Asserts that a time is shown as decimal milliseconds.
    fn expect_shown_at(
        &self,
        shown: Option<&String>,
        expected: TimestampMs,
        what: &str,
    ) -> Verdict {
        let parsed = shown.and_then(|text| text.parse().ok()).map(TimestampMs);
        let Some(at) = parsed.filter(|at| shown.is_some_and(|text| *text == at.0.to_string()))
        else {
            return Err(Failure::new(format!("{what} is decimal milliseconds, not {shown:?}")));
        };
        self.expect_time(at, expected, what)
    }

    /// Defines a budget that has counted, with one breach of each kind.
    async fn breached(&self) -> Result<BudgetId, Failure> {
        let budget = self.budget(&LIMITS).await?;
        for amount in [6, 5] {
            self.report(&Way::Operator, &budget, &[("cost", amount)], None).await?;
        }
        Ok(budget)
    }
}

/// What was reported before stays.
#[case(BUD_004)]
async fn created(world: World) -> Verdict {
    let args = world.budget_args(&LIMITS);
    let id = args.budget_id;
    world.counts(&Way::Operator, &id, &[("cost", 3), ("other", 1)]).await?;
    world.define(args).await?;
    let status = world.status(&id).await?;
    expect_eq!(in_order(&status.usage), [("cost", 3), ("other", 1)], "what was counted");
    expect_eq!((status.breach_count, status.soft_breach_count), (0, 0), "no breach");
    expect_eq!((status.last_breach_at, status.last_breach_dim), (None, None), "no last breach");
    Ok(())
}

/// Every field, of two budgets.
#[case(BUD_030)]
async fn shown(world: World) -> Verdict {
    for (scope, limits) in [("a", &LIMITS[..]), ("b", &LIMITS[1..])] {
        let mut args = world.budget_args(limits);
        args.scope_id = format!("{scope} id");
        args.scope_type = format!("{scope} type");
        args.enforcement_mode = format!("{scope} mode");
        world.define(args.clone()).await?;
        let status = world.status(&args.budget_id).await?;
        let told =
            [&status.budget_id, &status.scope_id, &status.scope_type, &status.enforcement_mode];
        let id = args.budget_id.to_string();
        let given = [&id, &args.scope_id, &args.scope_type, &args.enforcement_mode];
        expect_eq!(told, given, "what it is for");
        let mut hard: Vec<_> = limits.iter().map(|(name, hard, _)| (*name, *hard)).collect();
        let mut soft: Vec<_> = limits.iter().map(|(name, _, soft)| (*name, *soft)).collect();
        hard.sort_unstable();
        soft.sort_unstable();
        expect_eq!(in_order(&status.hard_limits), hard, "the hard limits");
        expect_eq!(in_order(&status.soft_limits), soft, "the soft limits");
    }
    Ok(())
}

/// With everything different.
#[case(BUD_005)]
async fn defined_once(world: World) -> Verdict {
    let id = world.breached().await?;
    let before = world.status(&id).await?;
    let mut again = world.budget_args(&[("other", 1, 1)]);
    again.budget_id = id;
    again.scope_id = "another".to_owned();
    again.reset_interval_ms = 1_000;
    let answer = world.create_budget(again).await?;
    expect_eq!(answer, CreateBudgetResult::AlreadySatisfied { budget_id: id }, "it is defined");
    expect_eq!(world.status(&id).await?, before, "what is shown of it");
    Ok(())
}

/// Eight at once.
#[case(BUD_005, needs(concurrency))]
async fn defined_at_once(world: World) -> Verdict {
    let args = world.budget_args(&LIMITS);
    let id = args.budget_id;
    let define = |world: World, number: usize| {
        let mut args = args.clone();
        args.scope_id = number.to_string();
        async move { world.create_budget(args).await }
    };
    let mut created = Vec::new();
    for (number, answer) in world.at_once(8, define).await?.into_iter().enumerate() {
        if answer? == (CreateBudgetResult::Created { budget_id: id }) {
            created.push(number.to_string());
        }
    }
    expect_eq!(created, [world.status(&id).await?.scope_id], "the one that is new");
    Ok(())
}

/// Dimensions and numbers that no budget has.
#[case(BUD_002)]
async fn arguments(world: World) -> Verdict {
    type Spoil = fn(&mut CreateBudgetArgs);
    let bad: [(&str, Spoil); 6] = [
        ("no name", |args| args.dimensions[0].clear()),
        ("a long name", |args| args.dimensions[0] = "d".repeat(257)),
        ("a name twice", |args| args.dimensions[0] = args.dimensions[1].clone()),
        ("a hard limit", |args| args.hard_limits[0] = 1 << 53),
        ("a soft limit", |args| args.soft_limits[0] = 1 << 53),
        ("an interval", |args| args.reset_interval_ms = 1 << 53),
    ];
    for (what, spoil) in bad {
        let mut args = world.budget_args(&LIMITS);
        spoil(&mut args);
        let id = args.budget_id;
        expect_refused!(world.create_budget(args).await, "validation.invalid_input", "{what}");
        expect_refused!(world.status(&id).await, "not_found.budget", "{what}");
    }
    for (count, is_accepted) in [(64, true), (65, false)] {
        let names: Vec<String> = (0..count).map(|n| format!("{n:0256}")).collect();
        let limits: Vec<_> = names.iter().map(|name| (name.as_str(), (1 << 53) - 1, 1)).collect();
        let answer = world.create_budget(world.budget_args(&limits)).await;
        if is_accepted {
            answer?;
        } else {
            expect_refused!(answer, "validation.invalid_input", "{count} dimensions");
        }
    }
    Ok(())
}

/// Too few and too many limits, and limits of 0.
#[case(BUD_003)]
async fn limits(world: World) -> Verdict {
    type Spoil = fn(&mut CreateBudgetArgs);
    let bad: [(&str, Spoil); 4] = [
        ("a hard limit too few", |args| args.hard_limits.truncate(2)),
        ("a hard limit too many", |args| args.hard_limits.push(1)),
        ("a soft limit too few", |args| args.soft_limits.truncate(2)),
        ("a soft limit too many", |args| args.soft_limits.push(1)),
    ];
    for (what, spoil) in bad {
        let mut args = world.budget_args(&LIMITS);
        spoil(&mut args);
        expect_refused!(world.create_budget(args).await, "validation.invalid_input", "{what}");
    }
    let budget = world.budget(&[("free", 0, 0), ("late", 5, 9)]).await?;
    world.counts(&Way::Operator, &budget, &[("free", 1 << 40), ("late", 5)]).await
}

/// With an interval and without.
#[case(BUD_031)]
async fn times(world: World) -> Verdict {
    for interval in [0, 60_000] {
        let mut args = world.budget_args(&LIMITS);
        args.reset_interval_ms = interval;
        let id = world.define(args).await?;
        let created = world.now();
        let status = world.status(&id).await?;
        world.expect_shown_at(status.created_at.as_ref(), created, "the creation")?;
        expect_eq!(status.last_breach_at, None, "no breach");
        world.pass_ms(5).await?;
        world.report(&Way::Operator, &id, &[("cost", 11)], None).await?;
        let status = world.status(&id).await?;
        world.expect_shown_at(status.last_breach_at.as_ref(), world.now(), "the breach")?;
        world.expect_shown_at(status.created_at.as_ref(), created, "the creation")?;
        if interval == 0 {
            expect_eq!(status.next_reset_at, None, "no reset");
        } else {
            let next = TimestampMs(created.0 + 60_000);
            world.expect_shown_at(status.next_reset_at.as_ref(), next, "the next reset")?;
        }
    }
    Ok(())
}

/// In dimensions with and without a limit.
#[case(BUD_020)]
async fn reset(world: World) -> Verdict {
    let id = world.budget(&LIMITS).await?;
    let before = world.status(&id).await?;
    for _ in 0..2 {
        world.counts(&Way::Operator, &id, &[("calls", 3), ("other", 2)]).await?;
        world.reset(&id).await?;
        let status = world.status(&id).await?;
        expect_eq!(in_order(&status.usage), [("calls", 0), ("other", 0)], "the usage");
        expect_eq!(BudgetStatus { usage: before.usage.clone(), ..status }, before, "the rest");
    }
    Ok(())
}

/// Once after a breach of each kind.
#[case(BUD_032)]
async fn reset_breaches(world: World) -> Verdict {
    let id = world.breached().await?;
    let status = world.status(&id).await?;
    expect_eq!((status.breach_count, status.soft_breach_count), (1, 1), "the breaches");
    world.reset(&id).await?;
    let status = world.status(&id).await?;
    expect_eq!((status.breach_count, status.soft_breach_count), (1, 1), "the breaches stay");
    expect_eq!((status.last_breach_at, status.last_breach_dim), (None, None), "the last does not");
    Ok(())
}

/// Twice, long before it is due.
#[case(BUD_033)]
async fn next_reset(world: World) -> Verdict {
    let mut args = world.budget_args(&LIMITS);
    args.reset_interval_ms = 60_000;
    let id = world.define(args).await?;
    for _ in 0..2 {
        world.pass_ms(5).await?;
        let next = world.reset(&id).await?;
        world.expect_time(next, world.due_in_ms(60_000), "the next reset")?;
        let shown = world.status(&id).await?.next_reset_at;
        expect_eq!(shown, Some(next.0.to_string()), "the next reset is shown");
    }
    let without = world.budget(&LIMITS).await?;
    expect_eq!(world.reset(&without).await?, TimestampMs(0), "without an interval");
    Ok(())
}

/// Resets while others report two dimensions alike.
#[case(BUD_022, needs(concurrency))]
async fn reset_meanwhile(world: World) -> Verdict {
    let id = world.budget(&[("one", 0, 0), ("other", 0, 0)]).await?;
    let tasks = |world: World, number: usize| async move {
        let way =
            if number.is_multiple_of(2) { Way::Operator } else { Way::Spend(world.execution_id()) };
        for _ in 0..10 {
            if number == 0 {
                world.reset(&id).await?;
            } else {
                world.counts(&way, &id, &[("one", 1), ("other", 1)]).await?;
            }
        }
        Ok::<_, Failure>(())
    };
    world.at_once(5, tasks).await?.into_iter().collect::<Result<(), _>>()?;
    let usage = world.usage(&id).await?;
    let (one, other) = (usage.get("one"), usage.get("other"));
    expect_eq!(one, other, "each report is whole");
    expect!(one.is_some_and(|used| *used <= 40), "{one:?} of 40 are left");
    Ok(())
}

/// Unknown, and known by reports alone.
#[case(BUD_034)]
async fn unknown(world: World) -> Verdict {
    let reported = world.budget_id();
    world.counts(&Way::Operator, &reported, &[("cost", 1)]).await?;
    for id in [world.budget_id(), reported] {
        expect_refused!(world.status(&id).await, "not_found.budget", "a status");
        expect_refused!(world.reset(&id).await, "not_found.budget", "a reset");
        let mut args = world.budget_args(&[("cost", 0, 0)]);
        args.budget_id = id;
        world.define(args).await?;
    }
    world.expect_usage(&reported, &[("cost", 1)], "it is not reset").await
}

/// Limited and not, counted and not.
#[case(BUD_023)]
async fn usage(world: World) -> Verdict {
    let id = world.budget(&LIMITS).await?;
    world.expect_usage(&id, &[], "nothing is counted").await?;
    world.counts(&Way::Operator, &id, &[("other", 2)]).await?;
    world.report(&Way::Operator, &id, &[("cost", 11), ("new", 1)], None).await?;
    world.expect_usage(&id, &[("other", 2)], "one is counted").await
}

/// Without a definition, and without dimensions.
#[case(BUD_024)]
async fn no_limits(world: World) -> Verdict {
    for is_defined in [false, true] {
        let args = world.budget_args(&[]);
        let id = args.budget_id;
        if is_defined {
            world.define(args).await?;
        }
        world.counts(&Way::Operator, &id, &[("cost", 1)]).await?;
        let shown = world.read_budget_usage_and_limits(&id).await?;
        expect!(shown.limits.is_empty() && shown.usage.is_empty(), "{shown:?} is empty");
    }
    Ok(())
}

/// Of each kind.
#[case(BUD_035)]
async fn usage_and_limits(world: World) -> Verdict {
    let id = world.budget(&LIMITS).await?;
    world.counts(&Way::Operator, &id, &[("cost", 4), ("other", 2)]).await?;
    let shown = world.read_budget_usage_and_limits(&id).await?;
    let limits = [
        ("hard:calls", "3"),
        ("hard:cost", "10"),
        ("hard:tokens", "0"),
        ("soft:calls", "0"),
        ("soft:cost", "5"),
        ("soft:tokens", "7"),
    ];
    let limits = limits.map(|(name, limit)| (name.to_owned(), limit.to_owned()));
    expect_eq!(shown.limits, BTreeMap::from(limits), "the limits");
    let usage = [("calls", 0), ("cost", 4), ("other", 2), ("tokens", 0)];
    let usage = usage.map(|(name, used)| (name.to_owned(), used));
    expect_eq!(shown.usage, BTreeMap::from(usage), "the usage");
    Ok(())
}
