//! The suite on a model that can be given up between any two steps of a rule.

use std::sync::Arc;

use async_trait::async_trait;
use ff_conformance::{
    CaseInfo, CaseReport, Deployment, Harness, HarnessError, Options, Progress, Selection, Status,
    run_backend,
};
use ff_core::backend::{BackendTag, PrepareOutcome};
use ff_core::clock::ManualClock;
use ff_core::partition::PartitionConfig;
use ff_core::types::TimestampMs;
use ff_mock::{MemoryStore, Record, Settings};
use ff_transactional::records::Outbox;
use ff_transactional::{
    Access, Changes, Events, Feed, Place, Query, Store, StoreError, Transactional, Tx,
};
use tokio::task::yield_now;

type Result<T> = std::result::Result<T, StoreError>;

/// Waits before each step, as a storage does that is reached by a network.
struct Hesitant(MemoryStore);

struct HesitantTx(<MemoryStore as Store>::Tx);

impl Feed for Hesitant {
    async fn events(&self, outbox: Outbox, behind: Option<&Place>, limit: usize) -> Result<Events> {
        self.0.events(outbox, behind, limit).await
    }
}

impl Store for Hesitant {
    type Tx = HesitantTx;

    async fn begin(&self, access: Access) -> Result<HesitantTx> {
        yield_now().await;
        Ok(HesitantTx(self.0.begin(access).await?))
    }

    async fn prepare(&self) -> Result<PrepareOutcome> {
        self.0.prepare().await
    }
}

impl Tx for HesitantTx {
    async fn get(&mut self, queries: &[Query]) -> Result<Vec<Vec<Record>>> {
        yield_now().await;
        self.0.get(queries).await
    }

    async fn lock(&mut self, queries: &[Query]) -> Result<Vec<Vec<Record>>> {
        yield_now().await;
        self.0.lock(queries).await
    }

    async fn now(&mut self) -> Result<TimestampMs> {
        yield_now().await;
        self.0.now().await
    }

    async fn ping(&mut self) -> Result<()> {
        yield_now().await;
        self.0.ping().await
    }

    async fn commit(self, changes: Changes) -> Result<()> {
        yield_now().await;
        self.0.commit(changes).await
    }
}

struct HesitantHarness;

#[async_trait]
impl Harness for HesitantHarness {
    fn name(&self) -> &'static str {
        "hesitant"
    }

    async fn deploy(&self, _: &CaseInfo) -> std::result::Result<Deployment, HarnessError> {
        let clock = ManualClock::new();
        let settings = Settings::new(BackendTag::Other("hesitant"), PartitionConfig::default());
        let store = Hesitant(MemoryStore::new(clock.clone()));
        let backend = Arc::new(Transactional::new(store, settings));
        Ok(Deployment::new(backend).with_clock(clock))
    }
}

struct Silent;

impl Progress for Silent {
    fn done(&self, _: &CaseReport) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_given_up_between_two_steps_has_happened_or_not() {
    let given_up = ["flows.cascade.given-up", "system.interactions.histories"];
    let selection =
        Selection { cases: given_up.map(str::to_owned).to_vec(), ..Selection::default() };
    let harness: Arc<dyn Harness> = Arc::new(HesitantHarness);
    let cases = selection.choose().unwrap();
    let report = run_backend(&harness, &cases, Options::default(), &Silent).await;
    for case in &report.cases {
        assert_eq!(case.status, Status::Passed, "{}: {:?}", case.slug, case.reason);
    }
    assert_eq!(report.cases.len(), 2);
}
