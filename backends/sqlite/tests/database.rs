//! What only SQLite has: opening, files, tables and the wake-up.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::collections::BTreeMap;
use std::sync::Arc;

use ff_backend_sqlite::{OpenError, SqliteBackend, SqliteOptions};
use ff_conformance::{check_layout, plain_execution};
use ff_core::backend::{
    CancelFlowPolicy, CancelFlowWait, CapabilitySet, ClaimPolicy, Handle, PrepareOutcome,
};
use ff_core::contracts::{AddExecutionToFlowArgs, CreateExecutionArgs, CreateFlowArgs};
use ff_core::engine_backend::EngineBackend;
use ff_core::policy::{ExecutionPolicy, RoutingRequirements};
use ff_core::types::{ExecutionId, FlowId, LaneId, TimestampMs, WorkerId, WorkerInstanceId};
use ff_transactional::records::{Kind, Outbox, Schema};
use ff_transactional::sql::{columns, names};
use rusqlite::Connection;
use uuid::Uuid;

async fn memory() -> Arc<SqliteBackend> {
    SqliteOptions::new(":memory:").dev_mode().open().await.unwrap()
}

async fn file(path: &std::path::Path) -> Arc<SqliteBackend> {
    let uri = format!("file:{}", path.display());
    SqliteOptions::new(uri).dev_mode().open().await.unwrap()
}

fn execution(capabilities: &[&str]) -> CreateExecutionArgs {
    let required = capabilities.iter().map(|token| (*token).to_owned()).collect();
    let id = ExecutionId::from_parts(0, Uuid::new_v4());
    let mut args = plain_execution(id, LaneId::new("default"));
    args.policy = Some(ExecutionPolicy {
        routing_requirements: Some(RoutingRequirements {
            required_capabilities: required,
            ..RoutingRequirements::default()
        }),
        ..ExecutionPolicy::default()
    });
    args
}

async fn claim(backend: &SqliteBackend) -> Handle {
    let policy = ClaimPolicy::new(WorkerId::new("w"), WorkerInstanceId::new("wi"), 30_000, None);
    let offers = CapabilitySet::new(["a", "b"]);
    let claimed = backend.claim(&LaneId::new("default"), &offers, policy).await;
    claimed.unwrap().expect("there is work")
}

/// Tests run without `FF_DEV_MODE`, as production would.
#[tokio::test]
async fn outside_development_it_does_not_open() {
    assert!(std::env::var("FF_DEV_MODE").is_err(), "unset FF_DEV_MODE to run this test");
    let refused = SqliteBackend::new(":memory:").await;
    assert!(matches!(refused, Err(OpenError::RequiresDevMode)));
}

#[tokio::test]
async fn a_bad_uri_is_told_from_a_bad_file() {
    for uri in
        ["", "file:", "file:?mode=memory&cash=shared", "file:x?mode=nonsense", "file:x?vfs=unix"]
    {
        let bad = SqliteOptions::new(uri).dev_mode().open().await;
        assert!(matches!(bad, Err(OpenError::Uri { .. })), "{uri:?}");
    }
    let bad = SqliteOptions::new("file:/no/such/directory/x.db").dev_mode().open().await;
    assert!(matches!(bad, Err(OpenError::Connect(_))));
}

#[tokio::test]
async fn every_form_of_uri_opens() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    for uri in [
        ":memory:".to_owned(),
        "file:shared-name?mode=memory&cache=shared".to_owned(),
        format!("file:{}", path.display()),
        path.display().to_string(),
    ] {
        let backend = SqliteOptions::new(uri.clone()).dev_mode().open().await;
        let backend = backend.unwrap_or_else(|error| panic!("{uri}: {error}"));
        backend.create_execution(execution(&[])).await.unwrap();
        assert_eq!(backend.prepare().await.unwrap(), PrepareOutcome::NoOp);
    }
}

async fn knows(backend: &SqliteBackend, id: &ExecutionId) -> bool {
    backend.describe_execution(id).await.unwrap().is_some()
}

#[tokio::test]
async fn memory_is_shared_by_name_and_else_nobodys() {
    let open = async |uri: &str| SqliteOptions::new(uri).dev_mode().open().await.unwrap();
    let args = execution(&[]);
    let shared = "file:by-name?mode=memory&cache=shared";
    let first = open(shared).await;
    first.create_execution(args.clone()).await.unwrap();
    assert!(knows(&*open(shared).await, &args.execution_id).await);
    for other in ["file:by-name?mode=memory", ":memory:", "file:other?mode=memory&cache=shared"] {
        assert!(!knows(&*open(other).await, &args.execution_id).await, "{other}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_open_a_new_file_at_once() {
    for _ in 0..10 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new.db");
        let open = (0..8).map(|_| {
            let path = path.clone();
            tokio::spawn(async move { file(&path).await })
        });
        let backends = futures_util::future::try_join_all(open).await.unwrap();
        let args = execution(&[]);
        backends[0].create_execution(args.clone()).await.unwrap();
        for backend in &backends {
            assert!(knows(backend, &args.execution_id).await);
        }
    }
}

/// A database that another process writes, played by a connection that nobody here knows of.
async fn kept_by_another(directory: &tempfile::TempDir) -> (Arc<SqliteBackend>, Connection) {
    let path = directory.path().join("kept.db");
    let backend = file(&path).await;
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    (backend, other)
}

#[tokio::test]
async fn who_writes_waits_for_another_process() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, other) = kept_by_another(&directory).await;
    let args = execution(&[]);
    let mut create = Box::pin(backend.create_execution(args.clone()));
    assert!(futures_util::poll!(&mut create).is_pending());
    other.execute_batch("COMMIT").unwrap();
    create.await.unwrap();
    assert!(knows(&backend, &args.execution_id).await);
}

#[tokio::test]
async fn who_writes_waits_for_five_seconds_and_no_longer() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, other) = kept_by_another(&directory).await;
    // From here on sleeping takes no time.
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let refused = backend.create_execution(execution(&[])).await.unwrap_err();
    let waited = begun.elapsed();
    assert_eq!(refused.code(), "transport", "{refused}");
    assert!((5_000..5_100).contains(&waited.as_millis()), "{waited:?}");
    other.execute_batch("ROLLBACK").unwrap();
    backend.create_execution(execution(&[])).await.unwrap();
}

#[tokio::test]
async fn files_outlive_the_backend_and_are_shared() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shared.db");
    let first = file(&path).await;
    let second = file(&path).await;
    let args = execution(&[]);
    first.create_execution(args.clone()).await.unwrap();
    let handle = claim(&second).await;
    first.complete(&handle, Some(b"done".to_vec())).await.unwrap();
    drop((first, second));

    let third = file(&path).await;
    let result = third.get_execution_result(&args.execution_id).await.unwrap();
    assert_eq!(result.as_deref(), Some(&b"done"[..]));
    let mode: String =
        sqlx::query_scalar("PRAGMA journal_mode").fetch_one(third.pool_for_test()).await.unwrap();
    assert_eq!(mode, "wal");
}

#[tokio::test]
async fn capabilities_and_lanes_can_be_read_from_tables() {
    let backend = memory().await;
    let args = execution(&["b", "a"]);
    backend.create_execution(args.clone()).await.unwrap();
    let tokens: Vec<String> = sqlx::query_scalar(
        "SELECT capability FROM ff_execution_capabilities WHERE execution_id = ? ORDER BY 1",
    )
    .bind(args.execution_id.uuid())
    .fetch_all(backend.pool_for_test())
    .await
    .unwrap();
    assert_eq!(tokens, ["a", "b"]);
    let lanes: Vec<String> = sqlx::query_scalar("SELECT lane_id FROM ff_lane_registry")
        .fetch_all(backend.pool_for_test())
        .await
        .unwrap();
    assert_eq!(lanes, ["default"]);
}

/// Every table has the columns that are declared, and an index begins with those of each index.
#[tokio::test]
async fn the_migrations_have_what_is_declared() {
    let backend = memory().await;
    let pool = backend.pool_for_test();
    for schema in declared() {
        let sql = "SELECT name, type FROM pragma_table_info(?)";
        let found: BTreeMap<String, String> = sqlx::query_as(sql)
            .bind(schema.table)
            .fetch_all(pool)
            .await
            .unwrap()
            .into_iter()
            .collect();
        for (name, kind) in columns(schema) {
            let expected = match kind {
                "integer" => "INTEGER",
                "text" => "TEXT",
                _ => "BLOB",
            };
            let column = format!("{}.{name}", schema.table);
            assert_eq!(found.get(&name).map(String::as_str), Some(expected), "{column}");
        }
        let sql = "SELECT group_concat(c.name) FROM pragma_index_list(?) l, \
                   pragma_index_info(l.name) c GROUP BY l.name";
        let found: Vec<String> =
            sqlx::query_scalar(sql).bind(schema.table).fetch_all(pool).await.unwrap();
        for index in &schema.indexes {
            let expected = names(&index.columns).replace(", ", ",");
            let serves = found.iter().any(|columns| columns.starts_with(&expected));
            assert!(serves, "{} lacks an index for {}", schema.table, index.name);
        }
    }
}

fn declared() -> impl Iterator<Item = &'static Schema> {
    let records = Kind::ALL.iter().map(|kind| kind.schema());
    records.chain(Outbox::ALL.iter().map(|outbox| outbox.schema()))
}

#[tokio::test]
async fn a_cancelled_flow_tells_of_every_member() {
    let backend = memory().await;
    let flow_id = FlowId::new();
    let flow = CreateFlowArgs {
        flow_id,
        flow_kind: "dag".to_owned(),
        namespace: "default".into(),
        now: TimestampMs(0),
    };
    backend.create_flow(flow).await.unwrap();
    for _ in 0..3 {
        let args = execution(&[]);
        backend.create_execution(args.clone()).await.unwrap();
        let join = AddExecutionToFlowArgs {
            flow_id,
            execution_id: args.execution_id,
            now: TimestampMs(0),
        };
        backend.add_execution_to_flow(join).await.unwrap();
    }
    backend
        .cancel_flow(&flow_id, CancelFlowPolicy::CancelAll, CancelFlowWait::NoWait)
        .await
        .unwrap();
    for (sql, expected) in [
        ("SELECT count(*) FROM ff_completion_event WHERE outcome = 'cancelled'", 3),
        ("SELECT count(*) FROM ff_lease_event WHERE event_type = 'revoked'", 3),
        ("SELECT count(*) FROM ff_exec_core WHERE lifecycle_phase = 'cancelled'", 3),
        ("SELECT count(*) FROM ff_flow_core WHERE public_flow_state = 'cancelled'", 1),
    ] {
        let count: i64 = sqlx::query_scalar(sql).fetch_one(backend.pool_for_test()).await.unwrap();
        assert_eq!(count, expected, "{sql}");
    }
}

/// Rows that contradict themselves are told, not mended.
#[tokio::test]
async fn rows_that_do_not_decode_are_corrupt() {
    for damage in [
        "UPDATE ff_exec_core SET fixed = x''",
        "UPDATE ff_exec_core SET changing = x''",
        "UPDATE ff_exec_core SET changing = fixed",
        "UPDATE ff_exec_core SET changing = substr(changing, 1, length(changing) - 1)",
        "UPDATE ff_exec_core SET changing = CAST(replace(changing, 'runnable', 'dreaming') AS BLOB)",
    ] {
        let backend = memory().await;
        let args = execution(&[]);
        backend.create_execution(args.clone()).await.unwrap();
        sqlx::query(damage).execute(backend.pool_for_test()).await.unwrap();
        let error = backend.describe_execution(&args.execution_id).await.unwrap_err();
        assert_eq!(error.code(), "validation.corruption", "{damage}: {error}");
    }
}

/// Memory lives as long as its connection, and a connection that a call gave up in some states is
/// closed.
#[tokio::test]
async fn a_call_that_is_given_up_takes_no_memory_with_it() {
    let backend = memory().await;
    let args = execution(&[]);
    backend.create_execution(args.clone()).await.unwrap();
    for polls in 0..200 {
        let mut write = Box::pin(backend.set_execution_tag(&args.execution_id, "app.k", "v"));
        let mut read = Box::pin(backend.describe_execution(&args.execution_id));
        for _ in 0..polls {
            let written = futures_util::poll!(&mut write).is_ready();
            if written || futures_util::poll!(&mut read).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop((write, read));
        let known = backend.describe_execution(&args.execution_id).await;
        assert!(known.unwrap().is_some(), "gone after {polls} polls");
    }
}

#[tokio::test]
async fn a_deployment_keeps_its_number_of_partitions() {
    let directory = tempfile::tempdir().unwrap();
    let uri = format!("file:{}", directory.path().join("kept.db").display());
    let open = async |partitions| {
        let options = SqliteOptions::new(&uri).partitions(partitions);
        options.dev_mode().open().await.unwrap()
    };
    check_layout(open).await.unwrap();
}
