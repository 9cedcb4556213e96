//! Statements that a Postgres server ends while they wait, at the first message and at the write of every
//! method: cancelled, killed with their connection, and timed out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use ff_backend_postgres::{PostgresBackend, PostgresOptions};
use ff_conformance::Deployment;
use ff_core::call::{Call, Reply};
use ff_core::clock::ManualClock;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_provision::{Kind, Scratch};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};

use super::round::{Each, Round, made};

/// What holds a message up: a lock on all tables against everybody, or against those who write.
const AT: [(&str, &str); 2] = [("first message", "ACCESS EXCLUSIVE"), ("write", "SHARE")];

/// What ends a statement that waits; a name and what strikes it, if it does not end by itself.
type Blow = (&'static str, Option<&'static str>);

const FROM_OUTSIDE: &[Blow] =
    &[("cancelled", Some("pg_cancel_backend")), ("killed", Some("pg_terminate_backend"))];

const BY_ITSELF: &[Blow] = &[("timed out", None)];

struct Attack {
    /// Holds the locks.
    holder: PgConnection,
    /// Ends who waits for them.
    striker: PgConnection,
    tables: String,
    blows: &'static [Blow],
    /// How each method was struck.
    struck: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Attack {
    async fn on(deployment: &Deployment, url: &str, blows: &'static [Blow]) -> Self {
        let backend = deployment.backend().as_any();
        let backend: &PostgresBackend = backend.downcast_ref().unwrap();
        let tables = "SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_tables \
                      WHERE schemaname = current_schema()";
        let tables = sqlx::query_scalar(tables);
        Self {
            tables: tables.fetch_one(backend.pool_for_test()).await.unwrap(),
            holder: PgConnection::connect(url).await.unwrap(),
            striker: PgConnection::connect(url).await.unwrap(),
            blows,
            struck: BTreeMap::new(),
        }
    }

    /// Makes the call while all tables are locked, and strikes it when it waits. What it answers, and whether
    /// it was struck.
    async fn strike(
        &mut self,
        deployment: &Deployment,
        call: &Call,
        lock: &str,
        blow: Option<&str>,
    ) -> (Result<Reply, EngineError>, bool) {
        let locking = format!("BEGIN; LOCK TABLE {} IN {lock} MODE", self.tables);
        let locking = sqlx::raw_sql(AssertSqlSafe(locking));
        self.holder.execute(locking).await.unwrap();
        let holder: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
            .fetch_one(&mut self.holder)
            .await
            .unwrap();
        let blow = blow.map_or("pid".to_owned(), |blow| format!("{blow}(pid)"));
        let strike = format!(
            "SELECT count({blow}) FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))"
        );
        let (backend, call) = (Arc::clone(deployment.backend()), call.clone());
        let calling = tokio::spawn(async move { call.send(&*backend).await });
        let mut struck = false;
        while !calling.is_finished() {
            let strike = sqlx::query_scalar(AssertSqlSafe(strike.clone())).bind(holder);
            let hit: i64 = strike.fetch_one(&mut self.striker).await.unwrap();
            struck |= hit > 0;
        }
        let answer = calling.await.unwrap();
        self.holder.execute("ROLLBACK").await.unwrap();
        (answer, struck)
    }
}

impl Each for Attack {
    async fn make(&mut self, deployment: &Deployment, call: &Call) -> Reply {
        for (at, lock) in AT {
            for &(struck_how, blow) in self.blows {
                let (answer, struck) = self.strike(deployment, call, lock, blow).await;
                assert_eq!(answer.is_err(), struck, "{call:?} {struck_how}: {answer:?}");
                if struck {
                    let struck = self.struck.entry(call.method().as_str()).or_default();
                    struck.insert(format!("{struck_how} at {at}"));
                }
            }
        }
        made(deployment, call).await
    }
}

/// Everything that is struck, a line a method.
async fn struck(deployment: Deployment, url: &str, blows: &'static [Blow]) -> String {
    let attack = Attack::on(&deployment, url, blows).await;
    let mut round = Round::of(deployment, attack);
    round.play().await;
    let mut table = String::new();
    for (method, struck) in &round.each.struck {
        let struck: Vec<&str> = struck.iter().map(String::as_str).collect();
        writeln!(table, "{method}: {}", struck.join(", ")).unwrap();
    }
    table
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn needs_postgres_for_statements_that_are_ended() {
    let scratch = Scratch::on(Kind::Postgres).await.unwrap();
    let deployment = deployment(&scratch, &scratch.server.url).await;
    let table = struck(deployment, &scratch.server.url, FROM_OUTSIDE).await;
    scratch.leave().await.unwrap();
    insta::assert_snapshot!("ended", table);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn needs_postgres_for_statements_that_time_out() {
    let scratch = Scratch::on(Kind::Postgres).await.unwrap();
    let url = &scratch.server.url;
    let separator = if url.contains('?') { '&' } else { '?' };
    // Nobody but the attack makes a statement wait for a lock.
    let impatient = format!("{url}{separator}options[lock_timeout]=20");
    let deployment = deployment(&scratch, &impatient).await;
    let table = struck(deployment, url, BY_ITSELF).await;
    scratch.leave().await.unwrap();
    insta::assert_snapshot!("timed_out", table);
}

async fn deployment(scratch: &Scratch, url: &str) -> Deployment {
    let clock = ManualClock::new();
    let options = PostgresOptions::new(url).schema(&scratch.name);
    let backend = options.clock(clock.clone()).open().await.unwrap();
    backend.prepare().await.unwrap();
    Deployment::new(backend).with_clock(clock)
}
