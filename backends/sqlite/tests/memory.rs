//! The suite on a database in memory, in one partition.

use async_trait::async_trait;
use ff_backend_sqlite::SqliteOptions;
use ff_conformance::{CaseInfo, Deployment, Harness, HarnessError, Unreliable};
use ff_core::clock::ManualClock;
use ff_core::partition::PartitionConfig;

struct InMemory;

#[async_trait]
impl Harness for InMemory {
    fn name(&self) -> &'static str {
        "sqlite-memory"
    }

    async fn deploy(&self, _: &CaseInfo) -> Result<Deployment, HarnessError> {
        let clock = ManualClock::new();
        let options = SqliteOptions::new(":memory:").clock(clock.clone());
        let backend = options.dev_mode().open().await?;
        let unreliable = Unreliable::new(backend.clone());
        Ok(Deployment::new(unreliable.clone())
            .with_nemesis(unreliable)
            .with_housekeeping(backend)
            .with_clock(clock)
            .with_partitions(PartitionConfig::single()))
    }
}

ff_conformance::main!(InMemory);
