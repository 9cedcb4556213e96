//! What `project_flow_summary` writes, which no call shows, read from each storage.

use std::sync::Arc;

use ff_backend_postgres::PostgresOptions;
use ff_backend_sqlite::SqliteOptions;
use ff_backend_valkey::ValkeyOptions;
use ff_conformance::plain_execution;
use ff_core::backend::{
    BackendTag, CancelFlowPolicy, CancelFlowWait, CapabilitySet, ClaimPolicy, Handle,
};
use ff_core::clock::ManualClock;
use ff_core::contracts::{AddExecutionToFlowArgs, CreateFlowArgs};
use ff_core::engine_backend::EngineBackend;
use ff_core::partition::{PartitionConfig, flow_partition};
use ff_core::types::{ExecutionId, FlowId, LaneId, TimestampMs, WorkerId, WorkerInstanceId};
use ff_mock::{MemoryStore, Settings};
use ff_provision::{Kind, Scratch};
use ff_transactional::records::{self, Flow, Packed, Record, Stored};
use ff_transactional::{Access, Query, Store, Transactional, Tx};
use serde_json::{Value, json};
use uuid::Uuid;

/// A time that has more digits than Lua writes by itself.
const NOW: TimestampMs = TimestampMs(9_007_199_254_740_001);

const LANE: &str = "lane";

/// Lets the members of a flow pass through stages, and reads what is written at each.
async fn expect_stages(backend: Arc<dyn EngineBackend>, read: impl AsyncFn(FlowId) -> Value) {
    let flow = FlowId::new();
    let args = CreateFlowArgs {
        flow_id: flow,
        flow_kind: "dag".to_owned(),
        namespace: "tenant".into(),
        now: NOW,
    };
    backend.create_flow(args).await.unwrap();
    let expect = async |state: &str, counts: Value| {
        let home = flow_partition(&flow, &PartitionConfig::default());
        let written = backend.project_flow_summary(home, &flow, TimestampMs(5));
        assert!(written.await.unwrap());
        let numbers = counts.as_object().unwrap().values();
        let total: u64 = numbers.filter_map(Value::as_u64).sum();
        let expected = json!({
            "projected_at": NOW.0,
            "counts": counts,
            "total": total,
            "state": state,
        });
        assert_eq!(read(flow).await, expected);
    };
    add_member(&backend, &flow).await;
    add_member(&backend, &flow).await;
    expect("open", json!({ "waiting": 2 })).await;
    let held = claim(&backend).await;
    expect("running", json!({ "active": 1, "waiting": 1 })).await;
    backend.wait_children(&held).await.unwrap();
    expect("blocked", json!({ "waiting": 1, "waiting_children": 1 })).await;
    let held = claim(&backend).await;
    backend.complete(&held, None).await.unwrap();
    expect("blocked", json!({ "completed": 1, "waiting_children": 1 })).await;
    let (policy, wait) = (CancelFlowPolicy::CancelAll, CancelFlowWait::NoWait);
    backend.cancel_flow(&flow, policy, wait).await.unwrap();
    expect("failed", json!({ "cancelled": 1, "completed": 1 })).await;
}

fn projection_in(record: &Record) -> Value {
    let flow = Flow::of(record).expect("a flow");
    serde_json::to_value(&flow.projection).unwrap()
}

async fn add_member(backend: &Arc<dyn EngineBackend>, flow: &FlowId) {
    let home = flow_partition(flow, &PartitionConfig::default()).index;
    let id = ExecutionId::from_parts(home, Uuid::new_v4());
    let args = plain_execution(id.clone(), LaneId::new(LANE));
    backend.create_execution(args).await.unwrap();
    let args = AddExecutionToFlowArgs { flow_id: *flow, execution_id: id, now: NOW };
    backend.add_execution_to_flow(args).await.unwrap();
}

async fn claim(backend: &Arc<dyn EngineBackend>) -> Handle {
    let (worker, instance) = (WorkerId::new("w"), WorkerInstanceId::new("w-1"));
    let policy = ClaimPolicy::new(worker, instance, 10, None);
    let offers = CapabilitySet::default();
    let lane = LaneId::new(LANE);
    let claim = backend.claim(&lane, &offers, policy);
    claim.await.unwrap().unwrap()
}

#[tokio::test]
async fn on_the_model() {
    let settings = Settings::new(BackendTag::Mock, PartitionConfig::default());
    let store = MemoryStore::new(ManualClock::starting_at(NOW));
    let backend = Arc::new(Transactional::new(store, settings));
    let read = async |flow| {
        let mut tx = backend.store().begin(Access::Look).await.unwrap();
        let asked = Query::Key(Flow::at(&flow).key().clone());
        let found = tx.get(&[asked]).await.unwrap();
        projection_in(&found[0][0])
    };
    expect_stages(backend.clone(), read).await;
}

#[tokio::test]
async fn on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("projections.db");
    let backend = SqliteOptions::new(format!("file:{}", path.display()))
        .partitions(PartitionConfig::default())
        .clock(ManualClock::starting_at(NOW))
        .dev_mode()
        .open()
        .await
        .unwrap();
    let read = async |flow: FlowId| {
        let select = "SELECT fixed, changing FROM ff_flow_core WHERE flow_id = ?";
        let select = sqlx::query_as(select).bind(flow.0);
        let (fixed, changing) = select.fetch_one(backend.pool_for_test()).await.unwrap();
        projection_in(&records::Kind::Flow.unpack(&Packed { fixed, changing }).unwrap())
    };
    expect_stages(backend.clone(), read).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn needs_postgres() {
    let scratch = Scratch::on(Kind::Postgres).await.unwrap();
    let options = PostgresOptions::new(&scratch.server.url).schema(&scratch.name);
    let clock = ManualClock::starting_at(NOW);
    let backend = options.clock(clock).open().await.unwrap();
    backend.prepare().await.unwrap();
    let pool = backend.pool_for_test();
    let read = async |flow: FlowId| {
        let select = "SELECT fixed, changing FROM ff_flow_core WHERE flow_id = $1";
        let select = sqlx::query_as(select).bind(flow.0);
        let (fixed, changing) = select.fetch_one(pool).await.unwrap();
        projection_in(&records::Kind::Flow.unpack(&Packed { fixed, changing }).unwrap())
    };
    expect_stages(backend.clone(), read).await;
    scratch.leave().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn needs_valkey() {
    let scratch = Scratch::on(Kind::Valkey).await.unwrap();
    let prefix = &scratch.name;
    let options = ValkeyOptions::new(&scratch.server.url).prefix(prefix);
    let clock = ManualClock::starting_at(NOW);
    let backend = options.clock(clock).open().await.unwrap();
    let client = backend.client_for_test();
    let read = async |flow: FlowId| {
        let home = flow_partition(&flow, &PartitionConfig::default());
        let key = format!("{prefix}{}:flow:36:{flow}", home.hash_tag());
        let packed: Vec<u8> = client.cmd("GET").arg(key).execute().await.unwrap();
        let fields: Vec<Value> = rmp_serde::from_slice(&packed).unwrap();
        // The last field, as `lua/kinds.lua` orders them.
        fields.last().unwrap().clone()
    };
    expect_stages(backend.clone(), read).await;
    scratch.leave().await.unwrap();
}
