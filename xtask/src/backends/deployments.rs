//! What opening a deployment costs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ff_conformance::{CaseReport, Harness, Options, Progress, Selection, run_backend};

/// What opening a deployment may cost on average.
const LIMIT: Duration = Duration::from_millis(50);

/// How many are opened.
const DEPLOYMENTS: u32 = 64;

struct Silent;

impl Progress for Silent {
    fn done(&self, _: &CaseReport) {}
}

/// Runs some cases, so that there is something to clean up, and opens deployments one by one.
pub(super) async fn run_some(harness: Arc<dyn Harness>) {
    let selection =
        Selection { cases: vec!["executions.create".to_owned()], ..Selection::default() };
    let cases = selection.choose().unwrap();
    let options = Options { seed: 1, jobs: 8, ..Options::default() };
    let report = run_backend(&harness, &cases, options, &Silent).await;
    assert_eq!(report.totals.failed, 0);
    let begun = Instant::now();
    for _ in 0..DEPLOYMENTS {
        harness.deploy(&cases[0]).await.unwrap();
    }
    let average = begun.elapsed() / DEPLOYMENTS;
    println!("{average:?} to open a deployment");
    assert!(average < LIMIT, "{average:?} to open a deployment");
}
