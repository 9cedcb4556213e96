//! What a server can do at most, by calls that do next to nothing.

use std::path::Path;
use std::time::{Duration, Instant};

use ferriskey::{Client, Value};
use ff_conformance::HarnessError;
use ff_provision::Scratch;
use rand::Rng;
use rusqlite::Connection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor};

use super::measure::{AsyncWorker, Times, drive, timed};
use super::place::Place;
use crate::backends::Backend;

/// Rows of the table that is updated, as in `pgbench` at its smallest scale.
const ACCOUNTS: i32 = 100_000;

/// The limit of the place's server over this many connections, per second, if it has one.
pub(super) async fn measure(
    place: &Place,
    connections: usize,
    time: Duration,
) -> Result<Option<f64>, HarnessError> {
    Ok(match (place.backend, &place.scratch) {
        (Backend::Postgres, Some(scratch)) => Some(updates(scratch, connections, time).await?),
        (Backend::Valkey, Some(scratch)) => Some(functions(scratch, connections, time).await?),
        (Backend::Sqlite, _) => {
            let file = place.directory.path().join("limit.db");
            Some(tokio::task::spawn_blocking(move || inserts(&file, time)).await??)
        }
        _ => None,
    })
}

/// A function that does nothing.
struct Functions(Client);

const LIBRARY: &str = "#!lua name=ff_bench\n\
    server.register_function{function_name = 'ff_bench', flags = {'no-writes'}, \
    callback = function() return 'nothing' end}";

impl AsyncWorker for Functions {
    async fn work(&mut self, times: &mut Times) -> Result<(), HarnessError> {
        let call = self.0.cmd("FCALL").arg("ff_bench").arg("1").arg("key");
        timed(times, call.execute::<Value>()).await.map(drop)
    }
}

async fn functions(
    scratch: &Scratch,
    connections: usize,
    time: Duration,
) -> Result<f64, HarnessError> {
    let mut workers = Vec::new();
    for _ in 0..connections {
        workers.push(Functions(ff_provision::connect(&scratch.server.url).await?));
    }
    let first = workers[0].0.clone();
    first.function_load_replace(LIBRARY).await?;
    let load = drive(workers, time).await;
    first.function_delete("ff_bench").await?;
    Ok(load?.per_s)
}

/// `pgbench`'s simple-update: five messages.
struct Updates(PgPool);

impl AsyncWorker for Updates {
    async fn work(&mut self, times: &mut Times) -> Result<(), HarnessError> {
        timed(times, self.update()).await
    }
}

impl Updates {
    async fn update(&self) -> Result<(), sqlx::Error> {
        let (account, delta) = {
            let mut rng = rand::rng();
            (rng.random_range(0..ACCOUNTS), rng.random_range(-5_000..5_000))
        };
        let mut tx = self.0.begin().await?;
        sqlx::query("UPDATE accounts SET balance = balance + $1 WHERE id = $2")
            .bind(delta)
            .bind(account)
            .execute(&mut *tx)
            .await?;
        let balance: i32 = sqlx::query_scalar("SELECT balance FROM accounts WHERE id = $1")
            .bind(account)
            .fetch_one(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO history (teller, branch, account, delta, balance, at) \
             VALUES (1, 1, $1, $2, $3, CURRENT_TIMESTAMP)",
        )
        .bind(account)
        .bind(delta)
        .bind(balance)
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }
}

async fn updates(
    scratch: &Scratch,
    connections: usize,
    time: Duration,
) -> Result<f64, HarnessError> {
    let schema = format!("{}_limit", scratch.name);
    let options: PgConnectOptions = scratch.server.url.parse()?;
    let pool = PgPoolOptions::new()
        .max_connections(u32::try_from(connections)?)
        .test_before_acquire(false)
        .connect_with(options.options([("search_path", &schema)]))
        .await?;
    let create = format!(
        "CREATE SCHEMA {schema};
         CREATE TABLE accounts (id int PRIMARY KEY, branch int, balance int, filler char(84));
         INSERT INTO accounts SELECT id, 1, 0, '' FROM generate_series(0, {ACCOUNTS} - 1) AS id;
         CREATE TABLE history (teller int, branch int, account int, delta int, balance int,
             at timestamp, filler char(22))"
    );
    pool.execute(sqlx::raw_sql(AssertSqlSafe(create))).await?;
    pool.execute("VACUUM ANALYZE accounts").await?;
    let workers = (0..connections).map(|_| Updates(pool.clone()));
    let load = drive(workers, time).await;
    let drop = format!("DROP SCHEMA {schema} CASCADE");
    pool.execute(AssertSqlSafe(drop)).await?;
    Ok(load?.per_s)
}

/// One row a transaction, with no thread between; one writer is all that a file allows.
fn inserts(file: &Path, time: Duration) -> rusqlite::Result<f64> {
    let database = Connection::open(file)?;
    database.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
         CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, value TEXT)",
    )?;
    let mut insert = database.prepare("INSERT INTO rows (value) VALUES (?)")?;
    let begun = Instant::now();
    let mut done = 0.0;
    while begun.elapsed() < time {
        insert.execute(["a row of some forty characters, no more"])?;
        done += 1.0;
    }
    Ok(done / begun.elapsed().as_secs_f64())
}
