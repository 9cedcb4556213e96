//! The store: one writer and several readers.

use ff_core::backend::PrepareOutcome;
use ff_core::clock::Clock;
use ff_core::types::TimestampMs;
use ff_transactional::records::{Outbox, Record};
use ff_transactional::{Access, Changes, Query, Store, StoreError, Tx};
use sqlx::SqlitePool;
use sqlx::{Sqlite, Transaction};
use tokio::sync::broadcast;

use crate::open::MIGRATIONS;
use crate::statements::{self, Statement, get};

type Result<T> = std::result::Result<T, StoreError>;

/// How many completions a slow subscriber may fall behind.
const WAKE_UPS: usize = 1_024;

/// Records in tables.
pub(crate) struct SqliteStore {
    writer: SqlitePool,
    reader: SqlitePool,
    clock: Clock,
    completions: broadcast::Sender<OutboxEvent>,
}

/// A completion that has committed; the outbox has the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxEvent {
    /// The row in `ff_completion_event`.
    pub event_id: i64,
    pub partition_key: i64,
}

impl SqliteStore {
    pub(crate) fn new(writer: SqlitePool, reader: SqlitePool, clock: Clock) -> Self {
        Self {
            writer,
            reader,
            clock,
            completions: broadcast::channel(WAKE_UPS).0,
        }
    }

    pub(crate) fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    pub(crate) fn completions(&self) -> broadcast::Receiver<OutboxEvent> {
        self.completions.subscribe()
    }
}

impl Store for SqliteStore {
    type Tx = SqliteTx;

    async fn begin(&self, access: Access) -> Result<SqliteTx> {
        let (pool, begin) = match access {
            Access::Look | Access::Read => (self.reader.clone(), "BEGIN"),
            // A write lock from the start, so that what is read stays true until the commit.
            Access::Write | Access::WriteAgain => (self.writer.clone(), "BEGIN IMMEDIATE"),
        };
        // In a task that nobody can give up half-way: a connection that was about to begin is closed
        // by its pool, and what is held in memory goes with it.
        let begun = tokio::spawn(async move { pool.begin_with(begin).await }).await;
        let begun = begun.map_err(|stopped| StoreError::Failed(stopped.into()))?;
        Ok(SqliteTx {
            tx: begun.map_err(failed)?,
            clock: self.clock.clone(),
            completions: self.completions.clone(),
        })
    }

    async fn prepare(&self) -> Result<PrepareOutcome> {
        let migrated = MIGRATIONS.run(&self.writer).await;
        migrated.map_err(|error| StoreError::Failed(error.into()))?;
        // Opening has brought the schema up to date already.
        Ok(PrepareOutcome::NoOp)
    }
}

/// A transaction.
pub(crate) struct SqliteTx {
    tx: Transaction<'static, Sqlite>,
    clock: Clock,
    completions: broadcast::Sender<OutboxEvent>,
}

impl SqliteTx {
    /// The host's time, as the database tells it.
    async fn database_time(&mut self) -> Result<TimestampMs> {
        let sql = "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now";
        let row = sqlx::query(sql)
            .fetch_one(&mut *self.tx)
            .await
            .map_err(failed)?;
        Ok(TimestampMs(get(&row, "now")?))
    }

    async fn run(&mut self, statement: Statement) -> Result<i64> {
        let done = statement.execute(&mut *self.tx).await.map_err(failed)?;
        Ok(done.last_insert_rowid())
    }
}

impl Tx for SqliteTx {
    async fn get(&mut self, queries: &[Query]) -> Result<Vec<Vec<Record>>> {
        let mut found = Vec::new();
        for query in queries {
            let (kind, select) = statements::select(query);
            let rows = select.fetch_all(&mut *self.tx).await.map_err(failed)?;
            let records: Result<_> = rows
                .iter()
                .map(|row| statements::decode(kind, row))
                .collect();
            found.push(records?);
        }
        Ok(found)
    }

    async fn lock(&mut self, queries: &[Query]) -> Result<Vec<Vec<Record>>> {
        // There is one writer at a time.
        self.get(queries).await
    }

    async fn now(&mut self) -> Result<TimestampMs> {
        match self.clock.manual() {
            Some(now) => Ok(now),
            None => self.database_time().await,
        }
    }

    async fn commit(mut self, changes: Changes) -> Result<()> {
        for (key, write) in &changes.records {
            self.run(statements::write(key, write)).await?;
        }
        let mut told = Vec::new();
        for event in &changes.events {
            let event_id = self.run(statements::append(event)).await?;
            if event.outbox() == Outbox::CompletionRecord {
                let partition_key = event.partition().into();
                told.push(OutboxEvent {
                    event_id,
                    partition_key,
                });
            }
        }
        self.tx.commit().await.map_err(failed)?;
        for event in told {
            // That nobody listens is fine: the outbox has it.
            let _ = self.completions.send(event);
        }
        Ok(())
    }

    async fn ping(&mut self) -> Result<()> {
        self.database_time().await.map(|_| ())
    }
}

/// SQLite reports a lock that it could not get as busy or locked.
fn failed(error: sqlx::Error) -> StoreError {
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
