//! The suite on a model that can be given up between any two steps of a rule.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use ff_conformance::{
    CaseInfo, CaseReport, Deployment, Harness, HarnessError, Options, Progress, Selection, Status,
    run_backend,
};
use ff_core::backend::{BackendTag, Namespace, PrepareOutcome};
use ff_core::clock::ManualClock;
use ff_core::partition::PartitionConfig;
use ff_core::types::{EdgeId, ExecutionId, FlowId, LaneId, TimestampMs};
use ff_mock::{Edge, EdgeGroup, Execution, MemoryStore, Settings};
use ff_transactional::{
    Access, Attempt, CompletionRecord, Flow, LeaseRecord, Store, StoreError, Transactional, Tx,
};
use tokio::task::yield_now;

type Result<T> = std::result::Result<T, StoreError>;

/// Waits before each step, as a storage does that is reached by a network.
struct Hesitant(MemoryStore);

struct HesitantTx(<MemoryStore as Store>::Tx);

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

macro_rules! hesitant {
    ($(fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty;)*) => {
        impl Tx for HesitantTx {
            async fn commit(self) -> Result<()> {
                yield_now().await;
                self.0.commit().await
            }

            $(
                async fn $name(&mut self, $($arg: $ty),*) -> Result<$ret> {
                    yield_now().await;
                    self.0.$name($($arg),*).await
                }
            )*
        }
    };
}

hesitant! {
    fn ping() -> ();
    fn now() -> TimestampMs;
    fn execution(id: &ExecutionId) -> Option<Execution>;
    fn insert_execution(execution: &Execution, payload: &[u8], tags: &BTreeMap<String, String>) -> ();
    fn update_execution(execution: &Execution) -> ();
    fn payload(id: &ExecutionId) -> Vec<u8>;
    fn put_payload(id: &ExecutionId, payload: &[u8]) -> ();
    fn result(id: &ExecutionId) -> Option<Vec<u8>>;
    fn put_result(id: &ExecutionId, result: &[u8]) -> ();
    fn remove_result(id: &ExecutionId) -> ();
    fn tags(id: &ExecutionId) -> BTreeMap<String, String>;
    fn put_tag(id: &ExecutionId, key: &str, value: &str) -> ();
    fn put_attempt(id: &ExecutionId, attempt: &Attempt) -> ();
    fn attempt(id: &ExecutionId, index: u32) -> Option<Attempt>;
    fn idempotency(
        partition: u16,
        namespace: &Namespace,
        key: &str
    ) -> Option<(ExecutionId, TimestampMs)>;
    fn put_idempotency(
        namespace: &Namespace,
        key: &str,
        id: &ExecutionId,
        until: TimestampMs
    ) -> ();
    fn executions_after(
        partition: u16,
        cursor: Option<&ExecutionId>,
        limit: usize
    ) -> Vec<ExecutionId>;
    fn put_lane(lane: &LaneId) -> ();
    fn lanes_after(cursor: Option<&LaneId>, limit: usize) -> Vec<LaneId>;
    fn claimable_requirements(lane: &LaneId) -> Vec<BTreeSet<String>>;
    fn first_claimable(lane: &LaneId, sets: &[BTreeSet<String>]) -> Option<Execution>;
    fn flow(id: &FlowId) -> Option<Flow>;
    fn put_flow(flow: &Flow) -> ();
    fn flow_tags(id: &FlowId) -> BTreeMap<String, String>;
    fn put_flow_tag(id: &FlowId, key: &str, value: &str) -> ();
    fn flows_after(partition: u16, cursor: Option<&FlowId>, limit: usize) -> Vec<Flow>;
    fn members(flow: &FlowId) -> Vec<Execution>;
    fn put_backlog(flow: &FlowId, members: &[ExecutionId], due_at: TimestampMs) -> ();
    fn strike_backlog(flow: &FlowId, member: &ExecutionId) -> ();
    fn has_backlog(flow: &FlowId) -> bool;
    fn edge(flow: &FlowId, id: &EdgeId) -> Option<Edge>;
    fn put_edge(edge: &Edge) -> ();
    fn edges_from(flow: &FlowId, upstream: &ExecutionId) -> Vec<Edge>;
    fn edges_to(flow: &FlowId, downstream: &ExecutionId) -> Vec<Edge>;
    fn group(flow: &FlowId, downstream: &ExecutionId) -> Option<EdgeGroup>;
    fn put_group(group: &EdgeGroup) -> ();
    fn groups(flow: &FlowId) -> Vec<EdgeGroup>;
    fn append_completion(completion: &CompletionRecord) -> ();
    fn append_lease_event(event: &LeaseRecord) -> ();
}

struct HesitantHarness;

#[async_trait]
impl Harness for HesitantHarness {
    fn name(&self) -> &'static str {
        "hesitant"
    }

    async fn deploy(&self, _: &CaseInfo) -> std::result::Result<Deployment, HarnessError> {
        let clock = ManualClock::new();
        let settings = Settings {
            tag: BackendTag::Other("hesitant"),
            partitions: PartitionConfig::default(),
        };
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
    let given_up = ["flows.cascade.given-up", "system.generated.histories"];
    let selection = Selection {
        cases: given_up.map(str::to_owned).to_vec(),
        ..Selection::default()
    };
    let harness: Arc<dyn Harness> = Arc::new(HesitantHarness);
    let cases = selection.choose().unwrap();
    let report = run_backend(&harness, &cases, Options::default(), &Silent).await;
    for case in &report.cases {
        assert_eq!(
            case.status,
            Status::Passed,
            "{}: {:?}",
            case.slug,
            case.reason
        );
    }
    assert_eq!(report.cases.len(), 2);
}
