//! A backend on an embedded key-value store: all of it is here. The engine's rules come from
//! `ff-transactional`; what is left is to read and write records in the order of their bytes.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use ff_core::backend::{BackendTag, PrepareOutcome};
use ff_core::call::{Call, Reply};
use ff_core::capability::Capabilities;
use ff_core::clock::Clock;
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::EngineError;
use ff_core::housekeeping::Housekeeping;
use ff_core::partition::{PartitionConfig, PartitionKey};
use ff_core::types::TimestampMs;
use ff_transactional::records::{Kind, Outbox, Packed, Range, Record, ordered};
use ff_transactional::{
    Access, Changes, Events, Feed, Place, Query, Settings, Store, StoreError, Transactional, Tx,
};
use redb::backends::InMemoryBackend;
use redb::{
    Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition,
};
use tokio::sync::{Mutex, OwnedMutexGuard};

type Result<T> = std::result::Result<T, StoreError>;
type Bytes = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// Records by their keys.
const RECORDS: Bytes = TableDefinition::new("records");
/// The keys of records by their places in indexes.
const ENTRIES: Bytes = TableDefinition::new("entries");
/// Events in the order in which they were appended.
const EVENTS: TableDefinition<u64, &[u8]> = TableDefinition::new("events");

/// A durable-execution engine in one file.
pub struct RedbBackend {
    engine: Transactional<RedbStore>,
}

impl RedbBackend {
    /// Few partitions, as one file needs no spreading.
    pub const PARTITIONS: PartitionConfig = PartitionConfig {
        num_flow_partitions: 4,
        num_budget_partitions: 2,
        num_quota_partitions: 2,
    };

    pub fn over(store: RedbStore) -> Self {
        let settings = Settings::new(BackendTag::Other("redb"), Self::PARTITIONS);
        Self { engine: Transactional::new(store, settings) }
    }
}

#[async_trait]
impl Dispatch for RedbBackend {
    async fn dispatch(&self, call: Call) -> std::result::Result<Reply, EngineError> {
        self.engine.dispatch(call).await
    }

    fn backend_label(&self) -> &'static str {
        Dispatch::backend_label(&self.engine)
    }

    fn capabilities(&self) -> Capabilities {
        Dispatch::capabilities(&self.engine)
    }
}

#[async_trait]
impl Housekeeping for RedbBackend {
    async fn due(
        &self,
        partition: &PartitionKey,
        limit: usize,
    ) -> std::result::Result<Vec<Call>, EngineError> {
        self.engine.due(partition, limit).await
    }
}

/// Records in a redb database. One transaction writes at a time; those that only read see the state
/// at which they began, and wait for nobody.
pub struct RedbStore {
    database: Arc<Database>,
    writer: Arc<Mutex<()>>,
    clock: Clock,
}

impl RedbStore {
    /// Opens the file, creating it if need be.
    pub fn open(path: impl AsRef<Path>, clock: impl Into<Clock>) -> Result<Self> {
        Self::over(Database::create(path).map_err(failed)?, clock)
    }

    /// Keeps everything in memory.
    pub fn in_memory(clock: impl Into<Clock>) -> Result<Self> {
        let builder = Database::builder();
        Self::over(builder.create_with_backend(InMemoryBackend::new()).map_err(failed)?, clock)
    }

    fn over(database: Database, clock: impl Into<Clock>) -> Result<Self> {
        // Readers find the tables from the start.
        let write = database.begin_write().map_err(failed)?;
        write.open_table(RECORDS).map_err(failed)?;
        write.open_table(ENTRIES).map_err(failed)?;
        write.open_table(EVENTS).map_err(failed)?;
        write.commit().map_err(failed)?;
        Ok(Self { database: Arc::new(database), writer: Arc::default(), clock: clock.into() })
    }
}

impl Store for RedbStore {
    type Tx = RedbTx;

    async fn begin(&self, access: Access) -> Result<RedbTx> {
        let turn = match access {
            Access::Write | Access::WriteAgain => Some(Arc::clone(&self.writer).lock_owned().await),
            Access::Look | Access::Read => None,
        };
        Ok(RedbTx {
            read: self.database.begin_read().map_err(failed)?,
            database: Arc::clone(&self.database),
            clock: self.clock.clone(),
            _turn: turn,
        })
    }

    async fn prepare(&self) -> Result<PrepareOutcome> {
        Ok(PrepareOutcome::NoOp)
    }
}

impl Feed for RedbStore {
    async fn events(&self, outbox: Outbox, behind: Option<&Place>, limit: usize) -> Result<Events> {
        let read = self.database.begin_read().map_err(failed)?;
        let events = read.open_table(EVENTS).map_err(failed)?;
        let last = events.last().map_err(failed)?.map_or(0, |(number, _)| number.value());
        let place = |number: u64| number.to_be_bytes().to_vec();
        let behind = match behind.map(|place| place.as_slice().try_into().map(u64::from_be_bytes)) {
            None => return Ok(Events { found: Vec::new(), end: place(last) }),
            Some(Ok(number)) => number,
            Some(Err(_)) => return Err(StoreError::Failed("no place in this storage".into())),
        };
        let mut found = Vec::new();
        for entry in events.range(behind + 1..).map_err(failed)? {
            let (number, packed) = entry.map_err(failed)?;
            let Some((kind, packed)) = packed.value().split_first() else { continue };
            if *kind == outbox as u8 {
                found.push((place(number.value()), outbox.unpack(packed.to_vec())));
                if found.len() == limit {
                    let end = place(number.value());
                    return Ok(Events { found, end });
                }
            }
        }
        Ok(Events { found, end: place(last.max(behind)) })
    }
}

/// A transaction. A writer has the turn from its beginning to its end, so what it reads stays true.
pub struct RedbTx {
    read: ReadTransaction,
    database: Arc<Database>,
    clock: Clock,
    _turn: Option<OwnedMutexGuard<()>>,
}

type Records = ReadOnlyTable<&'static [u8], &'static [u8]>;

impl RedbTx {
    fn in_range(&self, records: &Records, range: &Range) -> Result<Vec<Record>> {
        let (first, last) = ordered::bounds(range);
        let bounds = (first.as_ref().map(Vec::as_slice), last.as_ref().map(Vec::as_slice));
        let limit = range.limit.unwrap_or(usize::MAX);
        if range.index == 0 {
            let found = records.range::<&[u8]>(bounds).map_err(failed)?.take(limit);
            return found
                .map(|entry| record(range.kind, entry.map_err(failed)?.1.value()))
                .collect();
        }
        let entries = self.read.open_table(ENTRIES).map_err(failed)?;
        let found = entries.range::<&[u8]>(bounds).map_err(failed)?.take(limit);
        found
            .filter_map(|entry| match entry {
                Ok((_, key)) => with_key(records, range.kind, key.value()).transpose(),
                Err(error) => Some(Err(failed(error))),
            })
            .collect()
    }
}

/// The record that is stored under these bytes, if there is one.
fn with_key(
    records: &impl ReadableTable<&'static [u8], &'static [u8]>,
    kind: Kind,
    key: &[u8],
) -> Result<Option<Record>> {
    let found = records.get(key).map_err(failed)?;
    found.map(|packed| record(kind, packed.value())).transpose()
}

fn record(kind: Kind, bytes: &[u8]) -> Result<Record> {
    kind.unpack(&Packed::of_joined(bytes.to_vec()))
}

impl Tx for RedbTx {
    async fn get(&mut self, queries: &[Query]) -> Result<Vec<Vec<Record>>> {
        let records = self.read.open_table(RECORDS).map_err(failed)?;
        let found = queries.iter().map(|query| match query {
            Query::Key(key) => {
                let found = with_key(&records, key.kind, &ordered::key(key))?;
                Ok(found.into_iter().collect())
            }
            Query::Range(range) => self.in_range(&records, range),
        });
        found.collect()
    }

    async fn lock(&mut self, queries: &[Query]) -> Result<Vec<Vec<Record>>> {
        // There is one writer at a time.
        self.get(queries).await
    }

    async fn now(&mut self) -> Result<TimestampMs> {
        Ok(self.clock.now())
    }

    /// Nothing here waits, so that nobody can give it up half-way.
    async fn commit(self, changes: Changes) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let write = self.database.begin_write().map_err(failed)?;
        {
            let mut records = write.open_table(RECORDS).map_err(failed)?;
            let mut entries = write.open_table(ENTRIES).map_err(failed)?;
            for (key, change) in &changes.records {
                let bytes = ordered::key(key);
                if let Some(before) = with_key(&records, key.kind, &bytes)? {
                    for entry in ordered::entries(&before) {
                        entries.remove(&*entry).map_err(failed)?;
                    }
                }
                let Some(after) = &change.after else {
                    records.remove(&*bytes).map_err(failed)?;
                    continue;
                };
                for entry in ordered::entries(after) {
                    entries.insert(&*entry, &*bytes).map_err(failed)?;
                }
                records.insert(&*bytes, &*after.pack().joined()).map_err(failed)?;
            }
            let mut events = write.open_table(EVENTS).map_err(failed)?;
            let last = events.last().map_err(failed)?.map_or(0, |(number, _)| number.value());
            for (number, event) in (last + 1..).zip(changes.events) {
                let tags = match event.tags() {
                    Some(key) => with_key(&records, key.kind, &ordered::key(&key))?,
                    None => None,
                };
                let outbox = [event.outbox() as u8];
                let packed = [&outbox[..], &event.tagged(tags.as_ref()).pack()].concat();
                events.insert(number, &*packed).map_err(failed)?;
            }
        }
        write.commit().map_err(failed)
    }

    async fn ping(&mut self) -> Result<()> {
        self.read.open_table(RECORDS).map(drop).map_err(failed)
    }
}

fn failed(error: impl Into<redb::Error>) -> StoreError {
    StoreError::Failed(Box::new(error.into()))
}
