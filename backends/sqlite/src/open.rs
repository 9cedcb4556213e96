//! Opening a database.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use ff_core::clock::Clock;
use ff_core::partition::PartitionConfig;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use crate::backend::SqliteBackend;
use crate::connections::Connections;
use crate::store::SqliteStore;

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/sqlite");

/// Connections that read a file at once; memory has one connection for everything.
const READERS: u32 = 4;

/// Prepared texts of a connection: one for each combination of kinds that calls read or write.
const STATEMENTS: usize = 256;

/// How long a transaction waits for one of another process.
const BUSY: Duration = Duration::from_secs(5);

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    #[error("the SQLite backend is for development: set FF_DEV_MODE=1 to use it")]
    RequiresDevMode,
    #[error("{uri:?} names no SQLite database")]
    Uri { uri: String, source: sqlx::Error },
    #[error("the database cannot be opened")]
    Connect(#[source] sqlx::Error),
    #[error("the schema cannot be brought up to date")]
    Migrate(#[source] MigrateError),
}

/// How to open a database.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    uri: String,
    clock: Clock,
    partitions: PartitionConfig,
    dev_mode: bool,
}

impl SqliteOptions {
    /// A path, `file:path`, `file:name?mode=memory&cache=shared` or `:memory:`.
    pub fn new(uri: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            clock: Clock::Server,
            partitions: PartitionConfig::single(),
            dev_mode: std::env::var("FF_DEV_MODE").is_ok_and(|value| value == "1"),
        }
    }

    /// Reads time from this clock instead of the host's.
    #[must_use]
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// One partition in each family by default, as one file needs no spreading.
    #[must_use]
    pub fn partitions(mut self, partitions: PartitionConfig) -> Self {
        self.partitions = partitions;
        self
    }

    /// Says in code what `FF_DEV_MODE=1` says in the environment.
    #[must_use]
    pub fn dev_mode(mut self) -> Self {
        self.dev_mode = true;
        self
    }

    /// Opens the database, creating it if need be, and brings its schema up to date.
    pub async fn open(self) -> Result<Arc<SqliteBackend>, OpenError> {
        let partitions = self.partitions;
        let store = self.store().await?;
        Ok(Arc::new(SqliteBackend::over(store, partitions)))
    }

    pub(crate) async fn store(self) -> Result<SqliteStore, OpenError> {
        if !self.dev_mode {
            return Err(OpenError::RequiresDevMode);
        }
        let connect = self.connect_options()?;
        let in_memory = is_in_memory(&self.uri);
        let tables = pool(connect.clone(), if in_memory { 1 } else { 2 }).await?;
        MIGRATIONS.run(&tables).await.map_err(OpenError::Migrate)?;
        let (writer, readers) = if in_memory {
            let shared = Connections::Shared(tables.clone());
            (shared.clone(), shared)
        } else {
            let readers = pool(connect.read_only(true), READERS).await?;
            let writer = Connections::kept(&tables, 1).await;
            let readers = Connections::kept(&readers, READERS).await;
            (
                writer.map_err(OpenError::Connect)?,
                readers.map_err(OpenError::Connect)?,
            )
        };
        Ok(SqliteStore::new(tables, writer, readers, self.clock))
    }

    fn connect_options(&self) -> Result<SqliteConnectOptions, OpenError> {
        let bad = |source| OpenError::Uri {
            uri: self.uri.clone(),
            source,
        };
        let rest = self.uri.strip_prefix("file:").unwrap_or(&self.uri);
        let rest = rest.strip_prefix("sqlite:").unwrap_or(rest);
        let options = SqliteConnectOptions::from_str(&format!("sqlite:{rest}")).map_err(bad)?;
        Ok(options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .statement_cache_capacity(STATEMENTS)
            .busy_timeout(BUSY))
    }
}

fn is_in_memory(uri: &str) -> bool {
    uri.contains(":memory:") || uri.contains("mode=memory")
}

/// Connections are kept for good: memory lives only as long as its connection.
async fn pool(options: SqliteConnectOptions, connections: u32) -> Result<SqlitePool, OpenError> {
    SqlitePoolOptions::new()
        .min_connections(1)
        .max_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
        // There is no way to the database that could break.
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(OpenError::Connect)
}
