//! All it takes to validate a backend.

use std::sync::Arc;

use async_trait::async_trait;
use counting_backend::CountingBackend;
use ff_conformance::{CaseInfo, Deployment, Harness, HarnessError};
use ff_core::clock::ManualClock;

struct Counting;

#[async_trait]
impl Harness for Counting {
    fn name(&self) -> &str {
        "counting"
    }

    async fn deploy(&self, _case: &CaseInfo) -> Result<Deployment, HarnessError> {
        let clock = ManualClock::new();
        let backend = CountingBackend::new(clock.clone());
        let deployment = Deployment::new(Arc::new(backend)).with_clock(clock);
        Ok(deployment.with_partitions(CountingBackend::PARTITIONS))
    }
}

ff_conformance::main!(Counting);
