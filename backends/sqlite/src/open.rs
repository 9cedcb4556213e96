//! Opening a database.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use ff_core::backend::BackendTag;
use ff_core::clock::Clock;
use ff_core::partition::PartitionConfig;
use ff_transactional::Settings;
use sqlx::error::DatabaseError;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};

use crate::backend::SqliteBackend;
use crate::connections::{BUSY, Connections};
use crate::location::Location;
use crate::store::SqliteStore;

static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    Migrator::with_migrations(ff_transactional::migrations!("../../../migrations/sqlite"))
});

/// Connections that read a file at once.
const READERS: usize = 4;

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    #[error("the SQLite backend is for development: set FF_DEV_MODE=1 to use it")]
    RequiresDevMode,
    #[error("{uri:?} names no SQLite database: {reason}")]
    Uri { uri: String, reason: &'static str },
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
    settings: Settings,
    dev_mode: bool,
}

impl SqliteOptions {
    /// A path, `file:path`, `file:name?mode=memory&cache=shared` or `:memory:`.
    pub fn new(uri: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            clock: Clock::Server,
            settings: Settings::new(BackendTag::Sqlite, PartitionConfig::single()),
            dev_mode: std::env::var("FF_DEV_MODE").is_ok_and(|value| value == "1"),
        }
    }

    /// Reads time from this clock instead of the host's.
    #[must_use]
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// One partition in each family by default, as one file needs no spreading. A deployment keeps the
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

    /// Says in code what `FF_DEV_MODE=1` says in the environment.
    #[must_use]
    pub fn dev_mode(mut self) -> Self {
        self.dev_mode = true;
        self
    }

    /// Opens the database, creating it if need be, and brings its schema up to date.
    pub async fn open(self) -> Result<Arc<SqliteBackend>, OpenError> {
        let settings = self.settings;
        let store = self.store().await?;
        Ok(Arc::new(SqliteBackend::over(store, settings)))
    }

    pub(crate) async fn store(self) -> Result<SqliteStore, OpenError> {
        if !self.dev_mode {
            return Err(OpenError::RequiresDevMode);
        }
        let location = Location::of(&self.uri)
            .map_err(|reason| OpenError::Uri { uri: self.uri.clone(), reason })?;
        let pool = pool(&location).await.map_err(OpenError::Connect)?;
        migrate(&pool).await.map_err(OpenError::Migrate)?;
        let (writer, readers) = match &location {
            Location::File(_) => {
                let writer = Connections::new(location.clone(), false, 1);
                (writer, Connections::new(location, true, READERS))
            }
            // Whoever reads memory is in the way of who writes it.
            Location::Memory(_) => {
                let both = Connections::new(location, false, 1);
                (both.clone(), both)
            }
        };
        Ok(SqliteStore::new(pool, writer, readers, self.clock))
    }
}

/// One connection, kept for good: memory lives only as long as there is one.
async fn pool(location: &Location) -> Result<SqlitePool, sqlx::Error> {
    let begun = Instant::now();
    loop {
        let opened = SqlitePoolOptions::new()
            .min_connections(1)
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            // There is no way to the database that could break.
            .test_before_acquire(false)
            .connect_with(location.for_sqlx())
            .await;
        match opened {
            // SQLite does not wait for another that turns the same new file into a database.
            Err(error) if is_locked(&error) && begun.elapsed() < BUSY => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            opened => return opened,
        }
    }
}

fn is_locked(error: &sqlx::Error) -> bool {
    /// `SQLITE_BUSY` and `SQLITE_LOCKED`.
    const CODES: [i32; 2] = [5, 6];
    let code = error.as_database_error().and_then(DatabaseError::code);
    let code = code.and_then(|code| code.parse::<i32>().ok());
    // The upper bytes refine the code.
    code.is_some_and(|code| CODES.contains(&(code & 0xff)))
}

/// Brings the schema up to date. Of several that do it at once, one does it before the others look.
pub(crate) async fn migrate(pool: &SqlitePool) -> Result<(), MigrateError> {
    let mut turn = pool.begin_with("BEGIN IMMEDIATE").await?;
    MIGRATIONS.run_direct(None, &mut *turn, false).await?;
    Ok(turn.commit().await?)
}
