//! Round trips, the library, keys.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ff_backend_valkey::{OpenError, ValkeyBackend, ValkeyOptions};
use ff_conformance::{check_layout, plain_execution};
use ff_core::backend::{CapabilitySet, ClaimPolicy, PrepareOutcome};
use ff_core::contracts::CreateExecutionArgs;
use ff_core::engine_backend::EngineBackend;
use ff_core::partition::PartitionConfig;
use ff_core::state::PublicState;
use ff_core::types::{ExecutionId, LaneId, WorkerId, WorkerInstanceId};
use ff_provision::{Kind, Proxy, Scratch, Servers, keys};
use ff_transactional::Patch;
use ff_transactional::records::{self, Outbox};
use uuid::Uuid;

async fn scratch() -> Scratch {
    Scratch::on(Kind::Valkey).await.unwrap()
}

fn options(scratch: &Scratch) -> ValkeyOptions {
    ValkeyOptions::new(&scratch.server.url).prefix(&scratch.name)
}

fn execution(partition: u16) -> CreateExecutionArgs {
    let id = ExecutionId::from_parts(partition, Uuid::new_v4());
    plain_execution(id, LaneId::new("lane"))
}

async fn claim(backend: &ValkeyBackend) -> Option<ff_core::backend::Handle> {
    let (worker, instance) = (WorkerId::new("worker"), WorkerInstanceId::new("worker-1"));
    let policy = ClaimPolicy::new(worker, instance, 30_000, None);
    let capabilities = CapabilitySet::default();
    backend.claim(&LaneId::new("lane"), &capabilities, policy).await.unwrap()
}

#[tokio::test]
async fn word_of_new_work_reaches_other_instances() {
    let scratch = scratch().await;
    let creates = options(&scratch).open().await.unwrap();
    let waits = options(&scratch).open().await.unwrap();
    let lane = LaneId::new("lane");
    // A claim that nothing satisfies makes its instance listen.
    let claims = Arc::clone(&waits);
    let patience = Some(Duration::from_mins(10));
    let policy = ClaimPolicy::new(
        WorkerId::new("worker"),
        WorkerInstanceId::new("worker-1"),
        30_000,
        patience,
    );
    let claim = tokio::spawn(async move {
        let nowhere = LaneId::new("nowhere");
        claims.claim(&nowhere, &CapabilitySet::default(), policy).await
    });
    let told = waits.waiting_for_test().told(&lane);
    tokio::pin!(told);
    // What comes before it listens is told to nobody.
    while futures_util::poll!(&mut told).is_pending() {
        creates.create_execution(execution(3)).await.unwrap();
    }
    claim.abort();
    scratch.leave().await.unwrap();
}

#[tokio::test]
async fn a_claim_costs_few_round_trips_with_256_partitions() {
    let scratch = scratch().await;
    let proxy = Proxy::before(&scratch.server).await.unwrap();
    // A library of its own, so that no other test unloads it in between.
    let patch = Patch {
        file: "executions/tags.lua",
        what: "-- Tags of executions.",
        instead: "-- Executions' tags.",
    };
    let backend =
        ValkeyOptions::new(proxy.url()).prefix(&scratch.name).patch(patch).open().await.unwrap();
    assert_eq!(PartitionConfig::default().num_flow_partitions, 256);
    backend.prepare().await.unwrap();

    let (none, trips) = proxy.counted(claim(&backend)).await;
    assert!(none.is_none());
    assert!(trips <= 2, "{trips} round trips for an empty lane");
    for partition in 0..256 {
        let (_, trips) = proxy.counted(backend.create_execution(execution(partition))).await;
        assert_eq!(trips, 1, "a creation");
        let (handle, trips) = proxy.counted(claim(&backend)).await;
        assert!(trips <= 3, "{trips} round trips to partition {partition}");
        let handle = handle.unwrap();
        let (_, trips) = proxy.counted(backend.complete(&handle, None)).await;
        assert_eq!(trips, 1, "a completion");
        let (none, trips) = proxy.counted(claim(&backend)).await;
        assert!(none.is_none());
        assert!(trips <= 2, "{trips} round trips for a lane that is empty again");
    }
    backend.unload().await.unwrap();
    scratch.leave().await.unwrap();
}

/// What `lua/kinds.lua` says of one kind.
#[derive(Debug, serde::Deserialize)]
struct LuaKind {
    #[serde(default)]
    key: Vec<String>,
    fields: Vec<String>,
    #[serde(default)]
    // Only the names count.
    #[allow(clippy::zero_sized_map_values)]
    indexes: BTreeMap<String, serde::de::IgnoredAny>,
}

#[derive(serde::Deserialize)]
struct LuaKinds {
    kinds: BTreeMap<String, LuaKind>,
    outboxes: BTreeMap<String, LuaKind>,
}

#[tokio::test]
async fn the_kinds_of_the_library_are_those_declared() {
    let scratch = scratch().await;
    let backend = options(&scratch).open().await.unwrap();
    let lua: LuaKinds = backend.kinds_for_test().await.unwrap();
    let expected: BTreeSet<&str> = records::Kind::ALL.iter().map(|k| k.schema().name).collect();
    let known: BTreeSet<&str> = lua.kinds.keys().map(String::as_str).collect();
    assert_eq!(known, expected);
    for kind in records::Kind::ALL {
        let schema = kind.schema();
        let known = &lua.kinds[schema.name];
        let names: Vec<&str> = schema.fields.iter().map(|field| field.name).collect();
        let (key, fields) = names.split_at(known.key.len());
        assert_eq!((&*known.key, &*known.fields), (&*owned(key), &*owned(fields)), "{kind:?}");
        for index in schema.indexes.iter().skip(1) {
            assert!(known.indexes.contains_key(index.name), "{kind:?} lacks {}", index.name);
        }
        for name in known.indexes.keys() {
            assert!(schema.indexes.iter().any(|index| index.name == name), "{kind:?} has {name}");
        }
    }
    for outbox in Outbox::ALL {
        let schema = outbox.schema();
        let names: Vec<&str> = schema.fields.iter().map(|field| field.name).collect();
        assert_eq!(lua.outboxes[schema.name].fields, owned(&names), "{outbox:?}");
    }
    assert_eq!(lua.outboxes.len(), Outbox::ALL.len());
    scratch.leave().await.unwrap();
}

/// As under a server that evicts, or after somebody has removed a key by hand.
#[tokio::test]
async fn work_whose_record_is_gone_blocks_nobody() {
    let scratch = scratch().await;
    let backend = options(&scratch).open().await.unwrap();
    let (mut lost, kept) = (execution(3), execution(3));
    lost.priority = 9;
    for args in [&lost, &kept] {
        backend.create_execution(args.clone()).await.unwrap();
    }
    let client = backend.client_for_test();
    let id = lost.execution_id.to_string();
    let key = format!("{}{{fp:3}}:execution:{}:{id}", scratch.name, id.len());
    let removed: i64 = client.cmd("DEL").arg(key).execute().await.unwrap();
    assert_eq!(removed, 1);
    assert!(claim(&backend).await.is_some(), "the one that is there");
    assert!(claim(&backend).await.is_none());
    let state = backend.read_execution_state(&kept.execution_id).await;
    assert_eq!(state.unwrap(), Some(PublicState::Active));
    backend.create_execution(lost).await.unwrap();
    assert!(claim(&backend).await.is_some(), "created anew");

    backend.create_execution(execution(3)).await.unwrap();
    let queue = format!("{}{{fp:3}}:queue:4:lane:0:", scratch.name);
    let removed: i64 = client.cmd("DEL").arg(queue).execute().await.unwrap();
    assert_eq!(removed, 1);
    assert!(claim(&backend).await.is_none(), "a queue that is gone");
    scratch.leave().await.unwrap();
}

#[tokio::test]
async fn passwords_do_not_show() {
    for url in ["valkey://user:secret@host:none", "nonsense:secret@host"] {
        let options = ValkeyOptions::new(url);
        let shown = format!("{options:?}");
        let error = options.open().await.err().unwrap();
        let error = format!("{error:?} {error} {:?}", std::error::Error::source(&error));
        for text in [shown, error] {
            assert!(!text.contains("secret"), "{text}");
        }
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_library_is_healed_by_whoever_calls_next() {
    let scratch = scratch().await;
    // A library of its own, so that no other test loses it.
    let patch = Patch {
        file: "executions/lists.lua",
        what: "-- Listing executions and lanes",
        instead: "-- Listing lanes and executions",
    };
    let backend = options(&scratch).patch(patch).open().await.unwrap();
    assert!(matches!(backend.prepare().await.unwrap(), PrepareOutcome::Applied { .. }));
    assert_eq!(backend.prepare().await.unwrap(), PrepareOutcome::NoOp);

    let args = execution(7);
    let id = args.execution_id.clone();
    backend.unload().await.unwrap();
    backend.create_execution(args).await.unwrap();
    backend.unload().await.unwrap();
    assert!(backend.describe_execution(&id).await.unwrap().is_some());
    backend.unload().await.unwrap();
    let lanes = backend.list_lanes(None, 10).await.unwrap().lanes;
    assert_eq!(lanes, vec![LaneId::new("lane")]);
    backend.unload().await.unwrap();
    assert!(claim(&backend).await.is_some());
    for round in 0..20 {
        backend.unload().await.unwrap();
        let calls: Vec<_> = (0..16)
            .map(|_| {
                let backend = Arc::clone(&backend);
                tokio::spawn(async move { backend.create_execution(execution(9)).await })
            })
            .collect();
        for call in calls {
            assert!(call.await.unwrap().is_ok(), "round {round}");
        }
    }
    backend.unload().await.unwrap();
    scratch.leave().await.unwrap();
}

#[tokio::test]
async fn two_versions_of_the_library_stand_side_by_side() {
    let scratch = scratch().await;
    let patch = Patch {
        file: "executions/create.lua",
        what: "execution.clamped(args.priority)",
        instead: "5",
    };
    let one = options(&scratch).open().await.unwrap();
    let other = options(&scratch).patch(patch).open().await.unwrap();
    one.prepare().await.unwrap();
    other.prepare().await.unwrap();
    for (backend, expected) in [(&one, 0), (&other, 5), (&one, 0)] {
        let args = execution(1);
        let id = args.execution_id.clone();
        backend.create_execution(args).await.unwrap();
        let info = backend.read_execution_info(&id).await.unwrap().unwrap();
        assert_eq!(info.priority, expected);
    }
    other.unload().await.unwrap();
    let id = execution(2);
    one.create_execution(id).await.unwrap();
    scratch.leave().await.unwrap();
}

#[tokio::test]
async fn every_key_of_a_call_is_in_the_partition_s_slot() {
    let scratch = scratch().await;
    let backend = options(&scratch).open().await.unwrap();
    let mut args = execution(200);
    args.idempotency_key = Some("a {key} of braces".to_owned());
    args.tags.insert("app.tag".to_owned(), "value".to_owned());
    backend.create_execution(args).await.unwrap();
    let handle = claim(&backend).await.unwrap();
    backend.complete(&handle, Some(b"result".to_vec())).await.unwrap();
    let all = format!("{}*", scratch.name);
    let mut keys = keys(backend.client_for_test(), &all).await.unwrap();
    // The first call of all has kept these.
    keys.retain(|key| !key.contains("{fp:0}:layout:"));
    let begins = format!("{}{{fp:200}}:", scratch.name);
    assert!(keys.len() >= 8, "{keys:?}");
    assert!(keys.iter().all(|key| key.starts_with(&begins)), "{keys:?}");
    scratch.leave().await.unwrap();
}

#[tokio::test]
async fn a_deployment_keeps_its_number_of_partitions() {
    let scratch = scratch().await;
    let open = async |partitions| {
        let options = options(&scratch).partitions(partitions);
        options.open().await.unwrap()
    };
    check_layout(open).await.unwrap();
    scratch.leave().await.unwrap();
}

/// What an evicting server loses is lost, but no call fails for it.
#[tokio::test]
async fn an_evicting_server_is_refused_and_blocks_nobody() {
    const CREATED: u16 = 6_000;
    let servers = Servers::default();
    let server = servers.start(Kind::Valkey).await.unwrap();
    let opened = || ValkeyOptions::new(&server.url).open();
    let backend = opened().await.unwrap();
    let client = backend.client_for_test();
    let set = async |setting: &str, value: &str| {
        let set = client.cmd("CONFIG").arg("SET").arg(setting).arg(value);
        set.execute::<String>().await.unwrap();
    };
    set("maxmemory-policy", "allkeys-random").await;
    let Err(OpenError::Evicts(policy)) = opened().await else {
        panic!("it is opened");
    };
    assert_eq!(policy, "allkeys-random");

    for number in 0..CREATED {
        backend.create_execution(execution(number % 8)).await.unwrap();
    }
    // Less than it has in use already.
    set("maxmemory", "4mb").await;
    let mut claimed = 0;
    while claim(&backend).await.is_some() {
        claimed += 1;
    }
    assert!(claimed < CREATED, "something was evicted");
    servers.down().await;
}
