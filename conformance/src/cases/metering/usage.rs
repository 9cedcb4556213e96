//! Counting usage against a budget, and its limits.

use std::collections::BTreeSet;

use ff_core::backend::UsageDimensions;
use ff_core::call::Method;
use ff_core::contracts::{ReportUsageAdminArgs, ReportUsageResult};
use ff_core::engine_backend::EngineBackend;
use ff_core::types::BudgetId;

use crate::stage::{CALLERS_NOW, Failure, Verdict, Way, World, case};

/// The largest number that travels.
const MOST: u64 = (1 << 53) - 1;

fn hard_breach(dimension: &str, current_usage: u64, hard_limit: u64) -> ReportUsageResult {
    ReportUsageResult::HardBreach { current_usage, dimension: dimension.to_owned(), hard_limit }
}

fn soft_breach(dimension: &str, current_usage: u64, soft_limit: u64) -> ReportUsageResult {
    ReportUsageResult::SoftBreach { current_usage, dimension: dimension.to_owned(), soft_limit }
}

/// What limit of which dimension was passed; nothing if none was.
fn limit_of(result: &ReportUsageResult) -> Option<(&str, u64)> {
    match result {
        ReportUsageResult::HardBreach { dimension, hard_limit: limit, .. }
        | ReportUsageResult::SoftBreach { dimension, soft_limit: limit, .. } => {
            Some((dimension, *limit))
        }
        _ => None,
    }
}

fn is_hard(result: &ReportUsageResult) -> bool {
    matches!(result, ReportUsageResult::HardBreach { .. })
}

impl World {
    /// Asserts that a report in every way is refused with this code, and counts nothing.
    async fn expect_refused_report(
        &self,
        budget: &BudgetId,
        amounts: &[(&str, u64)],
        what: &str,
    ) -> Verdict {
        let before = self.usage(budget).await?;
        for way in self.ways().await? {
            let answer = self.report(&way, budget, amounts, Some("refused")).await;
            let method = way.method().as_str();
            expect_refused!(answer, "validation.invalid_input", "{what} by {method}");
            expect_eq!(self.usage(budget).await?, before, "what is counted by {method}");
        }
        Ok(())
    }
}

/// In every way, and defined afterwards.
#[case(BUD_006)]
async fn undefined(world: World) -> Verdict {
    for way in world.ways().await? {
        let mut args = world.budget_args(&[("cost", 5, 0)]);
        let id = args.budget_id;
        for _ in 0..2 {
            world.counts(&way, &id, &[("cost", 50), ("other", 1)]).await?;
        }
        expect_refused!(world.status(&id).await, "not_found.budget", "it is not defined");
        args.scope_id = "late".to_owned();
        world.define(args).await?;
        world.expect_usage(&id, &[("cost", 100), ("other", 2)], "what was counted").await?;
    }
    Ok(())
}

/// All of them, none of them, and some beside custom dimensions.
#[case(BUD_007)]
async fn built_in(world: World) -> Verdict {
    let (_, handle) = world.claimed().await?;
    let id = world.budget(&[("output_tokens", 10, 0)]).await?;
    let usage = UsageDimensions::new().with_input_tokens(1).with_output_tokens(2).with_wall_ms(3);
    let mut custom = usage.clone().with_wall_ms(0);
    custom.custom.insert("cost".to_owned(), 4);
    for usage in [usage, UsageDimensions::new(), custom] {
        let told = world.report_usage(&handle, &id, usage).await?;
        expect_eq!(told, ReportUsageResult::Ok, "there is room");
    }
    let expected = [("cost", 4), ("input_tokens", 2), ("output_tokens", 4), ("wall_ms", 3)];
    world.expect_usage(&id, &expected, "what was counted").await?;
    let told =
        world.report_usage(&handle, &id, UsageDimensions::new().with_output_tokens(7)).await?;
    expect_eq!(limit_of(&told), Some(("output_tokens", 10)), "they are limited");
    Ok(())
}

/// Whether or not the counter is reported as well.
#[case(BUD_036)]
async fn reserved(world: World) -> Verdict {
    let (_, handle) = world.claimed().await?;
    let id = world.budget(&[]).await?;
    for name in ["input_tokens", "output_tokens", "wall_ms"] {
        let mut usage = UsageDimensions::new();
        usage.custom.insert(name.to_owned(), 1);
        let answer = world.report_usage(&handle, &id, usage).await;
        expect_refused!(answer, "validation.invalid_input", "{name}");
    }
    world.expect_usage(&id, &[], "nothing is counted").await
}

/// After the end, after a loss, and while it is suspended.
#[case(BUD_008)]
async fn without_a_lease(world: World) -> Verdict {
    let id = world.budget(&[]).await?;
    let (_, ended) = world.claimed().await?;
    world.complete(&ended, None).await.map_err(Failure::setup_refused)?;
    let (lost_id, lost) = world.claimed().await?;
    world.revoke_lease(crate::stage::revocation(&lost_id)).await.map_err(Failure::setup_refused)?;
    let mut handles = vec![ended, lost];
    handles.push(world.suspended().await?.handle);
    for (before, handle) in (0..).zip(handles) {
        world.counts(&Way::Attempt(handle), &id, &[("cost", 1)]).await?;
        world.expect_usage(&id, &[("cost", before + 1)], "it was used").await?;
    }
    Ok(())
}

/// With names that are built-in counters elsewhere.
#[case(BUD_037)]
async fn by_operators(world: World) -> Verdict {
    let id = world.budget(&[]).await?;
    let amounts = [("wall_ms", 3), ("input_tokens", 1), ("cost", 2)];
    for _ in 0..2 {
        world.counts(&Way::Operator, &id, &amounts).await?;
    }
    let expected = [("cost", 4), ("input_tokens", 2), ("wall_ms", 6)];
    world.expect_usage(&id, &expected, "each in its place").await
}

/// Too few, too many and the same twice.
#[case(BUD_009)]
async fn in_place(world: World) -> Verdict {
    let id = world.budget(&[]).await?;
    for (names, deltas) in
        [(&["a", "b"][..], &[1][..]), (&["a"], &[1, 1]), (&["a", "a"], &[1, 1]), (&[], &[1])]
    {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let args = ReportUsageAdminArgs::new(names, deltas.to_vec(), CALLERS_NOW);
        let answer = world.report_usage_admin(&id, args.clone()).await;
        expect_refused!(answer, "validation.invalid_input", "{args:?}");
    }
    world.expect_usage(&id, &[], "nothing is counted").await
}

/// Dimensions and deltas that no report has.
#[case(BUD_028)]
async fn arguments(world: World) -> Verdict {
    let id = world.budget(&[]).await?;
    let names: Vec<String> = (0..65).map(|number| format!("{number:0256}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), 1)).collect();
    let long = "d".repeat(257);
    for (what, amounts) in [
        ("65 dimensions", &many[..]),
        ("no name", &[("", 1)]),
        ("a long name", &[(long.as_str(), 1)]),
        ("a large delta", &[("d", MOST + 1)]),
    ] {
        world.expect_refused_report(&id, amounts, what).await?;
    }
    for way in world.ways().await? {
        world.counts(&way, &id, &many[1..]).await?;
    }
    Ok(())
}

/// The last that fits, and one more.
#[case(BUD_041)]
async fn ceilings(world: World) -> Verdict {
    let id = world.budget(&[]).await?;
    world.counts(&Way::Operator, &id, &[("a", 1), ("z", MOST - 1)]).await?;
    world.expect_refused_report(&id, &[("a", 1), ("z", 2)], "beyond 2^53 - 1").await?;
    world.counts(&Way::Operator, &id, &[("z", 1)]).await?;
    let names: Vec<String> = (0..1_022).map(|number| number.to_string()).collect();
    for some in names.chunks(64) {
        let amounts: Vec<_> = some.iter().map(|name| (name.as_str(), 1)).collect();
        world.counts(&Way::Operator, &id, &amounts).await?;
    }
    world.expect_refused_report(&id, &[("0", 1), ("one more", 1)], "1 025 dimensions").await?;
    world.counts(&Way::Operator, &id, &[("0", 1)]).await
}

/// Up to a limit, and beyond it in one dimension of three.
#[case(BUD_010)]
async fn hard(world: World) -> Verdict {
    for way in world.ways().await? {
        let id = world.budget(&[("cost", 10, 0), ("calls", 3, 0)]).await?;
        world.counts(&way, &id, &[("cost", 10), ("calls", 2)]).await?;
        for amounts in
            [[("cost", 1), ("calls", 1), ("other", 1)], [("cost", 0), ("calls", 2), ("a", 9)]]
        {
            let told = world.report(&way, &id, &amounts, None).await?;
            let limit = if amounts[0].1 > 0 { ("cost", 10) } else { ("calls", 3) };
            expect!(is_hard(&told), "{amounts:?} do not fit, not {told:?}");
            expect_eq!(limit_of(&told), Some(limit), "the limit");
            let expected = [("calls", 2), ("cost", 10)];
            world.expect_usage(&id, &expected, "nothing is counted").await?;
        }
        world.counts(&way, &id, &[("calls", 1)]).await?;
    }
    Ok(())
}

/// Two, with one that is counted between them.
#[case(BUD_038)]
async fn breaches(world: World) -> Verdict {
    for way in world.ways().await? {
        let id = world.budget(&[("cost", 10, 0), ("calls", 3, 0)]).await?;
        for (number, dimension) in (1..).zip(["cost", "calls"]) {
            world.report(&way, &id, &[(dimension, 11)], None).await?;
            let breached = world.now();
            world.counts(&way, &id, &[("calls", 1)]).await?;
            let status = world.status(&id).await?;
            expect_eq!(status.breach_count, number, "the breaches");
            expect_eq!(status.last_breach_dim.as_deref(), Some(dimension), "of the last");
            let at = status.last_breach_at.and_then(|text| text.parse().ok());
            let at = at.map(ff_core::types::TimestampMs);
            expect_eq!(at.map(|at| world.snap(at, breached)), Some(breached), "when it was");
            world.pass_ms(5).await?;
        }
    }
    Ok(())
}

/// Before and after the report; of several, whatever comes first in it.
#[case(BUD_039)]
async fn told(world: World) -> Verdict {
    for way in world.ways().await? {
        let id = world.budget(&[("b", 10, 4), ("a", 10, 4), ("é", 10, 4)]).await?;
        let told = world.report(&way, &id, &[("é", 5), ("b", 6), ("a", 5)], None).await?;
        expect_eq!(told, soft_breach("a", 5, 4), "the first soft limit");
        let told = world.report(&way, &id, &[("é", 7), ("b", 8), ("a", 1)], None).await?;
        expect_eq!(told, hard_breach("b", 6, 10), "the first hard limit");
        let told = world.report(&way, &id, &[("é", 6)], None).await?;
        expect_eq!(told, hard_breach("é", 5, 10), "the only one");
    }
    Ok(())
}

/// Up to a limit, beyond it, and further.
#[case(BUD_011)]
async fn soft(world: World) -> Verdict {
    for way in world.ways().await? {
        let id = world.budget(&[("cost", 0, 5), ("calls", 0, 1)]).await?;
        world.counts(&way, &id, &[("cost", 5)]).await?;
        for (number, used) in [(1, 6), (2, 7)] {
            let told = world.report(&way, &id, &[("cost", 1), ("calls", 2)], None).await?;
            expect!(!is_hard(&told) && limit_of(&told).is_some(), "it is passed, not {told:?}");
            let status = world.status(&id).await?;
            expect_eq!(status.soft_breach_count, number, "each report once");
            let calls = 2 * number;
            world.expect_usage(&id, &[("calls", calls), ("cost", used)], "it is counted").await?;
        }
        let told = world.report(&way, &id, &[("cost", 1)], None).await?;
        expect_eq!(limit_of(&told), Some(("cost", 5)), "the limit of what is reported");
        world.counts(&way, &id, &[("other", 1)]).await?;
    }
    Ok(())
}

/// Beside a hard one that is the last, or none.
#[case(BUD_043)]
async fn soft_alone(world: World) -> Verdict {
    for way in world.ways().await? {
        let id = world.budget(&[("cost", 10, 5)]).await?;
        world.report(&way, &id, &[("cost", 6)], None).await?;
        let status = world.status(&id).await?;
        let told = (status.breach_count, status.last_breach_at, status.last_breach_dim);
        expect_eq!(told, (0, None, None), "no breach");
    }
    Ok(())
}

/// Before and after the limit is passed by a definition that comes late.
#[case(BUD_013)]
async fn nothing(world: World) -> Verdict {
    for way in world.ways().await? {
        let mut args = world.budget_args(&[("cost", 5, 0)]);
        args.budget_id = world.budget_id();
        let id = args.budget_id;
        world.counts(&way, &id, &[("cost", 6), ("zero", 0)]).await?;
        world.define(args).await?;
        world.expect_usage(&id, &[("cost", 6), ("zero", 0)], "0 is counted").await?;
        world.counts(&way, &id, &[]).await?;
        let told = world.report(&way, &id, &[("cost", 0)], None).await?;
        expect!(is_hard(&told), "the limit is passed, not {told:?}");
    }
    Ok(())
}

/// The same again, something else, and in another budget.
#[case(BUD_014)]
async fn repeated(world: World) -> Verdict {
    for way in world.ways().await? {
        let (id, other) = (world.budget(&[("cost", 10, 0)]).await?, world.budget(&[]).await?);
        let told = world.report(&way, &id, &[("cost", 1)], Some("key")).await?;
        expect_eq!(told, ReportUsageResult::Ok, "it is counted");
        let before = world.status(&id).await?;
        for amounts in [&[("cost", 1)][..], &[("cost", 99)], &[("other", 1)], &[]] {
            let told = world.report(&way, &id, amounts, Some("key")).await?;
            expect_eq!(told, ReportUsageResult::AlreadyApplied, "{amounts:?}");
            expect_eq!(world.status(&id).await?, before, "what is shown");
        }
        for (budget, key) in [(id, "another"), (other, "key")] {
            let told = world.report(&way, &budget, &[("cost", 1)], Some(key)).await?;
            expect_eq!(told, ReportUsageResult::Ok, "another key or budget");
        }
    }
    Ok(())
}

/// By another method, after a refusal, a reset and a release, and without a key.
#[case(BUD_040)]
async fn keys(world: World) -> Verdict {
    let ways = world.ways().await?;
    for way in &ways {
        let id = world.budget(&[("cost", 10, 0)]).await?;
        for _ in 0..2 {
            let told = world.report(way, &id, &[("cost", 11)], Some("key")).await?;
            expect!(is_hard(&told), "it is refused again, not {told:?}");
        }
        let told = world.report(way, &id, &[("cost", 10)], Some("key")).await?;
        expect_eq!(told, ReportUsageResult::Ok, "the key is free");
        world.reset(&id).await?;
        if let Way::Spend(execution) = way {
            world.give_back(&id, execution).await?;
        }
        for other in &ways {
            let told = world.report(other, &id, &[("cost", 1)], Some("key")).await?;
            expect_eq!(told, ReportUsageResult::AlreadyApplied, "by {}", other.method().as_str());
        }
        for _ in 0..2 {
            let told = world.report(way, &id, &[("cost", 1)], Some("")).await?;
            expect_eq!(told, ReportUsageResult::Ok, "an empty key is none");
        }
    }
    Ok(())
}

/// To the millisecond.
#[case(BUD_040, needs(clock))]
async fn keys_end(world: World) -> Verdict {
    for way in world.ways().await? {
        let id = world.budget(&[]).await?;
        let report = || world.report(&way, &id, &[("cost", 1)], Some("key"));
        expect_eq!(report().await?, ReportUsageResult::Ok, "it is new");
        for (millis, expected) in
            [(86_399_999, ReportUsageResult::AlreadyApplied), (1, ReportUsageResult::Ok)]
        {
            world.pass_ms(millis).await?;
            expect_eq!(report().await?, expected, "{millis} ms later");
        }
        expect_eq!(report().await?, ReportUsageResult::AlreadyApplied, "it is kept anew");
    }
    Ok(())
}

/// 32 at once, each key twice, up to a hard limit.
#[case(BUD_015, needs(concurrency))]
async fn at_once(world: World) -> Verdict {
    const EACH: usize = 10;
    let ways = world.ways().await?;
    let id = world.budget(&[("cost", 200, 0), ("calls", 0, 100)]).await?;
    let tasks = |world: World, number: usize| {
        let way = ways[number % ways.len()].clone();
        async move {
            let mut counted = Vec::new();
            for report in 0..EACH {
                // Two tasks have the same keys, in other ways and orders.
                let report = if number.is_multiple_of(2) { report } else { EACH - 1 - report };
                let key = format!("{}.{report}", number / 2);
                let amounts = [("cost", 1 + report as u64 % 3), ("calls", 1)];
                match world.report(&way, &id, &amounts, Some(&key)).await? {
                    ReportUsageResult::Ok | ReportUsageResult::SoftBreach { .. } => {
                        counted.push((key, amounts[0].1));
                    }
                    _ => {}
                }
            }
            Ok::<_, Failure>(counted)
        }
    };
    let mut counted = Vec::new();
    for task in world.at_once(32, tasks).await? {
        counted.extend(task?);
    }
    let cost: u64 = counted.iter().map(|(_, cost)| cost).sum();
    let calls = counted.len() as u64;
    let keys: BTreeSet<_> = counted.iter().map(|(key, _)| key).collect();
    expect_eq!(keys.len() as u64, calls, "each key once");
    // What is refused would have passed it, and has at most 3.
    expect!((198..=200).contains(&cost), "the limit of 200 is reached, with {cost}");
    world.expect_usage(&id, &[("calls", calls), ("cost", cost)], "the sum").await?;
    let status = world.status(&id).await?;
    expect_eq!(status.soft_breach_count, calls.saturating_sub(100), "each that passed 100 calls");
    Ok(())
}

/// Dimensions that no definition has, which many report at once.
#[case(BUD_015, needs(concurrency))]
async fn new_at_once(world: World) -> Verdict {
    if !world.claims(Method::RecordSpend) {
        return Ok(());
    }
    let id = world.budget_id();
    let tasks = |world: World, number: usize| async move {
        let way = Way::Spend(world.execution_id());
        for name in ["a", "b", "c"] {
            world.counts(&way, &id, &[(name, 1), ("all", number as u64)]).await?;
        }
        Ok::<_, Failure>(())
    };
    world.at_once(16, tasks).await?.into_iter().collect::<Result<(), _>>()?;
    let mut args = world.budget_args(&[]);
    args.budget_id = id;
    world.define(args).await?;
    let expected = [("a", 16), ("all", 3 * 120), ("b", 16), ("c", 16)];
    world.expect_usage(&id, &expected, "nothing is lost").await
}
