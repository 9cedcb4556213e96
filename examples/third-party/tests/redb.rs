//! All it takes to validate a backend.

use std::sync::Arc;

use async_trait::async_trait;
use ff_conformance::{CaseInfo, Deployment, Harness, HarnessError};
use ff_core::clock::ManualClock;
use redb_backend::{RedbBackend, RedbStore};

struct Redb;

#[async_trait]
impl Harness for Redb {
    fn name(&self) -> &str {
        "redb"
    }

    async fn deploy(&self, _case: &CaseInfo) -> Result<Deployment, HarnessError> {
        let clock = ManualClock::new();
        let backend = Arc::new(RedbBackend::over(RedbStore::in_memory(clock.clone())?));
        Ok(Deployment::new(backend.clone())
            .with_clock(clock)
            .with_housekeeping(backend)
            .with_partitions(RedbBackend::PARTITIONS))
    }
}

ff_conformance::main!(Redb);
