//! Connecting to a server, and bringing a schema up to date.

use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use ff_core::backend::{BackendTag, PrepareOutcome};
use ff_core::clock::Clock;
use ff_core::partition::PartitionConfig;
use ff_transactional::{Patch, PatchError, ServerUrl, Settings, StoreError};
use sqlx::migrate::{Migrate, Migration, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor};

use crate::backend::PostgresBackend;
use crate::connections::Connections;
use crate::statements::Statements;
use crate::store::PostgresStore;
use crate::transaction::{begin_in_turn, failed, turn_of};

static MIGRATIONS: LazyLock<Vec<Migration>> =
    LazyLock::new(|| ff_transactional::migrations!("../../../migrations/postgres"));

/// The table of the migrations that are applied. Who uses the same schema may have one by the name that
/// the library gives it.
#[doc(hidden)]
pub const APPLIED: &str = "ff_migrations";

/// Prepared statements of a connection: one for each combination of kinds that calls read or write.
const STATEMENTS: usize = 256;

/// Why a backend cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    #[error("{url:?} is not a Postgres URL")]
    Url { url: ServerUrl, source: sqlx::Error },
    #[error(
        "{0:?} is not the name of a schema for tables: 1 to 63 of a-z, 0-9 and _, not beginning with a \
         digit or pg_, and not information_schema"
    )]
    Schema(String),
    #[error("at least one connection is needed")]
    NoConnections,
    #[error("the server cannot be reached")]
    Connect(#[source] sqlx::Error),
    #[error("the SQL cannot be patched")]
    Patch(#[from] PatchError),
}

/// How to connect.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    url: ServerUrl,
    schema: String,
    clock: Clock,
    settings: Settings,
    connections: u32,
    patch: Option<Patch>,
}

impl PostgresOptions {
    /// A server and database as in `postgres://user:password@host:5432/database`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: ServerUrl::new(url),
            schema: "public".to_owned(),
            clock: Clock::Server,
            settings: Settings::new(BackendTag::Postgres, PartitionConfig::default()),
            connections: 10,
            patch: None,
        }
    }

    /// The schema that holds the tables, which others may use too; `public` by default. `prepare` creates
    /// it.
    #[must_use]
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// Reads time from this clock instead of the server's.
    #[must_use]
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// 256 partitions of flows and 32 each of budgets and quotas by default. A deployment keeps the
    /// numbers with which it is first used; an instance with others is refused by its first call.
    #[must_use]
    pub fn partitions(mut self, partitions: PartitionConfig) -> Self {
        self.settings.partitions = partitions;
        self
    }

    /// How many reads and tails of streams run at once, 64 by default; one more is refused at once (STR-024).
    #[must_use]
    pub fn stream_reads(mut self, most: u32) -> Self {
        self.settings.stream_reads = most;
        self
    }

    /// How many connections calls use at most, at least 1; 10 by default. `prepare` opens one more.
    #[must_use]
    pub fn connections(mut self, connections: u32) -> Self {
        self.connections = connections;
        self
    }

    /// Changes one line of the SQL, for tests of the suite.
    #[doc(hidden)]
    #[must_use]
    pub fn patch(mut self, patch: Patch) -> Self {
        self.patch = Some(patch);
        self
    }

    /// Connects. The schema is left as it is: see `prepare`.
    pub async fn open(self) -> Result<Arc<PostgresBackend>, OpenError> {
        let pool = self.connect().await?;
        let number = usize::try_from(self.connections).unwrap_or(usize::MAX);
        self.with(Connections::kept(pool, number))
    }

    /// A pool whose connections see the schema first.
    pub(crate) async fn connect(&self) -> Result<PgPool, OpenError> {
        check_schema(&self.schema)?;
        if self.connections == 0 {
            return Err(OpenError::NoConnections);
        }
        let options = PgConnectOptions::from_str(self.url.reveal())
            .map_err(|source| OpenError::Url { url: self.url.clone(), source })?;
        PgPoolOptions::new()
            // One more for migrations, and whoever looks at the tables.
            .max_connections(self.connections.saturating_add(1))
            // A round trip for each call otherwise; a connection that broke shows as `Transport`.
            .test_before_acquire(false)
            .connect_with(options.statement_cache_capacity(STATEMENTS).options([
                // Quoted, as it may be a reserved word.
                ("search_path", format!("\"{}\"", self.schema).as_str()),
                // Rows come in the order of the index, and locks are taken in it.
                ("max_parallel_workers_per_gather", "0"),
                // Statements touch few rows and know which, so their plans need no statistics, and must
                // not change with them: by the index, made once.
                ("plan_cache_mode", "force_generic_plan"),
                ("enable_seqscan", "off"),
                ("enable_bitmapscan", "off"),
                ("enable_hashjoin", "off"),
                ("enable_mergejoin", "off"),
                ("jit", "off"),
            ]))
            .await
            .map_err(OpenError::Connect)
    }

    /// A backend over connections that are open already.
    #[doc(hidden)]
    pub fn over(self, pool: PgPool) -> Result<Arc<PostgresBackend>, OpenError> {
        self.with(Connections::shared(pool))
    }

    fn with(self, connections: Connections) -> Result<Arc<PostgresBackend>, OpenError> {
        let settings = self.settings;
        let store = self.store(connections)?;
        Ok(Arc::new(PostgresBackend::over(store, settings)))
    }

    pub(crate) fn store(self, connections: Connections) -> Result<PostgresStore, OpenError> {
        let sql = Statements::load(self.patch.as_ref())?;
        Ok(PostgresStore::new(connections, self.schema, self.clock, sql))
    }
}

fn check_schema(schema: &str) -> Result<(), OpenError> {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let begins = schema.starts_with(|c: char| !c.is_ascii_digit());
    let systems = schema.starts_with("pg_") || schema == "information_schema";
    if begins && !systems && schema.len() <= 63 && schema.chars().all(known) {
        return Ok(());
    }
    Err(OpenError::Schema(schema.to_owned()))
}

/// Creates the schema and its tables where they are missing. Instances that do so at once take
/// turns.
pub(crate) async fn migrate(pool: &PgPool, schema: &str) -> Result<PrepareOutcome, StoreError> {
    // The lock goes with the transaction, also if this one is cut off.
    let mut turn = begin_in_turn(pool, turn_of(schema, "migrations")).await?;
    // `open` has checked the name.
    let create = AssertSqlSafe(format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\""));
    turn.execute(create).await.map_err(failed)?;
    let before = applied(&mut turn).await?;
    let unlocked = Migrator {
        locking: false,
        table_name: APPLIED.into(),
        ..Migrator::with_migrations(MIGRATIONS.clone())
    };
    unlocked
        .run_direct(None, &mut *turn, false)
        .await
        .map_err(|error| StoreError::Failed(error.into()))?;
    turn.commit().await.map_err(failed)?;
    let steps = MIGRATIONS.len() - before;
    Ok(match steps {
        0 => PrepareOutcome::NoOp,
        _ => PrepareOutcome::applied(format!("{steps} migrations in schema {schema}")),
    })
}

/// How many migrations are in place.
async fn applied(turn: &mut sqlx::PgConnection) -> Result<usize, StoreError> {
    turn.ensure_migrations_table(APPLIED)
        .await
        .map_err(|error| StoreError::Failed(error.into()))?;
    let applied = turn.list_applied_migrations(APPLIED).await;
    Ok(applied.map_err(|error| StoreError::Failed(error.into()))?.len())
}
