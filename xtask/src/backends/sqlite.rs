//! SQLite, on a file for each case.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use ff_backend_sqlite::SqliteOptions;
use ff_conformance::{
    CaseInfo, Deployment, Harness, HarnessError, Need, Unreliable, kept_by_xtask, play_by_xtask,
};
use ff_core::partition::PartitionConfig;
use tempfile::TempDir;

use super::vandals::InSqlite;
use super::{Backend, Time};

/// Deploys SQLite on files in a directory that goes when the run is over.
pub(super) struct SqliteHarness {
    directory: TempDir,
    files: AtomicU64,
    time: Time,
}

impl SqliteHarness {
    pub(super) fn new(time: Time) -> std::io::Result<Self> {
        Ok(Self { directory: tempfile::tempdir()?, files: AtomicU64::new(0), time })
    }
}

#[async_trait]
impl Harness for SqliteHarness {
    fn name(&self) -> &'static str {
        Backend::Sqlite.name()
    }

    async fn deploy(&self, case: &CaseInfo) -> Result<Deployment, HarnessError> {
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        let path = self.directory.path().join(format!("{number}.db"));
        let clock = self.time.clock();
        let partitions = PartitionConfig::default();
        let options = SqliteOptions::new(format!("file:{}", path.display()))
            .clock(clock.clone())
            .partitions(partitions)
            .dev_mode();
        let backend = options.clone().open().await?;
        let mut deployment = if case.needs.contains(&Need::Nemesis) {
            let unreliable = Unreliable::new(backend.clone());
            Deployment::new(unreliable.clone()).with_nemesis(unreliable)
        } else {
            Deployment::new(backend.clone())
        };
        deployment = deployment
            .with_vandal(Arc::new(InSqlite(backend.pool_for_test().clone())))
            .with_housekeeping(backend);
        if case.needs.contains(&Need::Concurrency) {
            deployment = deployment.with_peers(vec![options.open().await?]);
        }
        Ok(deployment.with_partitions(partitions).with_clock(clock))
    }

    fn rerun(&self, slug: &str, seed: u64) -> String {
        self.time.rerun(Backend::Sqlite, slug, seed)
    }

    fn regressions(&self) -> Option<PathBuf> {
        Some(kept_by_xtask())
    }

    fn play_again(&self, file: &Path) -> Option<String> {
        Some(play_by_xtask(self.name(), file))
    }
}
