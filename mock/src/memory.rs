//! A store in memory. Its state is made of persistent maps, so that a copy costs nothing.

use std::collections::{HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use ff_core::backend::PrepareOutcome;
use ff_core::clock::Clock;
use ff_core::types::{ExecutionId, TimestampMs};
use ff_transactional::records::{
    CompletionRecord, Event, Execution, Key, Kind, LeaseRecord, Outbox, Range, Record, Stored,
    ordered,
};
use ff_transactional::{
    Access, Changes, Events, Feed, Inspected, Minted, Place, Query, Queues, Store, StoreError, Tx,
};
use imbl::{OrdMap, OrdSet, Vector};
use smallvec::SmallVec;
use tokio::sync::{Mutex, OwnedMutexGuard};
use uuid::Uuid;

type Result<T> = std::result::Result<T, StoreError>;

/// Changes a record as it is written, given the one it replaces. This is how a deviant breaks a
/// rule about what is stored.
pub type OnWrite = Arc<dyn Fn(Option<&Record>, &mut Record) + Send + Sync>;

/// A store in memory. Transactions run one at a time; a clone is another store on the same records.
#[derive(Clone)]
pub struct MemoryStore {
    clock: Clock,
    on_write: Option<OnWrite>,
    take: Take,
    /// Whether the same calls lead to the same ids.
    repeatable: bool,
    state: Arc<Mutex<State>>,
}

/// A key or an entry. All keys of executions fit in here, so that a search does not follow a pointer
/// for each comparison.
type Bytes = SmallVec<[u8; 32]>;

/// What is stored, in the order of its bytes.
#[derive(Clone, Default)]
pub(crate) struct State {
    records: OrdMap<Bytes, Record>,
    /// The key of the record that has the entry.
    entries: OrdMap<Bytes, Bytes>,
    events: Vector<Event>,
    /// The keys of records that do not decode.
    damaged: OrdSet<Bytes>,
    /// How often the execution under a key was removed.
    lives: OrdMap<Bytes, u64>,
}

/// What a claim takes, where that is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Take {
    /// What goes before all others.
    #[default]
    First,
    /// What goes first in this partition.
    FirstIn(u16),
    /// This one.
    Only(ExecutionId),
    /// Nothing.
    Nothing,
}

impl MemoryStore {
    pub fn new(clock: impl Into<Clock>) -> Self {
        Self {
            clock: clock.into(),
            on_write: None,
            take: Take::First,
            repeatable: false,
            state: Arc::default(),
        }
    }

    /// A store that holds this already, mints the same ids for the same calls, and whose claims
    /// take this.
    pub(crate) fn holding(state: State, clock: Clock, take: Take) -> Self {
        Self { take, repeatable: true, state: Arc::new(Mutex::new(state)), ..Self::new(clock) }
    }

    /// What it holds now.
    pub(crate) async fn state(&self) -> State {
        self.state.lock().await.clone()
    }

    /// The same records, of which claims take this.
    #[must_use]
    pub fn taking(mut self, take: Take) -> Self {
        self.take = take;
        self
    }

    /// A store that changes records as they are written.
    #[must_use]
    pub fn with_on_write(mut self, on_write: OnWrite) -> Self {
        self.on_write = Some(on_write);
        self
    }

    /// From now on the record of this execution does not decode.
    pub async fn damage(&self, execution: &ExecutionId) {
        let key = Bytes::from_vec(ordered::key(Execution::at(execution).key()));
        self.state.lock().await.damaged.insert(key);
    }

    /// From now on each of these executions stands in the indexes where the other one belongs.
    pub async fn exchange(&self, one: &ExecutionId, other: &ExecutionId) {
        let mut state = self.state.lock().await;
        let keys = [one, other].map(|id| Bytes::from_vec(ordered::key(Execution::at(id).key())));
        let entries = keys.each_ref().map(|key| state.entries_of(key));
        for (entries, key) in entries.into_iter().zip(keys.into_iter().rev()) {
            for entry in entries {
                state.entries.insert(entry, key.clone());
            }
        }
    }

    /// The outbox of completions, oldest first.
    pub async fn completions(&self) -> Vec<CompletionRecord> {
        self.events(|event| match event {
            Event::CompletionRecord(completion) => Some(completion.clone()),
            _ => None,
        })
        .await
    }

    /// The outbox of lease events, oldest first.
    pub async fn lease_events(&self) -> Vec<LeaseRecord> {
        self.events(|event| match event {
            Event::LeaseRecord(event) => Some(event.clone()),
            _ => None,
        })
        .await
    }

    async fn events<E>(&self, of: impl Fn(&Event) -> Option<E>) -> Vec<E> {
        self.state.lock().await.events.iter().filter_map(of).collect()
    }
}

impl Store for MemoryStore {
    type Tx = MemoryTx;

    async fn begin(&self, _: Access) -> Result<MemoryTx> {
        Ok(MemoryTx {
            state: Arc::clone(&self.state).lock_owned().await,
            clock: self.clock.clone(),
            on_write: self.on_write.clone(),
            take: self.take.clone(),
            repeatable: self.repeatable,
            displaced: HashSet::new(),
        })
    }

    async fn prepare(&self) -> Result<PrepareOutcome> {
        Ok(PrepareOutcome::NoOp)
    }
}

impl Feed for MemoryStore {
    async fn events(&self, outbox: Outbox, behind: Option<&Place>, limit: usize) -> Result<Events> {
        let all = self.state.lock().await.events.clone();
        let place = |number: usize| number.to_be_bytes().to_vec();
        let first = match behind.map(|place| place.as_slice().try_into().map(usize::from_be_bytes))
        {
            None => all.len(),
            Some(Ok(number)) => number,
            Some(Err(_)) => return Err(StoreError::Failed("no place in this storage".into())),
        };
        let found =
            all.iter().enumerate().skip(first).filter(|(_, event)| event.outbox() == outbox);
        let found = found.map(|(number, event)| (place(number + 1), Ok(event.clone())));
        let found: Vec<_> = found.take(limit).collect();
        let end = match found.last() {
            Some((last, _)) if found.len() == limit => last.clone(),
            _ => place(all.len().max(first)),
        };
        Ok(Events { found, end })
    }
}

/// A transaction, which keeps all others out.
pub struct MemoryTx {
    state: OwnedMutexGuard<State>,
    clock: Clock,
    on_write: Option<OnWrite>,
    take: Take,
    repeatable: bool,
    /// What was found not to be where the indexes should have it.
    displaced: HashSet<Key>,
}

impl State {
    pub(crate) fn record(&self, key: &Key) -> Option<&Record> {
        self.records.get(&*ordered::key(key))
    }

    /// The records in a range, in the order of its index and beyond its limit.
    pub(crate) fn range(&self, range: &Range) -> impl Iterator<Item = &Record> {
        let (first, last) = ordered::bounds(range);
        let bytes = |bound: Bound<Vec<u8>>| bound.map(Bytes::from_vec);
        let bounds = (bytes(first), bytes(last));
        let by_key = (range.index == 0).then(|| self.records.range(bounds.clone()));
        let by_entry = (range.index > 0).then(|| self.entries.range(bounds));
        let by_key = by_key.into_iter().flatten().map(|(_, record)| record);
        let by_entry = by_entry.into_iter().flatten();
        by_key.chain(by_entry.filter_map(|(_, key)| self.records.get(key)))
    }

    /// All records of a type, in the order of their keys.
    pub(crate) fn all<R: Stored>(&self) -> impl Iterator<Item = &R> {
        let first = Bytes::from_slice(&[R::KIND as u8]);
        let after = Bytes::from_slice(&[R::KIND as u8 + 1]);
        let records = self.records.range(first..after);
        records.filter_map(|(_, record)| R::of(record)).map(AsRef::as_ref)
    }

    /// Every record of these kinds.
    pub(crate) fn records(&self, kinds: impl Fn(Kind) -> bool) -> impl Iterator<Item = &Record> {
        self.records.values().filter(move |record| kinds(record.kind()))
    }

    pub(crate) fn put(&mut self, record: Record) {
        self.replace(&ordered::key(&record.key()), Some(record));
    }

    /// Fails where one of these does not decode.
    fn decode(&self, found: &[Vec<Record>]) -> Result<()> {
        if self.damaged.is_empty() {
            return Ok(());
        }
        let damaged = |record: &&Record| self.damaged.contains(&*ordered::key(&record.key()));
        match found.iter().flatten().find(damaged) {
            Some(record) => Err(StoreError::Corrupt {
                record: record.kind().schema().name,
                detail: "it was damaged".to_owned(),
            }),
            None => Ok(()),
        }
    }

    /// All entries that lead to a record.
    fn entries_of(&self, key: &Bytes) -> Vec<Bytes> {
        self.entries
            .iter()
            .filter(|(_, leads_to)| *leads_to == key)
            .map(|(entry, _)| entry.clone())
            .collect()
    }

    /// The records in a range of keys, and whether all entries are theirs that lead to them.
    fn inspect(&self, range: &Range) -> Vec<Inspected> {
        let mut entries: HashMap<&Bytes, HashSet<&[u8]>> = HashMap::new();
        for (entry, key) in &self.entries {
            entries.entry(key).or_default().insert(entry);
        }
        let inspect = |record: &Record| {
            let (key, declared) = (record.key(), ordered::entries(record));
            let bytes = Bytes::from_vec(ordered::key(&key));
            let found = entries.remove(&bytes).unwrap_or_default();
            let record = Some(record.clone()).filter(|_| !self.damaged.contains(&bytes));
            let is_in_place =
                record.is_some() && found == declared.iter().map(|entry| &**entry).collect();
            Inspected { key, record, is_in_place }
        };
        let limit = range.limit.unwrap_or(usize::MAX);
        self.range(range).take(limit).map(inspect).collect()
    }

    /// Removes a record and whatever leads to it.
    fn forget(&mut self, key: &[u8]) {
        for entry in self.entries_of(&Bytes::from_slice(key)) {
            self.entries.remove(&entry);
        }
        self.records.remove(key);
    }

    fn replace(&mut self, key: &[u8], after: Option<Record>) {
        let entries = |record: Option<&Record>| record.map(ordered::entries).unwrap_or_default();
        let (left, taken) = (entries(self.records.get(key)), entries(after.as_ref()));
        for entry in left.iter().filter(|entry| !taken.contains(entry)) {
            self.entries.remove(&**entry);
        }
        let key = Bytes::from_slice(key);
        for entry in taken.into_iter().filter(|entry| !left.contains(entry)) {
            self.entries.insert(Bytes::from_slice(&entry), key.clone());
        }
        if let Some(after) = after {
            self.records.insert(key, after);
            return;
        }
        if key.first() == Some(&(Kind::Execution as u8)) {
            *self.lives.entry(key.clone()).or_default() += 1;
        }
        self.records.remove(&key);
    }
}

impl MemoryTx {
    /// Whether a claim may take it; everything else sees everything.
    fn is_seen(&self, range: &Range, record: &Record) -> bool {
        let queues = Queues::All.indexes();
        if range.kind != Kind::Execution || !queues.iter().any(|it| it.place() == range.index) {
            return true;
        }
        let id = Execution::of(record).map(|execution| &execution.id);
        match &self.take {
            Take::First => true,
            Take::FirstIn(partition) => id.is_some_and(|id| id.partition() == *partition),
            Take::Only(only) => id == Some(only),
            Take::Nothing => false,
        }
    }
}

impl Tx for MemoryTx {
    async fn get(&mut self, queries: &[Query]) -> Result<Vec<Vec<Record>>> {
        let found = queries.iter().map(|query| match query {
            Query::Key(key) => self.state.record(key).cloned().into_iter().collect(),
            Query::Range(range) => {
                let found = self.state.range(range).filter(|record| self.is_seen(range, record));
                found.take(range.limit.unwrap_or(usize::MAX)).cloned().collect()
            }
        });
        let found: Vec<Vec<Record>> = found.collect();
        self.state.decode(&found)?;
        Ok(found)
    }

    async fn lock(&mut self, queries: &[Query]) -> Result<Vec<Vec<Record>>> {
        self.get(queries).await
    }

    async fn inspect(&mut self, range: &Range) -> Result<Vec<Inspected>> {
        let inspected = self.state.inspect(range);
        let displaced = inspected.iter().filter(|stored| !stored.is_in_place);
        self.displaced.extend(displaced.map(|stored| stored.key.clone()));
        Ok(inspected)
    }

    async fn now(&mut self) -> Result<TimestampMs> {
        Ok(self.clock.now())
    }

    async fn commit(mut self, changes: Changes) -> Result<()> {
        for (key, write) in changes.records {
            let mut after = write.after;
            if let (Some(on_write), Some(after)) = (&self.on_write, &mut after) {
                on_write(self.state.record(&key), after);
            }
            let bytes = ordered::key(&key);
            if self.displaced.contains(&key) {
                self.state.forget(&bytes);
            }
            self.state.replace(&bytes, after);
        }
        for event in changes.events {
            let tags = event.tags().and_then(|key| self.state.record(&key).cloned());
            self.state.events.push_back(event.tagged(tags.as_ref()));
        }
        Ok(())
    }

    async fn ping(&mut self) -> Result<()> {
        Ok(())
    }

    fn mint(&mut self, of: &ExecutionId, what: Minted, number: u64) -> Uuid {
        if self.repeatable {
            let key = ordered::key(Execution::at(of).key());
            let life = self.state.lives.get(&*key).copied().unwrap_or_default();
            let name = format!("{of} {life} {} {number}", <&str>::from(what));
            return Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes());
        }
        Uuid::new_v4()
    }
}
