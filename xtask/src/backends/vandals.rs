//! Damages the records of each server, past the backend.

use async_trait::async_trait;
use ferriskey::Client;
use ff_conformance::{HarnessError, Vandal};
use ff_core::types::ExecutionId;
use sqlx::{PgPool, SqlitePool};

/// An empty record.
const DAMAGE: &str = "UPDATE ff_exec_core SET fixed = $2 WHERE execution_id = $1";

pub(super) struct InSqlite(pub(super) SqlitePool);

#[async_trait]
impl Vandal for InSqlite {
    async fn damage(&self, execution: &ExecutionId) -> Result<(), HarnessError> {
        let id = execution.uuid().into_bytes().to_vec();
        sqlx::query(DAMAGE).bind(id).bind(Vec::new()).execute(&self.0).await?;
        Ok(())
    }
}

pub(super) struct InPostgres(pub(super) PgPool);

#[async_trait]
impl Vandal for InPostgres {
    async fn damage(&self, execution: &ExecutionId) -> Result<(), HarnessError> {
        sqlx::query(DAMAGE).bind(execution.uuid()).bind(Vec::<u8>::new()).execute(&self.0).await?;
        Ok(())
    }
}

pub(super) struct InValkey {
    pub(super) client: Client,
    pub(super) prefix: String,
}

#[async_trait]
impl Vandal for InValkey {
    async fn damage(&self, execution: &ExecutionId) -> Result<(), HarnessError> {
        let (prefix, partition) = (&self.prefix, execution.partition());
        let id = execution.to_string();
        let key = format!("{prefix}{{fp:{partition}}}:execution:{}:{id}", id.len());
        self.client.set(key, "").await?;
        Ok(())
    }
}
