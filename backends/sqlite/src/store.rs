//! The store: one writer and several readers.

use std::collections::BTreeSet;

use ff_core::backend::PrepareOutcome;
use ff_core::clock::Clock;
use ff_core::types::{LaneId, TimestampMs};
use ff_transactional::records::{Execution, Outbox, Range, Record, Stored};
use ff_transactional::{
    Access, Changes, Events, Feed, Inspected, Place, Query, Queues, Store, StoreError, Tx, first_of,
};
use sqlx::SqlitePool;

use crate::connections::{Connections, Lent, failed};
use crate::open::migrate;
use crate::statements;

type Result<T> = std::result::Result<T, StoreError>;

/// Records in tables.
pub(crate) struct SqliteStore {
    /// For migrations, and whoever looks at the tables.
    pool: SqlitePool,
    writer: Connections,
    readers: Connections,
    clock: Clock,
}

impl SqliteStore {
    pub(crate) fn new(
        pool: SqlitePool,
        writer: Connections,
        readers: Connections,
        clock: Clock,
    ) -> Self {
        Self { pool, writer, readers, clock }
    }

    pub(crate) fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    #[cfg(test)]
    pub(crate) fn writer(&self) -> &Connections {
        &self.writer
    }
}

impl Store for SqliteStore {
    type Tx = SqliteTx;

    async fn begin(&self, access: Access) -> Result<SqliteTx> {
        let connections = match access {
            Access::Look | Access::Read => &self.readers,
            Access::Write | Access::WriteAgain => &self.writer,
        };
        Ok(SqliteTx {
            lent: connections.lend().await?,
            access,
            begun: false,
            clock: self.clock.clone(),
        })
    }

    async fn prepare(&self) -> Result<PrepareOutcome> {
        let migrated = migrate(&self.pool).await;
        migrated.map_err(|error| StoreError::Failed(error.into()))?;
        // Opening has brought the schema up to date already.
        Ok(PrepareOutcome::NoOp)
    }
}

impl Feed for SqliteStore {
    async fn events(&self, outbox: Outbox, behind: Option<&Place>, limit: usize) -> Result<Events> {
        let mut lent = self.readers.lend().await?;
        let behind = match behind.map(|place| place.as_slice().try_into().map(i64::from_be_bytes)) {
            None => {
                let last = lent.patiently(|it| statements::last_event(it, outbox)).await?;
                return Ok(Events { found: Vec::new(), end: last.to_be_bytes().to_vec() });
            }
            Some(Ok(number)) => number,
            Some(Err(_)) => return Err(StoreError::Failed("no place in this storage".into())),
        };
        let found = lent.patiently(|it| statements::events(it, outbox, behind, limit)).await?;
        let place = |number: i64| number.to_be_bytes().to_vec();
        let end = place(found.last().map_or(behind, |(number, _)| *number));
        let found =
            found.into_iter().map(|(number, packed)| (place(number), outbox.unpack(packed)));
        Ok(Events { found: found.collect(), end })
    }
}

/// A transaction. Dropped before its commit, it is rolled back as its connection is given back.
pub(crate) struct SqliteTx {
    lent: Lent,
    access: Access,
    begun: bool,
    clock: Clock,
}

impl SqliteTx {
    async fn begin(&mut self) -> Result<()> {
        if !std::mem::replace(&mut self.begun, true) {
            let how = match self.access {
                Access::Look | Access::Read => "BEGIN",
                // A write lock from the start, so that what is read stays true until the commit.
                Access::Write | Access::WriteAgain => "BEGIN IMMEDIATE",
            };
            self.lent.execute(how).await?;
        }
        Ok(())
    }
}

impl Tx for SqliteTx {
    async fn get(&mut self, queries: &[Query]) -> Result<Vec<Vec<Record>>> {
        // A look at one thing is of one instant by itself.
        if self.access != Access::Look || queries.len() > 1 {
            self.begin().await?;
        }
        let mut found = Vec::new();
        for query in queries {
            let records = self.lent.patiently(|it| statements::find(it, query));
            found.push(records.await?);
        }
        Ok(found)
    }

    async fn lock(&mut self, queries: &[Query]) -> Result<Vec<Vec<Record>>> {
        // There is one writer at a time.
        self.get(queries).await
    }

    async fn count(&mut self, range: &Range) -> Result<usize> {
        self.begin().await?;
        let counted = self.lent.patiently(|it| statements::count(it, range));
        counted.await
    }

    async fn inspect(&mut self, range: &Range) -> Result<Vec<Inspected>> {
        self.begin().await?;
        let inspected = self.lent.patiently(|it| statements::inspect(it, range));
        inspected.await
    }

    async fn now(&mut self) -> Result<TimestampMs> {
        Ok(self.clock.now())
    }

    async fn commit(mut self, changes: Changes) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        self.begin().await?;
        for (key, write) in &changes.records {
            let written = self.lent.patiently(|it| statements::write(it, key, write));
            written.await?;
        }
        for event in &changes.events {
            let tags = match event.tags() {
                Some(key) => {
                    let query = Query::Key(key);
                    self.lent.patiently(|it| statements::find(it, &query)).await?
                }
                None => Vec::new(),
            };
            let event = &event.clone().tagged(tags.first());
            let appended = self.lent.patiently(|it| statements::append(it, event));
            appended.await?;
        }
        self.lent.execute("COMMIT").await
    }

    async fn ping(&mut self) -> Result<()> {
        let version = |connection: &rusqlite::Connection| {
            connection.pragma_query(None, "schema_version", |_| Ok(()))
        };
        let asked = self.lent.patiently(|it| version(it).map_err(failed));
        asked.await
    }

    async fn first_in(
        &mut self,
        queues: Queues,
        lane: &LaneId,
        offered: &BTreeSet<String>,
    ) -> Result<Option<Record>> {
        self.begin().await?;
        let heads = self.lent.patiently(|it| statements::heads(it, queues, lane)).await?;
        let qualifies = |record: &Record| {
            Execution::of(record).is_some_and(|it| it.requirements.is_subset(offered))
        };
        Ok(first_of(heads.into_iter().filter(qualifies)))
    }
}
