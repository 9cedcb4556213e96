//! Many workers on one lane: everything is claimed once, completed once, and reported once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ferriskey::Value as Reply;
use ff_backend_postgres::PostgresOptions;
use ff_backend_sqlite::SqliteOptions;
use ff_backend_valkey::ValkeyOptions;
use ff_conformance::plain_execution;
use ff_core::backend::{BackendTag, CapabilitySet, ClaimPolicy, HandlePayload};
use ff_core::clock::Clock;
use ff_core::contracts::{CreateExecutionArgs, CreateExecutionResult};
use ff_core::engine_backend::EngineBackend;
use ff_core::partition::PartitionConfig;
use ff_core::state::PublicState;
use ff_core::types::{ExecutionId, LaneId, WorkerId, WorkerInstanceId};
use ff_mock::{MemoryStore, Settings};
use ff_provision::{Kind, Scratch};
use ff_transactional::Transactional;
use serde_json::Value;
use uuid::Uuid;

const WORKERS: usize = 16;
const EXECUTIONS: usize = 2_000;

/// Instances of one deployment; workers share them.
type Instances = Vec<Arc<dyn EngineBackend>>;

/// Creates, claims and completes; the ids, for a look at the outbox.
async fn drained(instances: &Instances, tag: BackendTag) -> BTreeSet<String> {
    let expected = created(instances).await;
    let workers: Vec<_> = (0..WORKERS)
        .map(|number| {
            let instance = Arc::clone(&instances[number % instances.len()]);
            tokio::spawn(async move { work(&*instance, tag, number).await })
        })
        .collect();
    let mut claimed = Vec::new();
    for worker in workers {
        claimed.extend(worker.await.unwrap());
    }
    assert_eq!(claimed.len(), EXECUTIONS, "each is claimed once");
    let ids: BTreeSet<String> = claimed.iter().map(ToString::to_string).collect();
    assert_eq!(ids, expected, "and every one is");
    for id in &claimed {
        let snapshot = instances[0].describe_execution(id).await.unwrap().unwrap();
        assert_eq!(snapshot.public_state, PublicState::Completed);
        assert_eq!(snapshot.total_attempt_count, 1);
    }
    ids
}

async fn created(instances: &Instances) -> BTreeSet<String> {
    let creators: Vec<_> = (0..WORKERS)
        .map(|number| {
            let instance = Arc::clone(&instances[number % instances.len()]);
            tokio::spawn(async move {
                let mut ids = Vec::new();
                for place in 0..EXECUTIONS / WORKERS {
                    let partition = u16::try_from(place * WORKERS + number).unwrap() % 256;
                    let args = execution(partition);
                    ids.push(args.execution_id.to_string());
                    let outcome = instance.create_execution(args).await.unwrap();
                    assert!(matches!(outcome, CreateExecutionResult::Created { .. }));
                }
                ids
            })
        })
        .collect();
    let mut ids = BTreeSet::new();
    for creator in creators {
        ids.extend(creator.await.unwrap());
    }
    ids
}

/// Claims and completes until there is nothing left.
async fn work(instance: &dyn EngineBackend, tag: BackendTag, number: usize) -> Vec<ExecutionId> {
    let worker = WorkerInstanceId::new(format!("worker-{number}"));
    let policy = ClaimPolicy::new(WorkerId::new("worker"), worker, 60_000, None);
    let (lane, offers) = (LaneId::new("lane"), CapabilitySet::default());
    let mut claimed = Vec::new();
    loop {
        let claim = instance.claim(&lane, &offers, policy.clone());
        let Some(handle) = claim.await.unwrap() else {
            return claimed;
        };
        let payload = HandlePayload::open(tag, &handle).unwrap();
        instance.complete(&handle, None).await.unwrap();
        claimed.push(payload.execution_id);
    }
}

fn execution(partition: u16) -> CreateExecutionArgs {
    let id = ExecutionId::from_parts(partition, Uuid::new_v4());
    plain_execution(id, LaneId::new("lane"))
}

/// The outbox names each execution once.
fn expect_once(told: impl IntoIterator<Item = String>, expected: BTreeSet<String>) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for id in told {
        *counts.entry(id).or_default() += 1;
    }
    let once: BTreeMap<_, _> = expected.into_iter().map(|id| (id, 1)).collect();
    assert_eq!(counts, once, "one completion each");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_model() {
    let settings = Settings::new(BackendTag::Mock, PartitionConfig::default());
    let backend = Arc::new(Transactional::new(MemoryStore::new(Clock::Server), settings));
    let instances: Instances = vec![backend.clone()];
    let ids = drained(&instances, BackendTag::Mock).await;
    let told = backend.store().completions().await;
    expect_once(told.iter().map(|event| event.execution.to_string()), ids);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contention.db");
    let backend = SqliteOptions::new(format!("file:{}", path.display()))
        .partitions(PartitionConfig::default())
        .dev_mode()
        .open()
        .await
        .unwrap();
    let instances: Instances = vec![backend.clone()];
    let ids = drained(&instances, BackendTag::Sqlite).await;
    let told: Vec<(u16, Uuid)> =
        sqlx::query_as("SELECT partition_key, execution_id FROM ff_completion_event")
            .fetch_all(backend.pool_for_test())
            .await
            .unwrap();
    let id = |(partition, uuid)| ExecutionId::from_parts(partition, uuid).to_string();
    expect_once(told.into_iter().map(id), ids);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn needs_postgres() {
    let scratch = Scratch::on(Kind::Postgres).await.unwrap();
    let mut backends = Vec::new();
    for _ in 0..4 {
        let options = PostgresOptions::new(&scratch.server.url).schema(&scratch.name);
        backends.push(options.connections(4).open().await.unwrap());
    }
    backends[0].prepare().await.unwrap();
    let instances: Instances = backends.iter().map(|b| b.clone() as _).collect();
    let ids = drained(&instances, BackendTag::Postgres).await;
    let pool = backends[0].pool_for_test();
    let told: Vec<(i64, Uuid)> =
        sqlx::query_as("SELECT partition_key, execution_id FROM ff_completion_event")
            .fetch_all(pool)
            .await
            .unwrap();
    let id = |(partition, uuid)| format!("{{fp:{partition}}}:{uuid}");
    expect_once(told.into_iter().map(id), ids);
    scratch.leave().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn needs_valkey() {
    let scratch = Scratch::on(Kind::Valkey).await.unwrap();
    let prefix = &scratch.name;
    let mut backends = Vec::new();
    for _ in 0..4 {
        let options = ValkeyOptions::new(&scratch.server.url).prefix(prefix);
        backends.push(options.open().await.unwrap());
    }
    let instances: Instances = backends.iter().map(|b| b.clone() as _).collect();
    let ids = drained(&instances, BackendTag::Valkey).await;
    let client = backends[0].client_for_test();
    let mut told = Vec::new();
    for partition in 0..256 {
        let outbox = format!("{prefix}{{fp:{partition}}}:completions");
        let range = client.cmd("XRANGE").arg(outbox).arg("-").arg("+");
        let mut texts = Vec::new();
        flatten(range.execute().await.unwrap(), &mut texts);
        let pairs = texts.windows(2).filter(|pair| pair[0] == b"event");
        let event = |packed: &[u8]| rmp_serde::from_slice::<Vec<Value>>(packed).unwrap();
        told.extend(pairs.map(|pair| event(&pair[1])[0].as_str().unwrap().to_owned()));
    }
    expect_once(told, ids);
    scratch.leave().await.unwrap();
}

/// The texts in a reply, in order, however they are nested.
fn flatten(value: Reply, texts: &mut Vec<Vec<u8>>) {
    match value {
        Reply::BulkString(bytes) => texts.push(bytes.to_vec()),
        Reply::Array(items) => {
            for item in items {
                flatten(item.unwrap(), texts);
            }
        }
        Reply::Map(entries) => {
            for (key, value) in entries {
                flatten(key, texts);
                flatten(value, texts);
            }
        }
        other => panic!("unexpected in a stream: {other:?}"),
    }
}
