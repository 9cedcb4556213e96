//! Hunts deviants: the suite is good if it fails on each, in a case that names the clause.

use std::collections::BTreeSet;
use std::sync::Arc;

use ff_core::contract::{self, Level};

use super::registry::registry;
use super::report::CaseReport;
use super::runner::{Progress, run_backend};
use crate::deviants::{Deviant, DeviantHarness, all};
use crate::stage::{Case, Harness, Options};

/// What became of a deviant.
#[derive(Clone, Debug)]
pub struct Hunt {
    pub name: String,
    pub breaks: &'static str,
    pub how: &'static str,
    /// The cases that failed on it, of those that name its clause.
    pub killed_by: Vec<CaseReport>,
}

/// The MUST clauses that no deviant breaks.
pub fn unbroken() -> Vec<&'static str> {
    let deviants = all();
    contract::clauses()
        .filter(|clause| clause.level == Level::Must)
        .map(|clause| clause.id.as_str())
        .filter(|id| !deviants.iter().any(|deviant| deviant.breaks == *id))
        .collect()
}

/// The cases that failed on none of these deviants. Of the gates one is as good as another.
pub fn idle(hunts: &[Hunt]) -> Vec<&'static str> {
    let killers: BTreeSet<&str> =
        hunts.iter().flat_map(|hunt| &hunt.killed_by).map(|case| case.slug.as_str()).collect();
    let slugs = registry().into_iter().map(|case| case.slug);
    slugs.filter(|slug| !slug.starts_with("system.gate.") && !killers.contains(slug)).collect()
}

/// How many times as much is generated on the model as on other backends.
const ON_THE_MODEL: usize = 8;

/// Runs the cases that name the deviant's clause on it.
pub async fn hunt(deviant: Deviant, options: Options) -> Hunt {
    let harness = Arc::new(DeviantHarness(deviant));
    // The model answers fast enough to be asked more.
    let options = Options { long: options.long * ON_THE_MODEL, ..options };
    hunt_on(harness, deviant.breaks, deviant.how, options).await
}

/// The cases that fail on the deviant, whatever clauses they name.
pub async fn seen_by(deviant: Deviant, cases: &[Case], options: Options) -> Vec<CaseReport> {
    let harness: Arc<dyn Harness> = Arc::new(DeviantHarness(deviant));
    failing(&harness, cases, options).await
}

/// Runs the cases that name the clause on a backend that is wrong in some way; the harness's name is
/// the deviant's.
pub async fn hunt_on(
    harness: Arc<dyn Harness>,
    breaks: &'static str,
    how: &'static str,
    options: Options,
) -> Hunt {
    let cases: Vec<Case> =
        registry().into_iter().filter(|case| case.clauses.contains(&breaks)).collect();
    Hunt {
        name: harness.name().to_owned(),
        breaks,
        how,
        killed_by: failing(&harness, &cases, options).await,
    }
}

async fn failing(harness: &Arc<dyn Harness>, cases: &[Case], options: Options) -> Vec<CaseReport> {
    let report = run_backend(harness, cases, options, &Silent).await;
    // A case that could not be set up says nothing of its clauses.
    let failed = |case: &CaseReport| case.failure.as_ref().is_some_and(|failure| !failure.setup);
    report.cases.into_iter().filter(failed).collect()
}

struct Silent;

impl Progress for Silent {
    fn done(&self, _: &CaseReport) {}
}
