//! When a suspension ends by signals.

use ff_core::backend::{CompositeBody, ResumeCondition, SignalMatcher, TimeoutBehavior};
use ff_core::contracts::{CountKind, DeliverSignalArgs};
use ff_core::engine_backend::EngineBackend;

use crate::stage::{Suspended, Verdict, World, all_of, any_at, case, count, named_at};

/// A signal: the place of its waitpoint, its name, and its source's type and identity.
type Sent<'a> = (usize, &'a str, &'a str, &'a str);

impl World {
    /// Suspends a new execution with these waitpoints, delivers these signals, and asserts that the last of them
    /// is the one that resumes it.
    async fn expect_met_by(
        &self,
        condition: ResumeCondition,
        keys: &[&str],
        signals: &[Sent<'_>],
    ) -> Verdict {
        let claimed = self.claimed().await?;
        let args = self.suspending(condition.clone(), keys);
        let suspended = self.suspended_by(claimed, args).await?;
        for (number, sent) in signals.iter().enumerate() {
            self.deliver_signal(self.sent(&suspended, *sent)).await?;
            let state = self.field(&suspended.id, "public_state").await?;
            let is_last = number + 1 == signals.len();
            let expected = if is_last { "resumable" } else { "suspended" };
            let what = format!("after {:?} of {condition:?}", &signals[..=number]);
            expect_eq!(state.as_deref(), Some(expected), "{what}");
        }
        Ok(())
    }

    fn sent(
        &self,
        suspended: &Suspended,
        (place, name, kind, source): Sent<'_>,
    ) -> DeliverSignalArgs {
        let targets = suspended.targets();
        DeliverSignalArgs {
            source_type: kind.to_owned(),
            source_identity: source.to_owned(),
            ..self.signal_named(&targets[place], name)
        }
    }
}

fn named(place: usize, name: &str) -> Sent<'_> {
    (place, name, "suite", "tester")
}

fn matching(name: &str, condition: ResumeCondition) -> ResumeCondition {
    match condition {
        ResumeCondition::Composite(CompositeBody::Count { count_kind, n, waitpoints, .. }) => {
            let matcher = Some(SignalMatcher::ByName(name.to_owned()));
            ResumeCondition::Composite(CompositeBody::Count { count_kind, matcher, n, waitpoints })
        }
        other => other,
    }
}

/// Any signal, one of a name, and none at all.
#[case(SUS_012)]
async fn single(world: World) -> Verdict {
    world.sign().await?;
    world.expect_met_by(any_at("a"), &["a"], &[named(0, "x")]).await?;
    let near = ["GO", "go ", "g", "gox", "\u{ff47}o", "go"];
    let near: Vec<Sent<'_>> = near.iter().map(|name| named(0, name)).collect();
    world.expect_met_by(named_at("go", "a"), &["a"], &near).await?;
    let behavior = TimeoutBehavior::Fail;
    for condition in [ResumeCondition::OperatorOnly, ResumeCondition::TimeoutOnly] {
        let claimed = world.claimed().await?;
        let args = world.suspending(condition, &["a"]).with_timeout(world.in_ms(60_000), behavior);
        let suspended = world.suspended_by(claimed, args).await?;
        for name in ["operator_only", "timeout", "approved"] {
            world.deliver_signal(world.sent(&suspended, named(0, name))).await?;
        }
        world.expect_fields(&suspended.id, [("public_state", "suspended")]).await?;
    }
    Ok(())
}

/// In every order, one signal for several parts, and with a part that no signal meets.
#[case(SUS_013)]
async fn all(world: World) -> Verdict {
    world.sign().await?;
    let three = || all_of(vec![named_at("x", "a"), all_of(vec![any_at("b"), named_at("z", "c")])]);
    let (x, y, z) = (named(0, "x"), named(1, "y"), named(2, "z"));
    for signals in [[x, y, z], [z, y, x], [y, x, z]] {
        world.expect_met_by(three(), &["a", "b", "c"], &signals).await?;
    }
    let repeated = [x, x, named(0, "y"), named(2, "x"), y, z];
    world.expect_met_by(three(), &["a", "b", "c"], &repeated).await?;
    let inner = || all_of(vec![all_of(vec![named_at("x", "a"), any_at("b")]), any_at("c")]);
    let deepest = all_of(vec![all_of(vec![inner(), named_at("z", "c")]), any_at("a")]);
    world.expect_met_by(deepest, &["a", "b", "c"], &[z, y, x]).await?;
    let several = all_of(vec![any_at("a"), named_at("x", "a"), all_of(vec![any_at("a")])]);
    world.expect_met_by(several, &["a"], &[x]).await?;
    let claimed = world.claimed().await?;
    let args = world.suspending(all_of(vec![any_at("a"), ResumeCondition::OperatorOnly]), &["a"]);
    let suspended = world.suspended_by(claimed, args).await?;
    world.deliver_signal(world.sent(&suspended, x)).await?;
    world.expect_fields(&suspended.id, [("public_state", "suspended")]).await
}

/// Each kind, with a name and without; counts beside each other.
#[case(SUS_014)]
async fn counts(world: World) -> Verdict {
    world.sign().await?;
    let keys = ["a", "b", "c"];
    let two = |kind| count(2, kind, &keys);
    let waitpoints = [named(0, "x"), named(0, "y"), named(2, "x")];
    world.expect_met_by(two(CountKind::DistinctWaitpoints), &keys, &waitpoints).await?;
    let signals = [named(0, "x"), named(0, "x")];
    world.expect_met_by(two(CountKind::DistinctSignals), &keys, &signals).await?;
    // A pair is not its text.
    let sources = [(0, "x", "a", "bc"), (1, "x", "a", "bc"), (0, "y", "ab", "c")];
    world.expect_met_by(two(CountKind::DistinctSources), &keys, &sources).await?;
    let sources = [(0, "x", "a:b", "c"), (1, "x", "a", "b:c")];
    world.expect_met_by(two(CountKind::DistinctSources), &keys, &sources).await?;

    let by_name = matching("x", two(CountKind::DistinctSignals));
    let signals = [named(0, "y"), named(1, "x"), named(1, "y"), named(1, "x")];
    world.expect_met_by(by_name, &keys, &signals).await?;
    // What one has counted is nothing to the other.
    let beside = all_of(vec![
        matching("x", count(1, CountKind::DistinctSources, &["a"])),
        matching("y", count(1, CountKind::DistinctSources, &["a"])),
    ]);
    world.expect_met_by(beside, &["a"], &[named(0, "x"), named(0, "y")]).await?;
    let more = all_of(vec![
        count(3, CountKind::DistinctSignals, &["a"]),
        count(2, CountKind::DistinctWaitpoints, &["a", "b"]),
    ]);
    let signals = [named(1, "x"), named(0, "x"), named(0, "x"), named(0, "x")];
    world.expect_met_by(more, &["a", "b"], &signals).await
}

/// Others, too few, too many; none with several waitpoints.
#[case(SUS_010)]
async fn other_waitpoints(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let pending = world.pending(&claimed, "early").await?;
    let before = world.observe(&claimed.0).await?;
    let mut wrong = vec![
        world.suspending(any_at("b"), &["a"]),
        world.suspending(any_at("a"), &["a", "b"]),
        world.suspending(all_of(vec![any_at("a"), any_at("b")]), &["a"]),
        world.suspending(ResumeCondition::OperatorOnly, &["a", "b"]),
        world.suspending(count(1, CountKind::DistinctSignals, &["a", "c"]), &["a", "b"]),
    ];
    wrong.push(world.taking(&pending, "a"));
    for args in wrong {
        let condition = format!("{:?}", args.resume_condition);
        let answer = world.suspend(&claimed.1, args).await;
        expect!(answer.is_err(), "{condition} is refused");
    }
    expect_eq!(world.observe(&claimed.0).await?, before, "nothing has changed");
    world.suspended_by(claimed, world.suspending(ResumeCondition::OperatorOnly, &["a"])).await?;
    Ok(())
}

/// How that is refused, and conditions that are not sound, beside the last that are.
#[case(SUS_047)]
async fn unsound(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let signals = CountKind::DistinctSignals;
    let nested = |depth| (0..depth).fold(any_at("a"), |inner, _| all_of(vec![inner]));
    let long = "n".repeat(257);
    let many =
        |number: usize| all_of((0..number).map(|_| named_at(&"n".repeat(256), "a")).collect());
    for condition in [
        any_at("b"),
        all_of(vec![]),
        all_of(vec![any_at("a"), all_of(vec![])]),
        count(0, signals, &["a"]),
        count(1_001, signals, &["a"]),
        count(1, signals, &[]),
        all_of(vec![any_at("a"), count(1, signals, &[])]),
        count(2, CountKind::DistinctWaitpoints, &["a", "a"]),
        nested(5),
        named_at("", "a"),
        named_at("__x", "a"),
        named_at("a\n", "a"),
        named_at(&long, "a"),
        all_of(vec![all_of(vec![named_at("", "a")])]),
        matching("", count(1, signals, &["a"])),
        ResumeCondition::TimeoutOnly,
        all_of(vec![any_at("a"), ResumeCondition::TimeoutOnly]),
        many(250),
    ] {
        let what = format!("{condition:?}").chars().take(80).collect::<String>();
        let answer = world.suspend(&claimed.1, world.suspending(condition, &["a"])).await;
        expect_refused!(answer, "validation.invalid_input", "{what}");
    }
    for condition in [nested(4), count(1_000, signals, &["a", "a"]), many(100)] {
        let claimed = world.claimed().await?;
        world.suspended_by(claimed, world.suspending(condition, &["a"])).await?;
    }
    Ok(())
}
