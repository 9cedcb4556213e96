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
        let backend = RedbBackend::over(RedbStore::in_memory(clock.clone())?);
        let deployment = Deployment::new(Arc::new(backend)).with_clock(clock);
        Ok(deployment.with_partitions(RedbBackend::PARTITIONS))
    }
}

ff_conformance::main!(Redb);
