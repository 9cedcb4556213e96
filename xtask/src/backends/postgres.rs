//! Postgres, in a schema for each case out of a pool of warm ones.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use ff_backend_postgres::{APPLIED, PostgresOptions};
use ff_conformance::{CaseInfo, Deployment, Harness, HarnessError, kept_by_xtask, play_by_xtask};
use ff_core::engine_backend::EngineBackend;
use ff_provision::Server;
use ff_transactional::Patch;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};
use tokio::sync::Mutex as AsyncMutex;
use uuid::Uuid;

use super::vandals::InPostgres;
use super::{Backend, CutOff, Time};

/// Connections of one case at most; a server usually allows a hundred in all.
const CONNECTIONS: u32 = 4;

/// Deploys Postgres in schemas whose names begin with the run's prefix, and drops them at the end.
#[derive(Clone)]
pub(crate) struct PostgresHarness {
    server: Arc<Server>,
    patch: Option<Patch>,
    time: Time,
    prefix: String,
    /// Holds a lock under the prefix's name for as long as the run lives.
    alive: Arc<AsyncMutex<PgConnection>>,
    warm: Arc<Mutex<Warm>>,
}

#[derive(Default)]
struct Warm {
    made: usize,
    idle: Vec<Slot>,
}

/// A schema with its tables, and connections that see it.
struct Slot {
    schema: String,
    pool: PgPool,
}

impl PostgresHarness {
    pub(crate) async fn new(server: Arc<Server>, time: Time) -> Result<Self, HarnessError> {
        let prefix = format!("ff_case_{}", Uuid::new_v4().simple());
        let mut alive = server.url.parse::<PgConnectOptions>()?.connect().await?;
        sqlx::query("SELECT pg_advisory_lock(hashtextextended($1, 0))")
            .bind(&prefix)
            .execute(&mut alive)
            .await?;
        drop_abandoned(&mut alive).await?;
        Ok(Self {
            server,
            patch: None,
            time,
            prefix,
            alive: Arc::new(AsyncMutex::new(alive)),
            warm: Arc::default(),
        })
    }

    /// The same, for backends whose SQL is wrong in one line.
    pub(crate) fn patched(&self, patch: Patch) -> Self {
        Self { patch: Some(patch), ..self.clone() }
    }

    /// An empty schema: one that another case has left, or a new one.
    async fn slot(&self) -> Result<Slot, HarnessError> {
        let (idle, number) = {
            let mut warm = self.warm.lock().unwrap_or_else(PoisonError::into_inner);
            let idle = warm.idle.pop();
            if idle.is_none() {
                warm.made += 1;
            }
            (idle, warm.made)
        };
        if let Some(slot) = idle {
            empty(&slot).await?;
            return Ok(slot);
        }
        let schema = format!("{}_{number}", self.prefix);
        let backend = PostgresOptions::new(&self.server.url)
            .schema(&schema)
            .connections(CONNECTIONS)
            .open()
            .await?;
        backend.prepare().await?;
        let pool = backend.pool_for_test().clone();
        Ok(Slot { schema, pool })
    }
}

#[async_trait]
impl Harness for PostgresHarness {
    fn name(&self) -> &'static str {
        Backend::Postgres.name()
    }

    async fn deploy(&self, case: &CaseInfo) -> Result<Deployment, HarnessError> {
        let slot = self.slot().await?;
        let clock = self.time.clock();
        let cut_off = CutOff::of(&self.server, case).await?;
        let url = cut_off.as_ref().map_or(&*self.server.url, |it| it.0.url());
        let mut options = PostgresOptions::new(url).schema(&slot.schema).clock(clock.clone());
        if let Some(patch) = self.patch {
            options = options.patch(patch);
        }
        let peer = options.clone().over(slot.pool.clone())?;
        let deployment = if let Some(cut_off) = cut_off {
            let backend = options.connections(CONNECTIONS).open().await?;
            Deployment::new(backend.clone())
                .with_nemesis(Arc::new(cut_off))
                .with_housekeeping(backend)
        } else {
            let backend = options.over(slot.pool.clone())?;
            Deployment::new(backend.clone()).with_housekeeping(backend)
        };
        let vandal = Arc::new(InPostgres(slot.pool.clone()));
        let returned = Returned { slot: Some(slot), to: Arc::clone(&self.warm) };
        Ok(deployment
            .with_peers(vec![peer])
            .with_clock(clock)
            .with_vandal(vandal)
            .with_guard(returned))
    }

    async fn finish(&self) -> Result<(), HarnessError> {
        let idle = {
            let mut warm = self.warm.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut warm.idle)
        };
        for slot in idle {
            slot.pool.close().await;
        }
        let mut alive = self.alive.lock().await;
        drop_schemas(&mut alive, &self.prefix).await
    }

    fn provisioned(&self) -> String {
        self.server.provisioned()
    }

    fn server_version(&self) -> Option<String> {
        Some(self.server.version.clone())
    }

    fn rerun(&self, slug: &str, seed: u64) -> String {
        self.time.rerun(Backend::Postgres, slug, seed)
    }

    fn regressions(&self) -> Option<PathBuf> {
        Some(kept_by_xtask())
    }

    fn play_again(&self, file: &Path) -> Option<String> {
        Some(play_by_xtask(self.name(), file))
    }
}

/// Gives the schema back when the case is over.
struct Returned {
    slot: Option<Slot>,
    to: Arc<Mutex<Warm>>,
}

impl Drop for Returned {
    fn drop(&mut self) {
        let mut warm = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        warm.idle.extend(self.slot.take());
    }
}

/// Empties every table; on tables as small as a case leaves them, faster than `TRUNCATE`. The locks
/// wait for transactions that the last case may have left running.
async fn empty(slot: &Slot) -> Result<(), HarnessError> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT quote_ident(tablename) FROM pg_tables \
         WHERE schemaname = current_schema() AND tablename <> $1",
    )
    .bind(APPLIED)
    .fetch_all(&slot.pool)
    .await?;
    let lock = format!("LOCK TABLE {} IN EXCLUSIVE MODE; ", tables.join(", "));
    let delete = tables.iter().map(|table| format!("DELETE FROM {table}; "));
    let script = lock + &delete.collect::<String>();
    // One script is one transaction.
    slot.pool.execute(sqlx::raw_sql(AssertSqlSafe(script))).await?;
    Ok(())
}

/// Drops the schemas of runs that ended without doing so.
async fn drop_abandoned(connection: &mut PgConnection) -> Result<(), HarnessError> {
    let prefixes: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT substring(nspname, '^ff_case_[0-9a-f]{32}') FROM pg_namespace \
         WHERE nspname ~ '^ff_case_[0-9a-f]{32}_'",
    )
    .fetch_all(&mut *connection)
    .await?;
    for prefix in prefixes {
        let abandoned: bool =
            sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtextextended($1, 0))")
                .bind(&prefix)
                .fetch_one(&mut *connection)
                .await?;
        if abandoned {
            drop_schemas(connection, &prefix).await?;
        }
    }
    Ok(())
}

async fn drop_schemas(connection: &mut PgConnection, prefix: &str) -> Result<(), HarnessError> {
    let schemas: Vec<String> =
        sqlx::query_scalar("SELECT nspname::text FROM pg_namespace WHERE starts_with(nspname, $1)")
            .bind(prefix)
            .fetch_all(&mut *connection)
            .await?;
    for schema in schemas {
        let drop = AssertSqlSafe(format!("DROP SCHEMA {schema} CASCADE"));
        connection.execute(drop).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ff_provision::{Kind, Servers};

    use super::*;
    use crate::backends::deployments::run_some;

    async fn schemas(harness: &PostgresHarness) -> i64 {
        let mut alive = harness.alive.lock().await;
        sqlx::query_scalar("SELECT count(*) FROM pg_namespace WHERE starts_with(nspname, $1)")
            .bind(&harness.prefix)
            .fetch_one(&mut *alive)
            .await
            .unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn needs_postgres_and_leaves_nothing_behind() {
        let servers = Servers::default();
        let server = servers.get(Kind::Postgres).await.unwrap();
        let harness = PostgresHarness::new(server, Time::Turned).await.unwrap();
        run_some(Arc::new(harness.clone())).await;
        assert!(schemas(&harness).await > 0);
        harness.finish().await.unwrap();
        assert_eq!(schemas(&harness).await, 0);
        servers.down().await;
    }
}
