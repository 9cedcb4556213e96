//! A transaction, and how its statements run.

use ff_core::clock::Clock;
use ff_core::types::{ExecutionId, TimestampMs};
use ff_transactional::StoreError;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Sqlite, Transaction};
use tokio::sync::broadcast;

use crate::row;

type Result<T> = std::result::Result<T, StoreError>;

/// A completion that has committed; the outbox has the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxEvent {
    /// The row in `ff_completion_event`.
    pub event_id: i64,
    pub partition_key: i64,
}

/// A transaction.
pub(crate) struct SqliteTx {
    pub(crate) tx: Transaction<'static, Sqlite>,
    pub(crate) clock: Clock,
    pub(crate) completions: broadcast::Sender<OutboxEvent>,
    /// Completions to tell of once they have committed.
    pub(crate) appended: Vec<OutboxEvent>,
}

pub(crate) type Statement = Query<'static, Sqlite, SqliteArguments>;

impl SqliteTx {
    /// The host's time, as the database tells it.
    pub(crate) async fn database_time(&mut self) -> Result<TimestampMs> {
        let sql = "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now";
        let row = self.one(sqlx::query(sql)).await?;
        let row = row.ok_or_else(|| StoreError::Failed("the database has no clock".into()))?;
        Ok(TimestampMs(row::get(&row, "now")?))
    }

    pub(crate) async fn run(&mut self, statement: Statement) -> Result<i64> {
        let done = statement.execute(&mut *self.tx).await.map_err(failed)?;
        Ok(done.last_insert_rowid())
    }

    pub(crate) async fn one(&mut self, statement: Statement) -> Result<Option<SqliteRow>> {
        statement
            .fetch_optional(&mut *self.tx)
            .await
            .map_err(failed)
    }

    pub(crate) async fn all(&mut self, statement: Statement) -> Result<Vec<SqliteRow>> {
        statement.fetch_all(&mut *self.tx).await.map_err(failed)
    }
}

/// `sql` with the two columns of an execution's id.
pub(crate) fn of(sql: &'static str, id: &ExecutionId) -> Statement {
    sqlx::query(sql).bind(id.partition()).bind(id.uuid())
}

/// SQLite reports a lock that it could not get as busy or locked.
pub(crate) fn failed(error: sqlx::Error) -> StoreError {
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    let code = error
        .as_database_error()
        .and_then(|error| error.code()?.parse::<i32>().ok());
    match code {
        // The upper bytes refine the code.
        Some(code) if [BUSY, LOCKED].contains(&(code & 0xff)) => StoreError::Conflict,
        _ => StoreError::Failed(error.into()),
    }
}
