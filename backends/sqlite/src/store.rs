//! The store: one writer and several readers.

use std::collections::BTreeSet;

use ff_core::backend::PrepareOutcome;
use ff_core::clock::Clock;
use ff_core::types::{LaneId, TimestampMs};
use ff_transactional::records::{Execution, Kind, Outbox, Record, Stored};
use ff_transactional::{Access, Changes, Query, Store, StoreError, Tx, place_in_queue};
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteRow;
use tokio::sync::broadcast;

use crate::connections::{Connections, Lent};
use crate::open::MIGRATIONS;
use crate::statements::{CLOCK, Found, Script, get, kind_of};

type Result<T> = std::result::Result<T, StoreError>;

/// How many completions a slow subscriber may fall behind.
const WAKE_UPS: usize = 1_024;

/// Records in tables.
pub(crate) struct SqliteStore {
    /// For migrations, and whoever looks at the tables.
    pool: SqlitePool,
    writer: Connections,
    readers: Connections,
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
    pub(crate) fn new(
        pool: SqlitePool,
        writer: Connections,
        readers: Connections,
        clock: Clock,
    ) -> Self {
        Self {
            pool,
            writer,
            readers,
            clock,
            completions: broadcast::channel(WAKE_UPS).0,
        }
    }

    pub(crate) fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    pub(crate) fn completions(&self) -> broadcast::Receiver<OutboxEvent> {
        self.completions.subscribe()
    }
}

impl Store for SqliteStore {
    type Tx = SqliteTx;

    async fn begin(&self, access: Access) -> Result<SqliteTx> {
        let (connections, begin) = match access {
            Access::Look => (&self.readers, None),
            Access::Read => (&self.readers, Some("BEGIN")),
            // A write lock from the start, so that what is read stays true until the commit.
            Access::Write | Access::WriteAgain => (&self.writer, Some("BEGIN IMMEDIATE")),
        };
        Ok(SqliteTx {
            lent: connections.lend().await.map_err(failed)?,
            begin,
            clock: self.clock.clone(),
            now: None,
            completions: self.completions.clone(),
        })
    }

    async fn prepare(&self) -> Result<PrepareOutcome> {
        let migrated = MIGRATIONS.run(&self.pool).await;
        migrated.map_err(|error| StoreError::Failed(error.into()))?;
        // Opening has brought the schema up to date already.
        Ok(PrepareOutcome::NoOp)
    }
}

/// A transaction. What goes to the connection's thread goes there together: the beginning with the
/// first reads, the end with the writes.
pub(crate) struct SqliteTx {
    lent: Lent,
    /// How it begins, as long as it has not.
    begin: Option<&'static str>,
    clock: Clock,
    /// The host's time, once something was read with it.
    now: Option<TimestampMs>,
    completions: broadcast::Sender<OutboxEvent>,
}

impl SqliteTx {
    async fn run(&mut self, mut script: Script) -> Result<Vec<SqliteRow>> {
        if let Some(begin) = self.begin.take() {
            script.first(begin);
            self.lent.begun = true;
        }
        script
            .fill()
            .fetch_all(&mut *self.lent)
            .await
            .map_err(failed)
    }

    /// Runs this, and reads the time with it if it is the host's.
    async fn find(&mut self, kinds: &[Kind], mut script: Script) -> Result<Vec<Vec<Record>>> {
        if self.clock.manual().is_none() {
            script.then(CLOCK);
        }
        let rows = self.run(script).await?;
        let mut found = vec![Vec::new(); kinds.len()];
        for row in &rows {
            match Found::of(row)? {
                Found::Record(place, packed) => found[place].push(kinds[place].unpack(&packed)?),
                Found::Now(now) => self.now = Some(TimestampMs(now)),
            }
        }
        Ok(found)
    }
}

impl Tx for SqliteTx {
    async fn get(&mut self, queries: &[Query]) -> Result<Vec<Vec<Record>>> {
        let kinds: Vec<Kind> = queries.iter().map(kind_of).collect();
        let mut script = Script::read(queries);
        let by_itself = self.begin.is_none() && !self.lent.begun;
        if by_itself && queries.len() > 1 {
            script.first("BEGIN");
            script.then("COMMIT");
            self.lent.begun = true;
        }
        let found = self.find(&kinds, script).await?;
        self.lent.begun &= !by_itself;
        Ok(found)
    }

    async fn lock(&mut self, queries: &[Query]) -> Result<Vec<Vec<Record>>> {
        // There is one writer at a time.
        self.get(queries).await
    }

    async fn now(&mut self) -> Result<TimestampMs> {
        if let Some(now) = self.clock.manual().or(self.now) {
            return Ok(now);
        }
        self.find(&[], Script::default()).await?;
        self.now
            .ok_or_else(|| StoreError::Failed("the database tells no time".into()))
    }

    async fn commit(mut self, changes: Changes) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut script = Script::write(&changes);
        script.then("COMMIT");
        let rows = self.run(script).await?;
        self.lent.begun = false;
        for (row, event) in rows.iter().zip(&changes.events) {
            if event.outbox() == Outbox::CompletionRecord {
                // That nobody listens is fine: the outbox has it.
                let _ = self.completions.send(OutboxEvent {
                    event_id: get(row, "event_id")?,
                    partition_key: event.partition().into(),
                });
            }
        }
        Ok(())
    }

    async fn ping(&mut self) -> Result<()> {
        let mut script = Script::default();
        script.then(CLOCK);
        self.run(script).await.map(|_| ())
    }

    async fn first_claimable(
        &mut self,
        lane: &LaneId,
        offered: &BTreeSet<String>,
    ) -> Result<Option<Record>> {
        let heads = self.find(&[Kind::Execution], Script::heads(lane)).await?;
        let qualifies = |record: &Record| {
            Execution::of(record).is_some_and(|it| it.requirements.is_subset(offered))
        };
        let heads = heads.into_iter().flatten().filter(qualifies);
        Ok(heads.min_by_key(place_in_queue))
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
