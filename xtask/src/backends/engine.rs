//! A flow of a thousand members, an engine that sends what is due, and eight workers of which two
//! stop renewing: all members end, none twice.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ff_backend_postgres::PostgresOptions;
use ff_backend_sqlite::SqliteOptions;
use ff_backend_valkey::ValkeyOptions;
use ff_conformance::plain_execution;
use ff_core::backend::{BackendTag, CapabilitySet, ClaimPolicy, HandlePayload};
use ff_core::call::Call;
use ff_core::clock::ManualClock;
use ff_core::contracts::{
    AddExecutionToFlowArgs, ApplyDependencyToChildArgs, CancelExecutionArgs, CreateFlowArgs,
    ReplayExecutionArgs, StageDependencyEdgeArgs,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::housekeeping::Housekeeping;
use ff_core::partition::{PartitionConfig, PartitionKey, flow_partition};
use ff_core::state::PublicState;
use ff_core::types::{
    CancelSource, EdgeId, ExecutionId, FlowId, LaneId, TimestampMs, WorkerId, WorkerInstanceId,
};
use ff_mock::{MemoryStore, Settings};
use ff_provision::{Kind, Scratch};
use ff_transactional::Transactional;
use tokio::sync::RwLock;
use uuid::Uuid;

const LAYERS: usize = 20;
const WIDTH: usize = 50;
const WORKERS: usize = 8;
const TTL_MS: u32 = 60_000;
const NOW: TimestampMs = TimestampMs(0);

trait Engine: EngineBackend + Housekeeping {}

impl<B: EngineBackend + Housekeeping> Engine for B {}

/// What engine and workers share.
struct Run {
    backend: Arc<dyn Engine>,
    tag: BackendTag,
    clock: ManualClock,
    over: AtomicBool,
    /// Held from a claim to its completion.
    working: RwLock<()>,
    /// Workers that have taken something and gone.
    gone: AtomicUsize,
    completed: Mutex<BTreeMap<ExecutionId, usize>>,
}

async fn expect_all_end(backend: Arc<dyn Engine>, tag: BackendTag, clock: ManualClock) {
    let flow = FlowId::new();
    let members = build(&*backend, &flow).await;
    let run = Arc::new(Run {
        backend,
        tag,
        clock,
        over: AtomicBool::new(false),
        working: RwLock::default(),
        gone: AtomicUsize::new(0),
        completed: Mutex::default(),
    });
    let workers: Vec<_> = (0..WORKERS)
        .map(|number| {
            let run = Arc::clone(&run);
            tokio::spawn(async move { work(&run, number).await })
        })
        .collect();
    let home = PartitionKey::from(&flow_partition(&flow, &PartitionConfig::default()));
    while run.completed.lock().unwrap().len() < members.len() {
        let sent = settle(&run, &home).await;
        if sent == 0 && run.gone.load(Ordering::SeqCst) > 0 {
            // Only what the gone have taken lapses.
            let _nobody_works = run.working.write().await;
            run.clock.advance(Duration::from_millis(TTL_MS.into()));
        }
        tokio::task::yield_now().await;
    }
    run.over.store(true, Ordering::SeqCst);
    for worker in workers {
        worker.await.unwrap();
    }
    assert_eq!(run.gone.load(Ordering::SeqCst), 2, "two have gone");
    let completed = run.completed.lock().unwrap().clone();
    let once: BTreeMap<_, _> = members.iter().map(|id| (id.clone(), 1)).collect();
    assert_eq!(completed, once, "each ends once");
    for id in &members {
        let state = run.backend.read_execution_state(id).await.unwrap();
        assert_eq!(state, Some(PublicState::Completed));
    }
}

/// The engine of `examples/engine.rs`; how much it had to do.
async fn settle(run: &Run, home: &PartitionKey) -> usize {
    let due = run.backend.due(home, 100).await.unwrap();
    for call in &due {
        call.send(&*run.backend).await.unwrap();
        if let Call::MarkLeaseExpiredIfDue { execution_id, .. } = call {
            let given_up = CancelExecutionArgs {
                execution_id: execution_id.clone(),
                attempt_id: None,
                lease_epoch: None,
                lease_id: None,
                reason: "its worker is gone".to_owned(),
                source: CancelSource::OperatorOverride,
                now: NOW,
            };
            run.backend.cancel_execution(given_up).await.unwrap();
            let again = ReplayExecutionArgs { execution_id: execution_id.clone(), now: NOW };
            run.backend.replay_execution(again).await.unwrap();
        }
    }
    due.len()
}

/// Claims and completes. The first two take one each and are gone.
async fn work(run: &Run, number: usize) {
    let (lane, offers) = (LaneId::new("work"), CapabilitySet::default());
    while !run.over.load(Ordering::SeqCst) {
        let instance = WorkerInstanceId::new(format!("worker-{number}"));
        let policy = ClaimPolicy::new(WorkerId::new("worker"), instance, TTL_MS, None);
        let working = run.working.read().await;
        let Some(lease) = run.backend.claim(&lane, &offers, policy).await.unwrap() else {
            drop(working);
            tokio::task::yield_now().await;
            continue;
        };
        if number < 2 {
            run.gone.fetch_add(1, Ordering::SeqCst);
            return;
        }
        run.backend.complete(&lease, None).await.unwrap();
        let id = HandlePayload::open(run.tag, &lease).unwrap().execution_id;
        *run.completed.lock().unwrap().entry(id).or_default() += 1;
    }
}

/// Layers of members, each of which waits for two of the layer before.
async fn build(backend: &dyn Engine, flow: &FlowId) -> Vec<ExecutionId> {
    let args = CreateFlowArgs {
        flow_id: *flow,
        flow_kind: "dag".to_owned(),
        namespace: "tenant".into(),
        now: NOW,
    };
    backend.create_flow(args).await.unwrap();
    let home = flow_partition(flow, &PartitionConfig::default()).index;
    let mut members: Vec<ExecutionId> = Vec::new();
    for _ in 0..LAYERS * WIDTH {
        let id = ExecutionId::from_parts(home, Uuid::new_v4());
        let args = plain_execution(id.clone(), LaneId::new("work"));
        backend.create_execution(args).await.unwrap();
        let args = AddExecutionToFlowArgs { flow_id: *flow, execution_id: id.clone(), now: NOW };
        backend.add_execution_to_flow(args).await.unwrap();
        members.push(id);
    }
    let mut revision = members.len() as u64;
    for place in WIDTH..members.len() {
        let layer = place / WIDTH - 1;
        for above in [place % WIDTH, (place * 7 + 3) % WIDTH] {
            let upstream = &members[layer * WIDTH + above];
            depend(backend, flow, upstream, &members[place], revision).await;
            revision += 1;
        }
    }
    members
}

async fn depend(
    backend: &dyn Engine,
    flow: &FlowId,
    upstream: &ExecutionId,
    downstream: &ExecutionId,
    revision: u64,
) {
    let edge_id = EdgeId::new();
    let dependency_kind = "success_only".to_owned();
    let args = StageDependencyEdgeArgs {
        flow_id: *flow,
        edge_id,
        upstream_execution_id: upstream.clone(),
        downstream_execution_id: downstream.clone(),
        dependency_kind: dependency_kind.clone(),
        data_passing_ref: None,
        expected_graph_revision: revision,
        now: NOW,
    };
    backend.stage_dependency_edge(args).await.unwrap();
    let args = ApplyDependencyToChildArgs {
        flow_id: *flow,
        edge_id,
        upstream_execution_id: upstream.clone(),
        downstream_execution_id: downstream.clone(),
        dependency_kind,
        data_passing_ref: None,
        graph_revision: revision,
        now: NOW,
    };
    backend.apply_dependency_to_child(args).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_model() {
    let clock = ManualClock::new();
    let settings = Settings::new(BackendTag::Mock, PartitionConfig::default());
    let backend = Transactional::new(MemoryStore::new(clock.clone()), settings);
    expect_all_end(Arc::new(backend), BackendTag::Mock, clock).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let clock = ManualClock::new();
    let path = directory.path().join("engine.db");
    let options = SqliteOptions::new(format!("file:{}", path.display())).clock(clock.clone());
    let options = options.partitions(PartitionConfig::default()).dev_mode();
    let backend = options.open().await.unwrap();
    expect_all_end(backend, BackendTag::Sqlite, clock).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn needs_postgres() {
    let scratch = Scratch::on(Kind::Postgres).await.unwrap();
    let clock = ManualClock::new();
    let options = PostgresOptions::new(&scratch.server.url).schema(&scratch.name);
    let backend = options.clock(clock.clone()).open().await.unwrap();
    backend.prepare().await.unwrap();
    expect_all_end(backend, BackendTag::Postgres, clock).await;
    scratch.leave().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn needs_valkey() {
    let scratch = Scratch::on(Kind::Valkey).await.unwrap();
    let clock = ManualClock::new();
    let options = ValkeyOptions::new(&scratch.server.url).prefix(&scratch.name);
    let backend = options.clock(clock.clone()).open().await.unwrap();
    expect_all_end(backend, BackendTag::Valkey, clock).await;
    scratch.leave().await.unwrap();
}
