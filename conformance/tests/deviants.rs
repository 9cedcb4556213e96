//! The suite fails on every deviant, and every case on some.

use std::collections::BTreeSet;

use ff_conformance::deviants::all;
use ff_conformance::{Options, hunt, registry, seen_by};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_deviant_survives_and_no_case_is_idle() {
    let options = Options { seed: 1, jobs: 16, shuffle: true, repeat: 1, long: 1 };
    let mut surviving = Vec::new();
    let mut idle: BTreeSet<&str> = registry().iter().map(|case| case.slug).collect();
    // One gate is as good as another.
    idle.retain(|slug| !slug.starts_with("system.gate."));
    for deviant in all() {
        let hunted = hunt(deviant, options).await;
        for case in &hunted.killed_by {
            idle.remove(case.slug.as_str());
        }
        if hunted.killed_by.is_empty() {
            surviving.push(format!("{} ({}): {}", hunted.name, hunted.breaks, hunted.how));
        }
    }
    assert_eq!(surviving, Vec::<String>::new());
    assert_eq!(idle, BTreeSet::new(), "cases that fail on no deviant");
}

/// Generated calls, random graphs, repeated calls and interrupted ones are there for these: no other case sees
/// them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_only_in_generated_calls_is_seen_by_nothing_else() {
    let mut cases = registry();
    let drawn = [".interactions.", ".graphs.", ".repeated.", ".interrupted."];
    cases.retain(|case| !drawn.iter().any(|part| case.slug.contains(part)));
    let generated = ["SYS-034", "SYS-035"];
    let rare = all().into_iter().filter(|d| generated.contains(&d.breaks));
    let rare: Vec<_> = rare.collect();
    assert!(rare.len() >= 10, "{}", rare.len());
    for deviant in rare {
        let seen = seen_by(deviant, &cases, Options::default()).await;
        let slugs: Vec<_> = seen.iter().map(|case| &case.slug).collect();
        assert!(slugs.is_empty(), "{} is seen by {slugs:?}", deviant.name);
    }
}
