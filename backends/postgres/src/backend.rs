//! The backend over the store.

use std::any::Any;

use async_trait::async_trait;
use ff_core::backend::BackendTag;
use ff_core::call::{Call, Reply};
use ff_core::capability::Capabilities;
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::EngineError;
use ff_core::partition::PartitionConfig;
use ff_transactional::{Settings, Transactional};
use sqlx::postgres::PgPool;

use crate::store::PostgresStore;

/// A durable-execution engine in one schema of a Postgres database.
pub struct PostgresBackend {
    engine: Transactional<PostgresStore>,
}

impl PostgresBackend {
    pub(crate) fn over(store: PostgresStore, partitions: PartitionConfig) -> Self {
        let settings = Settings {
            tag: BackendTag::Postgres,
            partitions,
        };
        Self {
            engine: Transactional::new(store, settings),
        }
    }

    /// The connections, for tests that look at tables.
    #[doc(hidden)]
    pub fn pool_for_test(&self) -> &PgPool {
        self.engine.store().pool()
    }
}

#[async_trait]
impl Dispatch for PostgresBackend {
    async fn dispatch(&self, call: Call) -> Result<Reply, EngineError> {
        self.engine.dispatch(call).await
    }

    fn backend_label(&self) -> &'static str {
        Dispatch::backend_label(&self.engine)
    }

    fn capabilities(&self) -> Capabilities {
        Dispatch::capabilities(&self.engine)
    }

    fn as_any(&self) -> &(dyn Any + 'static) {
        self
    }
}
