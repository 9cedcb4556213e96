//! The suite fails on every deviant.

use ff_conformance::Options;
use ff_conformance::deviants::{all, hunt};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_deviant_survives() {
    let options = Options {
        seed: 1,
        jobs: 16,
        shuffle: true,
        repeat: 1,
    };
    let mut surviving = Vec::new();
    for deviant in all() {
        let fate = hunt(deviant, options).await;
        if fate.killed_by.is_empty() {
            surviving.push(format!("{} ({}): {}", fate.name, fate.breaks, fate.how));
        }
    }
    assert_eq!(surviving, Vec::<String>::new());
}
