//! Deviants: the model with one clause broken on purpose. The suite is good if it fails on each, in
//! a case that names the clause.

mod arguments;
mod attempts;
mod cancellation;
mod cancels;
mod cascades;
mod claims;
mod closing;
mod eligibility;
mod executions;
mod flow_lists;
mod flow_reads;
mod flows;
mod headers;
mod housekeeping;
mod leases;
mod races;
mod rare;
mod reads;
mod repeated;
mod replay;
mod resolution;
mod siblings;
mod system;
mod tampering;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use ff_core::clock::ManualClock;
use ff_core::contract::{self, Level};

use crate::case::Case;
use crate::harness::{CaseInfo, Deployment, Harness, HarnessError};
use crate::registry::registry;
use crate::report::{CaseReport, Status};
use crate::runner::{Options, Progress, run_backend};
use crate::unreliable::Unreliable;
use tampering::Tampering;

/// A backend that is wrong in one respect.
#[derive(Clone, Copy)]
pub struct Deviant {
    pub name: &'static str,
    /// The id of the clause it breaks.
    pub breaks: &'static str,
    /// How.
    pub how: &'static str,
    make: fn() -> Tampering,
}

/// A line of a table of deviants: name, clause, how, and what it does to the model.
macro_rules! deviant {
    ($name:literal, $clause:literal, $how:literal, $make:expr) => {
        $crate::deviants::Deviant { name: $name, breaks: $clause, how: $how, make: || $make }
    };
}

use deviant;

/// What became of a deviant.
#[derive(Clone, Debug)]
pub struct Fate {
    pub name: String,
    pub breaks: &'static str,
    pub how: &'static str,
    /// The cases that failed on it, of those that name its clause.
    pub killed_by: Vec<CaseReport>,
}

/// Every deviant, in the order of the chapters.
pub fn all() -> Vec<Deviant> {
    [
        system::DEVIANTS,
        arguments::DEVIANTS,
        executions::DEVIANTS,
        reads::DEVIANTS,
        claims::DEVIANTS,
        leases::DEVIANTS,
        attempts::DEVIANTS,
        flows::DEVIANTS,
        cancellation::DEVIANTS,
        headers::DEVIANTS,
        closing::DEVIANTS,
        flow_reads::DEVIANTS,
        flow_lists::DEVIANTS,
        resolution::DEVIANTS,
        cascades::DEVIANTS,
        eligibility::DEVIANTS,
        siblings::DEVIANTS,
        replay::DEVIANTS,
        cancels::DEVIANTS,
        housekeeping::DEVIANTS,
        repeated::DEVIANTS,
        rare::DEVIANTS,
        races::DEVIANTS,
    ]
    .concat()
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

/// How many times as much is generated on the model as on other backends.
const ON_THE_MODEL: usize = 8;

/// Runs the cases that name the deviant's clause on it.
pub async fn hunt(deviant: Deviant, options: Options) -> Fate {
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
) -> Fate {
    let cases: Vec<Case> =
        registry().into_iter().filter(|case| case.clauses.contains(&breaks)).collect();
    Fate {
        name: harness.name().to_owned(),
        breaks,
        how,
        killed_by: failing(&harness, &cases, options).await,
    }
}

async fn failing(harness: &Arc<dyn Harness>, cases: &[Case], options: Options) -> Vec<CaseReport> {
    let report = run_backend(harness, cases, options, &Silent).await;
    let failed = |case: &CaseReport| case.status == Status::Failed;
    report.cases.into_iter().filter(failed).collect()
}

struct Silent;

impl Progress for Silent {
    fn done(&self, _: &CaseReport) {}
}

struct DeviantHarness(Deviant);

#[async_trait]
impl Harness for DeviantHarness {
    fn name(&self) -> &str {
        self.0.name
    }

    async fn deploy(&self, _: &CaseInfo) -> Result<Deployment, HarnessError> {
        let clock = ManualClock::new();
        let deviant = Arc::new((self.0.make)().deploy(&clock));
        let backend = Unreliable::new(deviant.clone());
        Ok(Deployment::new(backend.clone())
            .with_nemesis(backend)
            .with_housekeeping(deviant)
            .with_clock(clock))
    }

    /// What is wrong on purpose is not kept.
    fn regressions(&self) -> Option<PathBuf> {
        None
    }

    fn rerun(&self, _: &str, seed: u64) -> String {
        format!("cargo xtask deviants {} --seed {seed}", self.0.name)
    }
}
