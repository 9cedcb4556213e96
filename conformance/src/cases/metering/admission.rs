//! Admission under a quota policy.

use std::collections::BTreeSet;

use ff_core::contracts::{CheckAdmissionArgs, CheckAdmissionResult};
use ff_core::engine_backend::EngineBackend;
use ff_core::types::QuotaPolicyId;

use crate::stage::{Failure, Verdict, World, case};

use CheckAdmissionResult::{Admitted, AlreadyAdmitted, ConcurrencyExceeded};

/// For how long to wait; nothing if the rate is not what refused.
fn wait_of(answer: CheckAdmissionResult) -> Option<u64> {
    match answer {
        CheckAdmissionResult::RateExceeded { retry_after_ms } => Some(retry_after_ms),
        _ => None,
    }
}

impl World {
    /// Asks as a new execution under this rate, in a window of a second.
    async fn asks(
        &self,
        policy: &QuotaPolicyId,
        rate: u64,
    ) -> Result<CheckAdmissionResult, Failure> {
        let args = CheckAdmissionArgs { window_seconds: 1, ..self.asking(rate, 0) };
        Ok(self.admission(policy, &args).await?)
    }

    /// Asserts that the rate refuses a new execution.
    async fn expect_full(&self, policy: &QuotaPolicyId, rate: u64, what: &str) -> Verdict {
        let answer = self.admission(policy, &self.asking(rate, 0)).await?;
        expect!(wait_of(answer).is_some(), "{what}: the rate is exceeded, not {answer:?}");
        Ok(())
    }
}

/// Up to the limit, under a higher one, and without one.
#[case(QUO_019)]
async fn rate(world: World) -> Verdict {
    let policy = world.quota_id();
    for _ in 0..3 {
        world.admitted(&policy, world.asking(3, 0)).await?;
    }
    for _ in 0..2 {
        world.expect_full(&policy, 3, "three of three").await?;
        world.expect_full(&policy, 2, "three of two").await?;
    }
    world.admitted(&policy, world.asking(4, 0)).await?;
    world.admitted(&policy, world.asking(0, 0)).await?;
    world.expect_full(&policy, 5, "five of five").await?;
    world.admitted(&world.quota_id(), world.asking(1, 0)).await.map(drop)
}

/// Two admissions that leave the window one after the other.
#[case(QUO_008, needs(clock))]
async fn window(world: World) -> Verdict {
    let policy = world.quota_id();
    expect_eq!(world.asks(&policy, 2).await?, Admitted, "the first");
    world.pass_ms(400).await?;
    expect_eq!(world.asks(&policy, 2).await?, Admitted, "the second");
    world.pass_ms(599).await?;
    expect!(wait_of(world.asks(&policy, 2).await?).is_some(), "a millisecond early");
    world.pass_ms(1).await?;
    expect_eq!(world.asks(&policy, 2).await?, Admitted, "the first has left");
    world.pass_ms(399).await?;
    expect!(wait_of(world.asks(&policy, 2).await?).is_some(), "a millisecond early again");
    world.pass_ms(1).await?;
    expect_eq!(world.asks(&policy, 2).await?, Admitted, "the second has left");
    Ok(())
}

/// 400 arrivals at random, beside a list of all that were admitted.
#[case(QUO_008, needs(clock))]
async fn random_arrivals(world: World) -> Verdict {
    let policy = world.quota_id();
    let rate = 5 + world.random() % 5;
    let mut admitted: Vec<i64> = Vec::new();
    for arrival in 0..400 {
        world.pass_ms(world.random() % 250).await?;
        let now = world.now().0;
        let live: Vec<i64> = admitted.iter().copied().filter(|at| at + 1_000 > now).collect();
        let answer = world.asks(&policy, rate).await?;
        if (live.len() as u64) < rate {
            expect_eq!(answer, Admitted, "arrival {arrival} with {} of {rate}", live.len());
            admitted.push(now);
        } else {
            let left = (live[0] + 1_000 - now).unsigned_abs();
            expect_eq!(wait_of(answer), Some(left), "arrival {arrival} with {rate} of {rate}");
        }
    }
    Ok(())
}

/// Three of them, one without a name.
#[case(QUO_007)]
async fn dimensions(world: World) -> Verdict {
    let policy = world.quota_id();
    let asks = |dimension: &'static str| {
        let args = world.asking(1, 0);
        let world = world.clone();
        async move { world.check_admission(&policy, dimension, args).await }
    };
    for dimension in ["", "tokens", "calls"] {
        expect_eq!(asks(dimension).await?, Admitted, "{dimension:?} is empty");
        let again = asks(dimension).await?;
        expect!(wait_of(again).is_some(), "{dimension:?} is full, not {again:?}");
    }
    let again = asks("default").await?;
    expect!(wait_of(again).is_some(), "the one without a name is full, not {again:?}");
    let args = world.asking(0, 0);
    for (dimension, expected) in
        [("one", Admitted), ("other", Admitted), ("one", AlreadyAdmitted), ("", Admitted)]
    {
        let answer = world.check_admission(&policy, dimension, args.clone()).await?;
        expect_eq!(answer, expected, "the same execution in {dimension:?}");
    }
    Ok(())
}

/// Refused, repeated, and admitted again after a release.
#[case(QUO_012)]
async fn places(world: World) -> Verdict {
    let policy = world.quota_id();
    let args = world.asking(3, 1);
    world.admitted(&policy, args.clone()).await?;
    for _ in 0..3 {
        expect_eq!(world.admission(&policy, &args).await?, AlreadyAdmitted, "it is admitted");
        let other = world.admission(&policy, &world.asking(3, 1)).await?;
        expect_eq!(other, ConcurrencyExceeded, "another is not");
    }
    world.leave(&policy, &args.execution_id).await?;
    world.admitted(&policy, args.clone()).await?;
    world.leave(&policy, &args.execution_id).await?;
    for _ in 0..2 {
        world.expect_full(&policy, 2, "two of two").await?;
    }
    world.admitted(&policy, world.asking(3, 0)).await?;
    world.expect_full(&policy, 3, "three of three").await
}

/// With as many as the limit in the window, and with more.
#[case(QUO_009, needs(clock))]
async fn waiting(world: World) -> Verdict {
    let policy = world.quota_id();
    for _ in 0..4 {
        expect_eq!(world.asks(&policy, 4).await?, Admitted, "there is room");
        world.pass_ms(100).await?;
    }
    for rate in [4, 2] {
        let answer = world.asks(&policy, rate).await?;
        let Some(wait) = wait_of(answer) else {
            return Err(Failure::new(format!("{rate} are in the window, not {answer:?}")));
        };
        world.pass_ms(wait).await?;
        expect_eq!(world.asks(&policy, rate).await?, Admitted, "after {wait} ms");
    }
    Ok(())
}

/// Without jitter, and many times with some.
#[case(QUO_022, needs(clock))]
async fn jitter(world: World) -> Verdict {
    let policy = world.quota_id();
    expect_eq!(world.asks(&policy, 1).await?, Admitted, "there is room");
    world.pass_ms(300).await?;
    expect_eq!(wait_of(world.asks(&policy, 1).await?), Some(700), "without jitter");
    let mut seen = BTreeSet::new();
    for _ in 0..200 {
        let mut args = CheckAdmissionArgs { window_seconds: 1, ..world.asking(1, 0) };
        args.jitter_ms = Some(3);
        seen.extend(wait_of(world.admission(&policy, &args).await?));
    }
    expect_eq!(seen, BTreeSet::from([700, 701, 702, 703]), "with up to 3 ms");
    Ok(())
}

/// While the window is full, and the cap is reached.
#[case(QUO_010)]
async fn again(world: World) -> Verdict {
    let policy = world.quota_id();
    let args = world.asking(1, 1);
    world.admitted(&policy, args.clone()).await?;
    for _ in 0..2 {
        expect_eq!(world.admission(&policy, &args).await?, AlreadyAdmitted, "it is admitted");
    }
    Ok(())
}

/// With a window to the millisecond, and without one.
#[case(QUO_020, needs(clock))]
async fn until(world: World) -> Verdict {
    let policy = world.quota_id();
    let args = CheckAdmissionArgs { window_seconds: 1, ..world.asking(2, 0) };
    world.admitted(&policy, args.clone()).await?;
    world.pass_ms(999).await?;
    expect_eq!(world.admission(&policy, &args).await?, AlreadyAdmitted, "a millisecond early");
    world.pass_ms(1).await?;
    world.admitted(&policy, args).await?;
    expect_eq!(world.asks(&policy, 2).await?, Admitted, "the second of two");
    expect!(wait_of(world.asks(&policy, 2).await?).is_some(), "a new place was taken");
    let endless = CheckAdmissionArgs { window_seconds: 0, ..world.asking(0, 0) };
    world.admitted(&policy, endless.clone()).await?;
    world.pass_ms(1 << 40).await?;
    expect_eq!(world.admission(&policy, &endless).await?, AlreadyAdmitted, "it lasts");
    world.leave(&policy, &endless.execution_id).await?;
    world.admitted(&policy, endless).await.map(drop)
}

/// In several dimensions, and up to the cap.
#[case(QUO_011)]
async fn cap(world: World) -> Verdict {
    let policy = world.quota_id();
    let args = world.asking(0, 2);
    for dimension in ["one", "other"] {
        let answer = world.check_admission(&policy, dimension, args.clone()).await?;
        expect_eq!(answer, Admitted, "it counts once");
    }
    let second = world.admitted(&policy, world.asking(0, 2)).await?;
    for dimension in ["", "one", "new"] {
        let answer = world.check_admission(&policy, dimension, world.asking(0, 2)).await?;
        expect_eq!(answer, ConcurrencyExceeded, "two of two");
    }
    let third = world.check_admission(&policy, "new", args.clone()).await?;
    expect_eq!(third, Admitted, "it is one of the two");
    world.leave(&policy, &second).await?;
    world.admitted(&policy, world.asking(0, 2)).await?;
    let answer = world.admission(&policy, &world.asking(0, 2)).await?;
    expect_eq!(answer, ConcurrencyExceeded, "two of two again");
    Ok(())
}

/// Those that have ended by themselves.
#[case(QUO_011, needs(clock))]
async fn cap_over_time(world: World) -> Verdict {
    let policy = world.quota_id();
    let asking = || CheckAdmissionArgs { window_seconds: 1, ..world.asking(0, 1) };
    for _ in 0..3 {
        let args = asking();
        world.admitted(&policy, args.clone()).await?;
        world.pass_ms(600).await?;
        let answer = world.check_admission(&policy, "other", args).await?;
        expect_eq!(answer, Admitted, "it is admitted elsewhere as well");
        world.pass_ms(999).await?;
        let answer = world.admission(&policy, &asking()).await?;
        expect_eq!(answer, ConcurrencyExceeded, "a millisecond early");
        world.pass_ms(1).await?;
    }
    Ok(())
}

/// Where both would refuse.
#[case(QUO_021)]
async fn rate_first(world: World) -> Verdict {
    let policy = world.quota_id();
    world.admitted(&policy, world.asking(1, 1)).await?;
    world.expect_full(&policy, 1, "the rate").await?;
    let answer = world.admission(&policy, &world.asking(1, 1)).await?;
    expect!(wait_of(answer).is_some(), "the rate comes first, not {answer:?}");
    Ok(())
}

/// Of a policy with other limits.
#[case(QUO_005)]
async fn limits_of_the_call(world: World) -> Verdict {
    let policy = world.quota(world.quota_args()).await?;
    for _ in 0..12 {
        world.admitted(&policy, world.asking(0, 0)).await?;
    }
    world.expect_full(&policy, 12, "twelve of twelve").await
}

/// Windows and numbers that no call has.
#[case(QUO_006)]
async fn arguments(world: World) -> Verdict {
    type Spoil = fn(&mut CheckAdmissionArgs);
    let policy = world.quota_id();
    let bad: [(&str, Spoil); 5] = [
        ("no window", |args| args.window_seconds = 0),
        ("a long window", |args| args.window_seconds = (1 << 53) / 1_000 + 1),
        ("a large rate", |args| args.rate_limit = 1 << 53),
        ("a large cap", |args| args.concurrency_cap = 1 << 53),
        ("much jitter", |args| args.jitter_ms = Some(1 << 53)),
    ];
    for (what, spoil) in bad {
        let mut args = world.asking(1, 1);
        spoil(&mut args);
        let answer = world.admission(&policy, &args).await;
        expect_refused!(answer, "validation.invalid_quota_spec", "{what}");
    }
    for _ in 0..2 {
        let args = CheckAdmissionArgs { window_seconds: 0, ..world.asking(0, 0) };
        world.admitted(&policy, args).await?;
    }
    world.admitted(&policy, world.asking(1, 0)).await.map(drop)
}

/// Of a rate and of a cap, on a new policy.
#[case(QUO_013, needs(concurrency))]
async fn at_once(world: World) -> Verdict {
    for (rate, cap, room) in [(5, 0, 5), (0, 4, 4), (6, 3, 3), (3, 6, 3)] {
        let policy = world.quota_id();
        let asks = |world: World, _| async move {
            world.admission(&policy, &world.asking(rate, cap)).await
        };
        let answers = world.at_once(16, asks).await?;
        let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
        let admitted = answers.iter().filter(|answer| **answer == Admitted).count();
        expect_eq!(admitted, room, "of a rate of {rate} and a cap of {cap}");
    }
    Ok(())
}

/// One execution, eight times.
#[case(QUO_013, needs(concurrency))]
async fn one_at_once(world: World) -> Verdict {
    let policy = world.quota_id();
    let args = world.asking(5, 5);
    let asks = |world: World, _| {
        let args = args.clone();
        async move { world.admission(&policy, &args).await }
    };
    let answers = world.at_once(8, asks).await?.into_iter().collect::<Result<Vec<_>, _>>()?;
    let count = |expected| answers.iter().filter(|answer| **answer == expected).count();
    expect_eq!((count(Admitted), count(AlreadyAdmitted)), (1, 7), "{answers:?}");
    for _ in 0..4 {
        world.admitted(&policy, world.asking(5, 5)).await?;
    }
    world.expect_full(&policy, 5, "one place was taken").await
}

/// In two dimensions, under one policy of two.
#[case(QUO_014)]
async fn released(world: World) -> Verdict {
    let (policy, other) = (world.quota_id(), world.quota_id());
    let args = world.asking(0, 1);
    for (policy, dimension) in [(policy, "one"), (policy, "other"), (other, "one")] {
        let answer = world.check_admission(&policy, dimension, args.clone()).await?;
        expect_eq!(answer, Admitted, "{dimension}");
    }
    world.leave(&policy, &args.execution_id).await?;
    let next = world.admitted(&policy, world.asking(0, 1)).await?;
    world.leave(&policy, &next).await?;
    for dimension in ["one", "other"] {
        let answer = world.check_admission(&policy, dimension, args.clone()).await?;
        expect_eq!(answer, Admitted, "it was released in {dimension}");
    }
    let answer = world.check_admission(&other, "one", args).await?;
    expect_eq!(answer, AlreadyAdmitted, "under the other policy it was not");
    Ok(())
}

/// A released admission in a full window.
#[case(QUO_023)]
async fn places_stay(world: World) -> Verdict {
    let policy = world.quota_id();
    let id = world.admitted(&policy, world.asking(1, 0)).await?;
    world.leave(&policy, &id).await?;
    world.expect_full(&policy, 1, "the place is taken").await
}

/// Unknown, and released before.
#[case(QUO_015)]
async fn nothing_to_release(world: World) -> Verdict {
    let policy = world.quota_id();
    world.leave(&policy, &world.execution_id()).await?;
    let id = world.admitted(&policy, world.asking(0, 2)).await?;
    world.admitted(&policy, world.asking(0, 2)).await?;
    for _ in 0..3 {
        world.leave(&policy, &id).await?;
        world.leave(&policy, &world.execution_id()).await?;
    }
    world.admitted(&policy, world.asking(0, 2)).await?;
    let answer = world.admission(&policy, &world.asking(0, 2)).await?;
    expect_eq!(answer, ConcurrencyExceeded, "nobody else was released");
    Ok(())
}
