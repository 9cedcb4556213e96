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

use crate::stage::{CaseInfo, Deployment, Harness, HarnessError, Unreliable};
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

/// Deploys a deviant.
pub(crate) struct DeviantHarness(pub(crate) Deviant);

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
