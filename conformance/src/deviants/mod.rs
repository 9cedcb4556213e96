//! Deviants: the model with one clause broken on purpose. The suite is good if it fails on each, in
//! a case that names the clause.

mod declare;
mod events;
mod executions;
mod fault;
mod flows;
mod housekeeping;
mod metering;
mod suspension;
mod system;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use ff_core::clock::ManualClock;
use ff_core::contract;

use crate::stage::{CaseInfo, Deployment, Harness, HarnessError, Unreliable};
use declare::Declared;
pub use declare::Deviant;

/// Every deviant, in the order of the chapters; within a chapter topic by topic, as they are written.
pub fn all() -> Vec<Deviant> {
    let mut declared: Vec<_> = inventory::iter::<Declared>().collect();
    let chapter = |module: &str| {
        contract::chapters()
            .iter()
            .position(|chapter| module.split("::").any(|part| part == chapter.name))
    };
    declared.sort_by_key(|one| (chapter(one.deviant.module), one.deviant.module, one.line));
    let named = |one: &Declared| Deviant {
        breaks: ff_core::intern(&one.deviant.breaks.replace('_', "-")),
        ..one.deviant
    };
    declared.into_iter().map(named).collect()
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
        let backend = Unreliable::blaming(deviant.clone(), deviant.blamed());
        Ok(Deployment::new(backend.clone())
            .with_nemesis(backend)
            .with_vandal(Arc::new(deviant.model.store().clone()))
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
