//! The secrets that sign tokens: the first, and those that take its place.

use std::collections::BTreeSet;

use ff_core::contracts::{
    RotateWaitpointHmacSecretAllArgs, RotateWaitpointHmacSecretOutcome, SeedOutcome,
    SeedWaitpointHmacSecretArgs,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{ConflictKind, EngineError};
use futures_util::future::join_all;

use crate::stage::{Failure, Verdict, World, case};

/// Secrets of 64 digits.
const ONE: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const OTHER: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

/// The largest grace, in milliseconds.
const LONGEST: u64 = (1 << 53) - 1;

fn rotation(kid: &str, secret: &str, grace_ms: u64) -> RotateWaitpointHmacSecretAllArgs {
    RotateWaitpointHmacSecretAllArgs::new(kid, secret, grace_ms)
}

fn rotated(kid: &str, previous: Option<&str>, gc_count: u32) -> RotateWaitpointHmacSecretOutcome {
    let previous_kid = previous.map(str::to_owned);
    let new_kid = kid.to_owned();
    RotateWaitpointHmacSecretOutcome::Rotated { gc_count, new_kid, previous_kid }
}

fn noop(kid: &str) -> RotateWaitpointHmacSecretOutcome {
    RotateWaitpointHmacSecretOutcome::Noop { kid: kid.to_owned() }
}

fn seeded(kid: &str) -> SeedOutcome {
    SeedOutcome::Seeded { kid: kid.to_owned() }
}

fn already(kid: &str, same_secret: bool) -> SeedOutcome {
    SeedOutcome::AlreadySeeded { kid: kid.to_owned(), same_secret }
}

impl World {
    /// Rotates, and asserts that it went like this in every partition.
    async fn expect_rotation(
        &self,
        args: RotateWaitpointHmacSecretAllArgs,
        expected: RotateWaitpointHmacSecretOutcome,
    ) -> Verdict {
        self.expect_entries(args, Ok(expected)).await
    }

    /// Rotates, and asserts that every partition conflicts.
    async fn expect_conflict(&self, kid: &str, secret: &str) -> Verdict {
        let conflict = ConflictKind::RotationConflict(kid.to_owned());
        self.expect_entries(rotation(kid, secret, 0), Err(EngineError::Conflict(conflict))).await
    }

    async fn expect_entries(
        &self,
        args: RotateWaitpointHmacSecretAllArgs,
        expected: Result<RotateWaitpointHmacSecretOutcome, EngineError>,
    ) -> Verdict {
        let kid = args.new_kid.clone();
        for entry in self.rotate_waitpoint_hmac_secret_all(args).await?.entries {
            expect_eq!(entry.result, expected, "{kid} in partition {}", entry.partition);
        }
        Ok(())
    }

    async fn seed(&self, kid: &str, secret: &str) -> Result<SeedOutcome, EngineError> {
        self.seed_waitpoint_hmac_secret(SeedWaitpointHmacSecretArgs::new(kid, secret)).await
    }
}

/// Key ids, secrets and graces that are refused, and the first and last that are not.
#[case(WPT_018)]
async fn rotation_arguments(world: World) -> Verdict {
    let long = "k".repeat(65);
    for kid in ["", "a:b", "a b", "\u{e9}", "a\0", &long] {
        let all_wrong = rotation(kid, "xyz", LONGEST + 1);
        let answer = world.rotate_waitpoint_hmac_secret_all(all_wrong).await;
        expect_refused!(answer, "validation.invalid_kid", "key id {kid:?}");
    }
    let too_long = "0".repeat(65_538);
    for secret in ["", "0", "000", "0g", "\u{e9}", &too_long] {
        let wrong = rotation("k", secret, LONGEST + 1);
        let answer = world.rotate_waitpoint_hmac_secret_all(wrong).await;
        expect_refused!(answer, "validation.invalid_secret_hex", "{} bytes", secret.len());
    }
    let answer = world.rotate_waitpoint_hmac_secret_all(rotation("k", ONE, LONGEST + 1)).await;
    expect_refused!(answer, "validation.invalid_grace_ms");

    let longest = "aZ09_-".repeat(11)[..64].to_owned();
    world.expect_rotation(rotation(&longest, "0f", LONGEST), rotated(&longest, None, 0)).await?;
    let args = rotation("k", &too_long[2..], 0);
    world.expect_rotation(args, rotated("k", Some(&longest), 0)).await
}

/// Every partition has its entry.
#[case(WPT_019)]
async fn rotation_entries(world: World) -> Verdict {
    for kid in ["one", "one", "two"] {
        let rotated = world.rotate_waitpoint_hmac_secret_all(rotation(kid, ONE, 0)).await?;
        let seen: Vec<u16> = rotated.entries.iter().map(|entry| entry.partition).collect();
        let expected: Vec<u16> = (0..world.partitions().num_flow_partitions).collect();
        expect_eq!(seen, expected, "the partitions");
    }
    Ok(())
}

/// The first secret, the next, and the same again.
#[case(WPT_020)]
async fn rotations(world: World) -> Verdict {
    let again = ONE.to_uppercase();
    world.expect_rotation(rotation("one", ONE, 1_000), rotated("one", None, 0)).await?;
    world.expect_rotation(rotation("one", ONE, 0), noop("one")).await?;
    world.expect_rotation(rotation("two", ONE, 60_000), rotated("two", Some("one"), 0)).await?;
    world.expect_rotation(rotation("two", &again, 7), noop("two")).await?;
    world.expect_rotation(rotation("six", OTHER, 0), rotated("six", Some("two"), 0)).await
}

/// Another secret under a key id that is retained, and a secret that was superseded.
#[case(WPT_025)]
async fn conflicts(world: World) -> Verdict {
    world.expect_rotation(rotation("one", ONE, 0), rotated("one", None, 0)).await?;
    world.expect_conflict("one", OTHER).await?;
    world.expect_rotation(rotation("two", OTHER, LONGEST), rotated("two", Some("one"), 0)).await?;
    for secret in [ONE, OTHER] {
        world.expect_conflict("one", secret).await?;
    }
    world.expect_conflict("two", ONE).await?;
    world.expect_rotation(rotation("two", OTHER, 0), noop("two")).await?;
    expect_eq!(world.seed("one", ONE).await?, already("one", true), "it is as it was");
    Ok(())
}

/// To the millisecond, whatever is rotated later.
#[case(WPT_026, needs(clock))]
async fn grace(world: World) -> Verdict {
    world.expect_rotation(rotation("one", ONE, 0), rotated("one", None, 0)).await?;
    world.expect_rotation(rotation("two", ONE, 1_000), rotated("two", Some("one"), 0)).await?;
    world.expect_rotation(rotation("six", ONE, 0), rotated("six", Some("two"), 0)).await?;
    expect_eq!(world.seed("two", ONE).await?, already("two", true), "within the same millisecond");
    world.pass_ms(1_000).await?;
    expect_eq!(world.seed("one", ONE).await?, already("one", true), "the last millisecond");
    expect_refused!(world.seed("two", ONE).await, "validation.invalid_input", "two is gone");
    world.pass_ms(1).await?;
    expect_refused!(world.seed("one", ONE).await, "validation.invalid_input", "one is gone");
    world.expect_rotation(rotation("two", OTHER, 5), rotated("two", Some("six"), 2)).await?;
    world.pass_ms(6).await?;
    world.expect_rotation(rotation("one", OTHER, 5), rotated("one", Some("two"), 1)).await
}

/// Key ids and secrets that are refused.
#[case(WPT_022)]
async fn seed_arguments(world: World) -> Verdict {
    for kid in ["", "a:b", "a b", "\u{e9}", "a\0", &"k".repeat(65)] {
        expect_refused!(world.seed(kid, "0").await, "validation.invalid_kid", "key id {kid:?}");
    }
    let longer = format!("{ONE}00");
    for secret in ["", "00", &ONE[1..], &ONE[2..], &longer, &ONE.replace('f', "g")] {
        let answer = world.seed("k", secret).await;
        expect_refused!(answer, "validation.invalid_secret_hex", "{} digits", secret.len());
    }
    expect_eq!(world.seed("k", &ONE.to_uppercase()).await?, seeded("k"), "64 digits");
    Ok(())
}

/// The first secret, again and again, also when others have come after it.
#[case(WPT_023)]
async fn seeds(world: World) -> Verdict {
    expect_eq!(world.seed("one", ONE).await?, seeded("one"), "the first");
    for (secret, same) in [(ONE, true), (&*ONE.to_uppercase(), true), (OTHER, false), (ONE, true)] {
        expect_eq!(world.seed("one", secret).await?, already("one", same), "{secret}");
    }
    let next = rotation("two", OTHER, LONGEST);
    world.expect_rotation(next.clone(), rotated("two", Some("one"), 0)).await?;
    expect_eq!(world.seed("one", ONE).await?, already("one", true), "superseded");
    expect_eq!(world.seed("two", ONE).await?, already("two", false), "another's secret");
    world.expect_rotation(next, noop("two")).await
}

/// A key id that nobody knows, beside one that signs.
#[case(WPT_027)]
async fn seeds_beside(world: World) -> Verdict {
    world.seed("one", ONE).await?;
    let beside = world.seed("two", OTHER).await;
    expect!(beside.is_err(), "it is refused, not {beside:?}");
    world.expect_rotation(rotation("one", ONE, 0), noop("one")).await?;
    world.expect_rotation(rotation("two", ONE, 0), rotated("two", Some("one"), 0)).await
}

/// How that is refused.
#[case(WPT_028)]
async fn seeds_beside_refused(world: World) -> Verdict {
    world.seed("one", ONE).await?;
    expect_refused!(world.seed("two", ONE).await, "validation.invalid_input");
    Ok(())
}

/// Sixteen of one key id, and sixteen of as many.
#[case(WPT_024, needs(concurrency, elsewhere))]
async fn seeds_at_once(world: World) -> Verdict {
    let at_once = async |world: &World, kid: fn(usize) -> String| {
        let seeds = (0..16).map(|number| {
            let world = world.clone();
            tokio::spawn(async move { world.seed(&kid(number), ONE).await })
        });
        let answers = join_all(seeds.collect::<Vec<_>>()).await.into_iter();
        let answers: Result<Vec<_>, _> = answers.collect();
        answers.map_err(|panic| Failure::new(format!("a task died: {panic}")))
    };
    let mut first = 0;
    for answer in at_once(&world, |_| "one".to_owned()).await? {
        let answer = answer?;
        first += usize::from(answer == seeded("one"));
        expect!(answer == seeded("one") || answer == already("one", true), "{answer:?}");
    }
    expect!(first > 0, "somebody has seeded it");

    let answers = at_once(world.elsewhere(), |number| format!("k{number}")).await?;
    let installed: Vec<_> = answers.into_iter().flatten().collect();
    let [SeedOutcome::Seeded { kid }] = &installed[..] else {
        return Err(Failure::new(format!("one is installed, not {installed:?}")));
    };
    world.elsewhere().expect_rotation(rotation("next", ONE, 0), rotated("next", Some(kid), 0)).await
}

/// Whatever is wrong with a call.
#[case(WPT_009)]
async fn secrets(world: World) -> Verdict {
    let mut told = BTreeSet::new();
    let mut tell = |text: String| told.insert(text.to_lowercase());
    for (kid, secret, grace) in [
        ("one", ONE, 0),
        ("one", OTHER, 0),
        ("two", OTHER, 0),
        ("one", ONE, 0),
        ("a:b", ONE, 0),
        ("six", &OTHER[1..], 0),
        ("six", OTHER, LONGEST + 1),
    ] {
        let args = rotation(kid, secret, grace);
        tell(format!("{args:?} {:?}", world.rotate_waitpoint_hmac_secret_all(args.clone()).await));
        let args = SeedWaitpointHmacSecretArgs::new(kid, secret);
        let answer = world.seed_waitpoint_hmac_secret(args.clone()).await;
        tell(format!("{args:?} {answer:?}"));
        tell(answer.err().map(|error| error.to_string()).unwrap_or_default());
    }
    for text in told {
        let shows = [&ONE[1..17], &OTHER[1..17]].into_iter().any(|secret| text.contains(secret));
        expect!(!shows, "a secret is shown: {text}");
    }
    Ok(())
}
