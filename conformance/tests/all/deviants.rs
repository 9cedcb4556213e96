//! What only generated calls can see.

use ff_conformance::deviants::all;
use ff_conformance::{Options, registry, seen_by};

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
