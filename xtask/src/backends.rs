//! The backends of this project, as the suite deploys them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use ff_backend_sqlite::SqliteOptions;
use ff_conformance::{CaseInfo, Deployment, Harness, HarnessError, ModelHarness, rerun_by_xtask};
use ff_core::clock::ManualClock;
use ff_core::partition::PartitionConfig;
use tempfile::TempDir;

/// A backend that can be asked for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Backend {
    /// The in-memory model
    Mock,
    /// SQLite, a file for each case
    Sqlite,
}

impl Backend {
    pub(crate) const ALL: [Self; 2] = [Self::Mock, Self::Sqlite];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mock => "mock",
            Self::Sqlite => "sqlite",
        }
    }

    /// A harness for it, or why there is none on this machine.
    pub(crate) fn harness(self) -> Result<Arc<dyn Harness>, String> {
        match self {
            Self::Mock => Ok(Arc::new(ModelHarness)),
            Self::Sqlite => SqliteHarness::new()
                .map(|harness| Arc::new(harness) as Arc<dyn Harness>)
                .map_err(|error| format!("there is no room for database files: {error}")),
        }
    }
}

/// Deploys SQLite on files in a directory that goes when the run is over.
struct SqliteHarness {
    directory: TempDir,
    files: AtomicU64,
}

impl SqliteHarness {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            directory: tempfile::tempdir()?,
            files: AtomicU64::new(0),
        })
    }
}

#[async_trait]
impl Harness for SqliteHarness {
    fn name(&self) -> &'static str {
        Backend::Sqlite.name()
    }

    async fn deploy(&self, _: &CaseInfo) -> Result<Deployment, HarnessError> {
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        let path = self.directory.path().join(format!("{number}.db"));
        let clock = ManualClock::new();
        let partitions = PartitionConfig::default();
        let backend = SqliteOptions::new(format!("file:{}", path.display()))
            .clock(clock.clone())
            .partitions(partitions)
            .dev_mode()
            .open()
            .await?;
        Ok(Deployment::new(backend)
            .with_clock(clock)
            .with_partitions(partitions))
    }

    fn rerun(&self, slug: &str, seed: u64) -> String {
        rerun_by_xtask(self.name(), slug, seed)
    }
}
