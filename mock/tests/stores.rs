//! The suite for stores: memory passes it, and stores that are wrong in one respect do not.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::collections::BTreeSet;
use std::sync::Arc;

use ff_core::backend::PrepareOutcome;
use ff_core::clock::ManualClock;
use ff_core::types::TimestampMs;
use ff_mock::{MemoryStore, Record};
use ff_transactional::records::{Execution, Key, Outbox, Part, Payload, Stored};
use ff_transactional::suite::{Storage, check};
use ff_transactional::{
    Access, Before, Changes, Events, Feed, Place, Query, Queues, Store, StoreError, Tx,
};
use tokio::sync::Mutex;
use tokio::task::yield_now;

type Result<T> = std::result::Result<T, StoreError>;

/// What a store does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::VariantArray)]
enum Fault {
    /// Removals are forgotten.
    KeepsRemoved,
    /// A record is never replaced.
    KeepsFirstVersion,
    /// Bytes beyond 65 535 are cut off.
    CutsBytes,
    /// Texts in keys are stored in lower case.
    LowersKeys,
    /// A range comes in descending order.
    Descends,
    /// A page begins with its cursor.
    IncludesCursor,
    /// A range without its last bound.
    IgnoresUpTo,
    /// A page is one too long.
    ExceedsLimit,
    /// Entries stay where a record has been.
    LeavesEntries,
    /// A commit is two, and others come in between.
    CommitsTwice,
    /// Each query is answered at an instant of its own.
    AsksOneByOne,
    /// A transaction that reads twice reads at two instants.
    NoSnapshot,
    /// Locks lock nothing.
    NoLocks,
    /// A record that was not there is stored over one that is there by now.
    OverwritesCreated,
    /// The oldest is taken first, whatever its priority.
    TakesOldest,
    /// Nothing outlives the store.
    ForgetsAll,
}

/// Memory, perhaps wrong in some respect.
#[derive(Clone)]
struct Faulty {
    memory: MemoryStore,
    fault: Option<Fault>,
    /// Entries that a record has left.
    left: Arc<Mutex<Vec<(Record, Record)>>>,
}

struct FaultyTx {
    store: Faulty,
    tx: Option<<MemoryStore as Store>::Tx>,
}

fn memory() -> MemoryStore {
    MemoryStore::new(ManualClock::new())
}

impl Storage for Faulty {
    type Store = Self;

    async fn open(&self) -> Self {
        if self.fault == Some(Fault::ForgetsAll) {
            return Self { memory: memory(), ..self.clone() };
        }
        self.clone()
    }
}

impl Feed for Faulty {
    async fn events(&self, outbox: Outbox, behind: Option<&Place>, limit: usize) -> Result<Events> {
        self.memory.events(outbox, behind, limit).await
    }
}

impl Store for Faulty {
    type Tx = FaultyTx;

    async fn begin(&self, access: Access) -> Result<FaultyTx> {
        let loose = match self.fault {
            Some(Fault::NoLocks | Fault::OverwritesCreated | Fault::AsksOneByOne) => true,
            Some(Fault::NoSnapshot) => access == Access::Read,
            _ => false,
        };
        let tx = if loose { None } else { Some(self.memory.begin(access).await?) };
        Ok(FaultyTx { store: self.clone(), tx })
    }

    async fn prepare(&self) -> Result<PrepareOutcome> {
        self.memory.prepare().await
    }
}

impl FaultyTx {
    fn is(&self, fault: Fault) -> bool {
        self.store.fault == Some(fault)
    }

    /// In the transaction, or by itself where there is none.
    async fn ask(&mut self, queries: &[Query]) -> Result<Vec<Vec<Record>>> {
        match &mut self.tx {
            Some(tx) => tx.get(queries).await,
            None => self.store.memory.begin(Access::Look).await?.get(queries).await,
        }
    }

    async fn answer(&mut self, query: &Query) -> Result<Vec<Record>> {
        let mut asked = query.clone();
        if let Query::Range(range) = &mut asked {
            match self.store.fault {
                Some(Fault::IgnoresUpTo) => range.up_to = None,
                Some(Fault::ExceedsLimit) => range.limit = range.limit.map(|limit| limit + 1),
                Some(Fault::IncludesCursor) => {
                    if let Some(Part::Uuid(uuid)) = range.after.last_mut() {
                        *uuid = uuid::Uuid::from_u128(uuid.as_u128().saturating_sub(1));
                    }
                }
                _ => {}
            }
        }
        if let Query::Key(key) = &mut asked
            && self.is(Fault::LowersKeys)
        {
            lower(key);
        }
        let mut found = self.ask(&[asked]).await?.remove(0);
        if self.is(Fault::Descends) {
            found.reverse();
        }
        if let Query::Range(range) = query {
            for (before, after) in &*self.store.left.lock().await {
                let was = before.entry(range.index).filter(|_| before.kind() == range.kind);
                let is = after.entry(range.index);
                if was.is_some_and(|was| range.contains(&was) && Some(&was) != is.as_ref()) {
                    found.push(after.clone());
                }
            }
        }
        Ok(found)
    }
}

fn lower(key: &mut Key) {
    for part in &mut key.parts {
        if let Part::Text(text) = part {
            *text = text.to_lowercase();
        }
    }
}

impl Tx for FaultyTx {
    async fn get(&mut self, queries: &[Query]) -> Result<Vec<Vec<Record>>> {
        if self.tx.is_none() && !self.is(Fault::AsksOneByOne) {
            // One instant, but none that lasts.
            return self.ask(queries).await;
        }
        let mut found = Vec::new();
        for query in queries {
            found.push(self.answer(query).await?);
            if self.is(Fault::AsksOneByOne) {
                yield_now().await;
            }
        }
        Ok(found)
    }

    async fn lock(&mut self, queries: &[Query]) -> Result<Vec<Vec<Record>>> {
        self.get(queries).await
    }

    async fn now(&mut self) -> Result<TimestampMs> {
        Ok(TimestampMs(0))
    }

    async fn ping(&mut self) -> Result<()> {
        Ok(())
    }

    async fn commit(self, mut changes: Changes) -> Result<()> {
        let fault = self.store.fault;
        for (key, write) in std::mem::take(&mut changes.records) {
            let (mut key, mut write) = (key, write);
            let replaces = matches!(write.before, Before::Present(_));
            match (fault, &mut write.after) {
                (Some(Fault::KeepsRemoved), None) => continue,
                (Some(Fault::KeepsFirstVersion), Some(_)) if replaces => continue,
                (Some(Fault::CutsBytes), Some(after)) => {
                    if let Some(payload) = Payload::of_mut(after) {
                        payload.bytes.truncate(65_535);
                    }
                }
                (Some(Fault::LowersKeys), _) => lower(&mut key),
                (Some(Fault::LeavesEntries), Some(after)) => {
                    if let Before::Present(before) = &write.before {
                        let left = (before.clone(), after.clone());
                        self.store.left.lock().await.push(left);
                    }
                }
                _ => {}
            }
            changes.records.insert(key, write);
        }
        let tx = match self.tx {
            Some(tx) => tx,
            None => self.store.memory.begin(Access::Write).await?,
        };
        if fault == Some(Fault::CommitsTwice) && changes.records.len() > 1 {
            let last = changes.records.pop_last();
            tx.commit(changes).await?;
            yield_now().await;
            let tx = self.store.memory.begin(Access::Write).await?;
            let records = last.into_iter().collect();
            return tx.commit(Changes { records, events: Vec::new() }).await;
        }
        if fault != Some(Fault::OverwritesCreated) {
            return committed(tx, changes).await;
        }
        tx.commit(changes).await
    }

    async fn first_in(
        &mut self,
        _: Queues,
        lane: &ff_core::types::LaneId,
        offered: &BTreeSet<String>,
    ) -> Result<Option<Record>> {
        let queue = Query::Range(Execution::QUEUE.of(lane).range().clone());
        let found = self.lock(&[queue]).await?.remove(0);
        let wanted = found.into_iter().filter(|record| {
            Execution::of(record).is_some_and(|execution| execution.requirements.is_subset(offered))
        });
        let oldest = self.is(Fault::TakesOldest);
        Ok(wanted.min_by_key(|record| {
            let place = Execution::of(record).map(|execution| execution.place());
            place.map(|(rank, age, home, id)| (if oldest { 0 } else { rank }, age, home, id))
        }))
    }
}

/// Commits, unless a record that was not there has come meanwhile.
async fn committed(mut tx: <MemoryStore as Store>::Tx, changes: Changes) -> Result<()> {
    for (key, write) in &changes.records {
        if write.before == Before::Absent
            && !tx.get(&[Query::Key(key.clone())]).await?[0].is_empty()
        {
            return Err(StoreError::Conflict);
        }
    }
    tx.commit(changes).await
}

fn faulty(fault: Option<Fault>) -> Faulty {
    Faulty { memory: memory(), fault, left: Arc::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_a_store() {
    assert_eq!(check(|| async { faulty(None) }).await, []);
}

struct Plain(MemoryStore);

impl Storage for Plain {
    type Store = MemoryStore;

    async fn open(&self) -> MemoryStore {
        self.0.clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_model_s_memory_is_a_store() {
    assert_eq!(check(|| async { Plain(memory()) }).await, []);
}

#[tokio::test]
async fn wrong_stores_are_caught() {
    for fault in <Fault as strum::VariantArray>::VARIANTS {
        let wrong = check(|| async { faulty(Some(*fault)) }).await;
        assert!(!wrong.is_empty(), "{fault:?} is not noticed");
        println!(
            "{fault:?}: {}",
            wrong.iter().map(|wrong| wrong.check).collect::<Vec<_>>().join(", ")
        );
    }
}
