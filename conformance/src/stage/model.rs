//! The model as a backend under test.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use ff_core::clock::{Clock, ManualClock};
use ff_core::types::ExecutionId;
use ff_mock::{MemoryStore, MockBackend};

use super::case::CaseInfo;
use super::harness::{Deployment, Harness, HarnessError, Vandal};
use super::unreliable::Unreliable;

/// Deploys the in-memory model.
#[derive(Clone, Copy, Debug, Default)]
pub struct ModelHarness {
    is_on_wall_clock: bool,
}

impl ModelHarness {
    /// With the machine's clock instead of one that can be turned.
    pub const fn on_wall_clock() -> Self {
        Self { is_on_wall_clock: true }
    }
}

#[async_trait]
impl Harness for ModelHarness {
    fn name(&self) -> &'static str {
        "mock"
    }

    async fn deploy(&self, _: &CaseInfo) -> Result<Deployment, HarnessError> {
        let clock = if self.is_on_wall_clock { Clock::Server } else { ManualClock::new().into() };
        let model = Arc::new(MockBackend::conforming_with(clock.clone()));
        let backend = Unreliable::new(model.clone());
        Ok(Deployment::new(backend.clone())
            .with_nemesis(backend)
            .with_vandal(Arc::new(model.store().clone()))
            .with_housekeeping(model)
            .with_clock(clock))
    }

    fn regressions(&self) -> Option<PathBuf> {
        Some(kept_by_xtask())
    }

    fn play_again(&self, file: &Path) -> Option<String> {
        Some(play_by_xtask(self.name(), file))
    }

    fn rerun(&self, slug: &str, seed: u64) -> String {
        rerun_by_xtask(self.name(), slug, seed, self.is_on_wall_clock)
    }
}

#[async_trait]
impl Vandal for MemoryStore {
    async fn damage(&self, execution: &ExecutionId) -> Result<(), HarnessError> {
        Self::damage(self, execution).await;
        Ok(())
    }

    async fn exchange(&self, one: &ExecutionId, other: &ExecutionId) -> Result<bool, HarnessError> {
        Self::exchange(self, one, other).await;
        Ok(true)
    }
}

/// The command that runs a case again on a backend of this project.
pub fn rerun_by_xtask(backend: &str, slug: &str, seed: u64, is_on_wall_clock: bool) -> String {
    let clock = if is_on_wall_clock { " --wall-clock" } else { "" };
    format!("cargo xtask conformance {backend}{clock} --case {slug} --seed {seed}")
}

/// The command that plays a kept sequence again on a backend of this project.
pub fn play_by_xtask(backend: &str, file: &Path) -> String {
    format!("cargo xtask play {} --backend {backend}", file.display())
}

/// Where this project keeps the sequences that once failed.
pub fn kept_by_xtask() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions")
}
