//! Schemas, locks, records that do not decode.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ff_backend_postgres::{OpenError, PostgresBackend, PostgresOptions};
use ff_conformance::{check_layout, plain_execution};
use ff_core::backend::{
    CancelFlowPolicy, CancelFlowWait, CapabilitySet, ClaimPolicy, Handle, PrepareOutcome,
};
use ff_core::contracts::{AddExecutionToFlowArgs, CreateExecutionArgs, CreateFlowArgs};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::partition::PartitionConfig;
use ff_core::state::PublicState;
use ff_core::types::{ExecutionId, FlowId, LaneId, TimestampMs, WorkerId, WorkerInstanceId};
use ff_provision::{Kind, Scratch};
use ff_transactional::records::{self, Outbox};
use ff_transactional::sql::{columns, names};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor};
use uuid::Uuid;

async fn scratch() -> Scratch {
    Scratch::on(Kind::Postgres).await.unwrap()
}

fn options(scratch: &Scratch) -> PostgresOptions {
    PostgresOptions::new(&scratch.server.url).schema(&scratch.name)
}

async fn open(scratch: &Scratch) -> Arc<PostgresBackend> {
    options(scratch).open().await.unwrap()
}

fn execution() -> CreateExecutionArgs {
    let id = ExecutionId::from_parts(3, Uuid::new_v4());
    plain_execution(id, LaneId::new("lane"))
}

/// A claim by a worker that offers `gpu`.
async fn claim(backend: &PostgresBackend) -> Option<Handle> {
    let (worker, instance) = (WorkerId::new("worker"), WorkerInstanceId::new("worker-1"));
    let policy = ClaimPolicy::new(worker, instance, 30_000, None);
    backend.claim(&LaneId::new("lane"), &CapabilitySet::new(["gpu"]), policy).await.unwrap()
}

#[tokio::test]
async fn preparing_an_empty_database_takes_less_than_a_second() {
    let scratch = scratch().await;
    let backend = open(&scratch).await;
    let begun = Instant::now();
    let outcome = backend.prepare().await.unwrap();
    let took = begun.elapsed();
    assert!(matches!(outcome, PrepareOutcome::Applied { .. }));
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(backend.prepare().await.unwrap(), PrepareOutcome::NoOp);
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()")
            .fetch_one(backend.pool_for_test())
            .await
            .unwrap();
    println!("{tables} tables, prepared in {took:?}");
    // One for each kind of records and each outbox, and the one of the migrations themselves.
    let declared = records::Kind::ALL.len() + Outbox::ALL.len() + 1;
    assert_eq!(usize::try_from(tables).unwrap(), declared, "tables");
    scratch.leave().await.unwrap();
}

#[tokio::test]
async fn of_several_instances_that_prepare_at_once_one_applies() {
    let scratch = scratch().await;
    let mut instances = Vec::new();
    for _ in 0..8 {
        instances.push(open(&scratch).await);
    }
    let preparing: Vec<_> = instances
        .iter()
        .cloned()
        .map(|instance| tokio::spawn(async move { instance.prepare().await }))
        .collect();
    let mut applied = 0;
    for outcome in preparing {
        let outcome = outcome.await.unwrap().unwrap();
        applied += usize::from(matches!(outcome, PrepareOutcome::Applied { .. }));
    }
    assert_eq!(applied, 1);
    scratch.leave().await.unwrap();
}

#[tokio::test]
async fn a_name_that_is_no_schema_is_refused() {
    let scratch = scratch().await;
    for name in [
        "",
        "1st",
        "Upper",
        "a-b",
        "a\"; DROP SCHEMA public",
        "pg_catalog",
        "pg_mine",
        "information_schema",
        &"x".repeat(64),
    ] {
        let opened = PostgresOptions::new(&scratch.server.url).schema(name).open().await;
        assert!(matches!(opened, Err(OpenError::Schema(_))), "{name:?}");
    }
    scratch.leave().await.unwrap();
}

#[tokio::test]
async fn without_connections_it_does_not_open() {
    let scratch = scratch().await;
    let opened = options(&scratch).connections(0).open().await;
    assert!(matches!(opened, Err(OpenError::NoConnections)));
    scratch.leave().await.unwrap();
}

#[tokio::test]
async fn passwords_do_not_show() {
    let options = PostgresOptions::new("postgres://user:secret@host:none/database");
    let shown = format!("{options:?}");
    let error = options.open().await.err().unwrap();
    let mut chain = vec![format!("{error:?} {error}")];
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        chain.push(format!("{error:?} {error}"));
        source = error.source();
    }
    for text in [&shown].into_iter().chain(&chain) {
        assert!(!text.contains("secret"), "{text}");
    }
    assert!(shown.contains("postgres://user:***@host"), "{shown}");
}

/// The name is a reserved word, and the library that migrates has a table of its own there already.
#[tokio::test]
async fn a_schema_is_shared_with_others() {
    let scratch = scratch().await;
    let pool = PgPoolOptions::new().max_connections(1);
    let pool = pool.connect(&scratch.server.url).await.unwrap();
    let foreign = "DROP SCHEMA IF EXISTS \"order\" CASCADE; CREATE SCHEMA \"order\"; \
                   CREATE TABLE \"order\"._sqlx_migrations (version text)";
    pool.execute(foreign).await.unwrap();
    let options = PostgresOptions::new(&scratch.server.url).schema("order");
    let backend = options.open().await.unwrap();
    assert!(matches!(backend.prepare().await.unwrap(), PrepareOutcome::Applied { .. }));
    backend.create_execution(execution()).await.unwrap();
    let lease = claim(&backend).await.unwrap();
    backend.complete(&lease, None).await.unwrap();
    assert_eq!(backend.prepare().await.unwrap(), PrepareOutcome::NoOp);
    pool.execute("DROP SCHEMA \"order\" CASCADE").await.unwrap();
    scratch.leave().await.unwrap();
}

#[tokio::test]
async fn a_record_that_does_not_decode_is_corruption() {
    let scratch = scratch().await;
    let backend = open(&scratch).await;
    backend.prepare().await.unwrap();
    let args = execution();
    let id = args.execution_id.clone();
    backend.create_execution(args).await.unwrap();
    for damage in [
        "UPDATE ff_exec_core SET fixed = ''",
        "UPDATE ff_exec_core SET changing = ''",
        "UPDATE ff_exec_core SET changing = fixed",
    ] {
        backend.pool_for_test().execute(damage).await.unwrap();
        let error = backend.describe_execution(&id).await.unwrap_err();
        assert_eq!(error.code(), "validation.corruption", "{error}");
        let error = backend.set_execution_tag(&id, "app.k", "v").await.unwrap_err();
        assert_eq!(error.code(), "validation.corruption", "{error}");
    }
    scratch.leave().await.unwrap();
}

/// Every table has the columns that are declared, and an index begins with those of each index.
#[tokio::test]
async fn the_migrations_have_what_is_declared() {
    let scratch = scratch().await;
    let backend = open(&scratch).await;
    backend.prepare().await.unwrap();
    let pool = backend.pool_for_test();
    let records = records::Kind::ALL.iter().map(|kind| kind.schema());
    for schema in records.chain(Outbox::ALL.iter().map(|outbox| outbox.schema())) {
        let sql = "SELECT column_name::text, data_type::text FROM information_schema.columns \
                   WHERE table_schema = current_schema() AND table_name = $1";
        let found: Vec<(String, String)> =
            sqlx::query_as(sql).bind(schema.table).fetch_all(pool).await.unwrap();
        for (name, kind) in columns(schema) {
            let expected = match kind {
                "integer" => "bigint",
                "bytes" => "bytea",
                other => other,
            };
            let column = (name, expected.to_owned());
            assert!(found.contains(&column), "{} lacks {column:?}", schema.table);
        }
        let sql = "SELECT indexdef FROM pg_indexes \
                   WHERE schemaname = current_schema() AND tablename = $1";
        let found: Vec<String> =
            sqlx::query_scalar(sql).bind(schema.table).fetch_all(pool).await.unwrap();
        for index in &schema.indexes {
            let expected = format!("({}", names(&index.columns));
            // A requirement set is longer than an index takes.
            let expected = expected
                .replace("queue_requirements", "md5(queue_requirements)")
                .replace("resumable_requirements", "md5(resumable_requirements)");
            let serves = found.iter().any(|index| index.contains(&expected));
            assert!(serves, "{} lacks an index for {}", schema.table, index.name);
        }
    }
    scratch.leave().await.unwrap();
}

#[tokio::test]
async fn a_claim_passes_over_what_others_have_locked() {
    let scratch = scratch().await;
    let backend = open(&scratch).await;
    backend.prepare().await.unwrap();
    let (mut first, second) = (execution(), execution());
    first.priority = 5;
    for args in [&first, &second] {
        backend.create_execution(args.clone()).await.unwrap();
    }
    let mut change = backend.pool_for_test().begin().await.unwrap();
    let hold = "SELECT 1 FROM ff_exec_core WHERE queue_rank = 8995 FOR UPDATE";
    change.execute(hold).await.unwrap();
    assert!(claim(&backend).await.is_some(), "the second");
    assert!(claim(&backend).await.is_none(), "nobody waits for the first");
    let state = backend.read_execution_state(&second.execution_id).await;
    assert_eq!(state.unwrap(), Some(PublicState::Active));
    change.commit().await.unwrap();
    assert!(claim(&backend).await.is_some(), "the first");
    scratch.leave().await.unwrap();
}

#[tokio::test]
async fn a_claim_looks_behind_all_that_are_locked() {
    let scratch = scratch().await;
    let backend = open(&scratch).await;
    backend.prepare().await.unwrap();
    let mut last = execution();
    for number in 0..300 {
        let mut args = execution();
        args.priority = 300 - number;
        backend.create_execution(args.clone()).await.unwrap();
        last = args;
    }
    let mut changes = backend.pool_for_test().begin().await.unwrap();
    let hold = "SELECT 1 FROM ff_exec_core WHERE queue_rank < 8999 FOR UPDATE";
    changes.execute(hold).await.unwrap();
    assert!(claim(&backend).await.is_some());
    let state = backend.read_execution_state(&last.execution_id).await;
    assert_eq!(state.unwrap(), Some(PublicState::Active));
    assert!(claim(&backend).await.is_none(), "all others are locked");
    changes.rollback().await.unwrap();
    scratch.leave().await.unwrap();
}

#[tokio::test]
async fn a_call_that_is_given_up_leaves_no_transaction_open() {
    let scratch = scratch().await;
    open(&scratch).await.prepare().await.unwrap();
    // One connection, so that the call and whoever looks have the same.
    let connect: PgConnectOptions = scratch.server.url.parse().unwrap();
    let connect = connect.options([("search_path", &scratch.name)]);
    let pool = PgPoolOptions::new().max_connections(1);
    let pool = pool.connect_with(connect).await.unwrap();
    let backend = options(&scratch).over(pool).unwrap();
    let args = execution();
    backend.create_execution(args.clone()).await.unwrap();
    for polls in 0..400 {
        let mut call = Box::pin(backend.set_execution_tag(&args.execution_id, "app.k", "v"));
        for _ in 0..polls {
            if futures_util::poll!(&mut call).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(call);
        // In a transaction, time stands still.
        let now = || {
            sqlx::query_scalar::<_, f64>("SELECT extract(epoch FROM now())::float8")
                .fetch_one(backend.pool_for_test())
        };
        let (first, second) = (now().await.unwrap(), now().await.unwrap());
        assert!(first < second, "a transaction is open after {polls} polls");
    }
    scratch.leave().await.unwrap();
}

/// Completes an execution that another transaction has locked, until the server ends the wait.
async fn complete_in_vain(backend: &PostgresBackend, lease: &Handle, code: &str) {
    let refused = backend.complete(lease, None).await.unwrap_err();
    assert_eq!(refused.code(), code, "{refused}");
}

#[tokio::test]
async fn a_statement_that_the_server_ends_fails_alone() {
    let scratch = scratch().await;
    let locker = open(&scratch).await;
    locker.prepare().await.unwrap();
    for (setting, code) in [
        ("statement_timeout", "transport"),
        // Somebody else was in the way, three times.
        ("lock_timeout", "contention.retry_exhausted"),
    ] {
        let url = format!("{}?options[{setting}]=50", scratch.server.url);
        // One connection, so that the next call has the same.
        let one = PostgresOptions::new(url).schema(&scratch.name).connections(1);
        let backend = one.open().await.unwrap();
        backend.create_execution(execution()).await.unwrap();
        let lease = claim(&backend).await.unwrap();
        let mut lock = locker.pool_for_test().begin().await.unwrap();
        let all = "SELECT 1 FROM ff_exec_core FOR UPDATE";
        lock.execute(all).await.unwrap();
        for _ in 0..3 {
            complete_in_vain(&backend, &lease, code).await;
            let known = backend.describe_execution(&execution().execution_id).await;
            assert_eq!(known.unwrap(), None, "the next call works");
        }
        lock.rollback().await.unwrap();
        backend.complete(&lease, None).await.unwrap();
    }
    scratch.leave().await.unwrap();
}

#[tokio::test]
async fn a_statement_that_is_cancelled_fails_alone() {
    let scratch = scratch().await;
    let locker = open(&scratch).await;
    locker.prepare().await.unwrap();
    let backend = options(&scratch).connections(1).open().await.unwrap();
    backend.create_execution(execution()).await.unwrap();
    let lease = claim(&backend).await.unwrap();
    let mut lock = locker.pool_for_test().begin().await.unwrap();
    let all = "SELECT 1 FROM ff_exec_core FOR UPDATE";
    lock.execute(all).await.unwrap();
    let cancelled = async {
        // Whoever waits for this lock.
        let cancel = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity \
                      WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))";
        loop {
            let count: i64 = sqlx::query_scalar(cancel).fetch_one(&mut *lock).await.unwrap();
            if count > 0 {
                return;
            }
        }
    };
    tokio::join!(complete_in_vain(&backend, &lease, "transport"), cancelled);
    lock.rollback().await.unwrap();
    backend.complete(&lease, None).await.unwrap();
    scratch.leave().await.unwrap();
}

/// 12 MiB of progress: more than one statement sends.
#[tokio::test]
async fn a_large_flow_is_cancelled_as_a_whole_or_not_at_all() {
    const MEMBERS: u32 = 200;
    let scratch = scratch().await;
    let backend = open(&scratch).await;
    backend.prepare().await.unwrap();
    let (flow, now) = (FlowId::new(), TimestampMs::now());
    let new = CreateFlowArgs {
        flow_id: flow,
        flow_kind: "dag".to_owned(),
        namespace: "tenant".into(),
        now,
    };
    backend.create_flow(new).await.unwrap();
    let mut members = Vec::new();
    for number in 0..MEMBERS {
        let uuid = Uuid::from_u128(number.into());
        let partitions = PartitionConfig::default();
        let id = ExecutionId::deterministic_for_flow(&flow, &partitions, uuid);
        let execution = plain_execution(id.clone(), LaneId::new("lane"));
        backend.create_execution(execution).await.unwrap();
        let joining = AddExecutionToFlowArgs { flow_id: flow, execution_id: id.clone(), now };
        backend.add_execution_to_flow(joining).await.unwrap();
        let lease = claim(&backend).await.unwrap();
        let told = "x".repeat(65_536);
        backend.progress(&lease, None, Some(told)).await.unwrap();
        members.push(id);
    }
    let in_state = async |state: PublicState| {
        let mut count = 0;
        for id in &members {
            let seen = backend.read_execution_state(id).await.unwrap();
            count += u32::from(seen == Some(state));
        }
        count
    };
    let (all, wait) = (CancelFlowPolicy::CancelAll, CancelFlowWait::NoWait);
    let pool = backend.pool_for_test();
    let last = members.last().unwrap().uuid();
    let stumbles = format!(
        "CREATE FUNCTION stumble() RETURNS trigger AS \
         $$ BEGIN RAISE EXCEPTION 'it stumbles'; END $$ LANGUAGE plpgsql; \
         CREATE TRIGGER stumbles BEFORE UPDATE ON ff_exec_core FOR EACH ROW \
         WHEN (NEW.execution_id = '{last}') EXECUTE FUNCTION stumble()"
    );
    pool.execute(sqlx::raw_sql(AssertSqlSafe(stumbles))).await.unwrap();
    let refused = backend.cancel_flow(&flow, all, wait).await.unwrap_err();
    assert!(matches!(refused, EngineError::Transport { .. }), "{refused}");
    assert_eq!(in_state(PublicState::Active).await, MEMBERS);
    let mended = "DROP TRIGGER stumbles ON ff_exec_core";
    pool.execute(sqlx::raw_sql(mended)).await.unwrap();
    backend.cancel_flow(&flow, all, wait).await.unwrap();
    assert_eq!(in_state(PublicState::Cancelled).await, MEMBERS);
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
