//! The backend over the store.

use std::sync::Arc;

use ff_transactional::{Settings, Transactional};
use sqlx::SqlitePool;

use crate::open::{OpenError, SqliteOptions};
use crate::store::SqliteStore;

/// A durable-execution engine in one SQLite database.
pub struct SqliteBackend {
    engine: Transactional<SqliteStore>,
}

impl SqliteBackend {
    /// Opens a database with the defaults; see [`SqliteOptions`] for others.
    ///
    /// Where `FF_DEV_MODE` is not `1` it is [`OpenError::RequiresDevMode`].
    pub async fn new(uri: &str) -> Result<Arc<Self>, OpenError> {
        SqliteOptions::new(uri).open().await
    }

    pub(crate) fn over(store: SqliteStore, settings: Settings) -> Self {
        Self { engine: Transactional::new(store, settings) }
    }

    #[cfg(test)]
    pub(crate) fn store(&self) -> &SqliteStore {
        self.engine.store()
    }

    /// The database, for tests that look at tables.
    #[doc(hidden)]
    pub fn pool_for_test(&self) -> &SqlitePool {
        self.engine.store().pool()
    }
}

ff_transactional::dispatch_through!(SqliteBackend, engine);
