//! The backend over the store.

use ff_transactional::{Settings, Transactional};
use sqlx::postgres::PgPool;

use crate::store::PostgresStore;

/// A durable-execution engine in one schema of a Postgres database.
pub struct PostgresBackend {
    engine: Transactional<PostgresStore>,
}

impl PostgresBackend {
    pub(crate) fn over(store: PostgresStore, settings: Settings) -> Self {
        Self { engine: Transactional::new(store, settings) }
    }

    /// The connections, for tests that look at tables.
    #[doc(hidden)]
    pub fn pool_for_test(&self) -> &PgPool {
        self.engine.store().pool()
    }
}

ff_transactional::dispatch_through!(PostgresBackend, engine);
