//! A transaction as a rule sees it: typed records, and what the rule has changed already.

use std::collections::{BTreeSet, HashMap};

use ff_core::types::{ExecutionId, LaneId, TimestampMs};
use uuid::Uuid;

use crate::records::{At, Event, Execution, Key, Outbox, Part, Range, Record, Scan, Stored};
use crate::store::{
    Access, Before, Changes, Inspected, Minted, Query, Queues, StoreError, Tx, Write,
};

type Result<T> = std::result::Result<T, StoreError>;

/// What a rule works on. What it has locked or changed is not asked for again; what it changes
/// reaches the storage at the end, all of it or nothing (SYS-011).
pub(crate) struct Session<T> {
    tx: T,
    access: Access,
    looked: bool,
    now: Option<TimestampMs>,
    /// What was found under each key, while nothing can have changed it.
    held: HashMap<Key, Option<Record>>,
    /// What was found under other keys when they were last looked at.
    seen: HashMap<Key, Option<Record>>,
    changes: Changes,
}

impl<T: Tx> Session<T> {
    pub(crate) fn new(tx: T, access: Access) -> Self {
        Self {
            tx,
            access,
            looked: false,
            now: None,
            held: HashMap::new(),
            seen: HashMap::new(),
            changes: Changes::default(),
        }
    }

    /// What is asked for, at one instant.
    pub(crate) async fn get<A: Ask>(&mut self, ask: A) -> Result<A::Answer> {
        self.answer(ask, false).await
    }

    /// What is asked for, locked until the end.
    pub(crate) async fn lock<A: Ask>(&mut self, ask: A) -> Result<A::Answer> {
        self.answer(ask, true).await
    }

    /// How many records the storage has in the range, without those that are written here.
    pub(crate) async fn count<R: Stored>(&mut self, scan: Scan<R>) -> Result<usize> {
        self.tx.count(scan.range()).await
    }

    /// See [`Tx::inspect`].
    pub(crate) async fn inspect<R: Stored>(&mut self, scan: Scan<R>) -> Result<Vec<Inspected>> {
        self.tx.inspect(scan.range()).await
    }

    async fn answer<A: Ask>(&mut self, ask: A, lock: bool) -> Result<A::Answer> {
        let mut queries = Vec::new();
        ask.queries(&mut queries);
        let open: Vec<Option<Query>> = queries.iter().map(|query| self.open(query)).collect();
        let asked: Vec<Query> = open.iter().flatten().cloned().collect();
        let mut found = self.find(&asked, lock).await?.into_iter();
        let mut answers = Vec::new();
        for (query, open) in queries.iter().zip(open) {
            let fresh = open.and_then(|_| found.next());
            answers.push(match query {
                Query::Key(key) => self.keyed(key, fresh, lock),
                Query::Range(range) => self.ranged(range, fresh.unwrap_or_default(), lock),
            });
        }
        ask.answer(&mut answers.into_iter())
    }

    async fn find(&mut self, asked: &[Query], lock: bool) -> Result<Vec<Vec<Record>>> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        if self.access == Access::Look && std::mem::replace(&mut self.looked, true) {
            return Err(StoreError::Failed("a call that looks once has looked twice".into()));
        }
        if lock { self.tx.lock(asked).await } else { self.tx.get(asked).await }
    }

    fn keyed(&mut self, key: &Key, fresh: Option<Vec<Record>>, lock: bool) -> Vec<Record> {
        if let Some(fresh) = fresh {
            self.note(key.clone(), fresh.into_iter().next(), lock);
        }
        self.known(key).into_iter().collect()
    }

    fn ranged(&mut self, range: &Range, fresh: Vec<Record>, lock: bool) -> Vec<Record> {
        for record in &fresh {
            self.note(record.key(), Some(record.clone()), lock);
        }
        self.merged(range, fresh)
    }

    /// The query, if the storage has to be asked.
    fn open(&self, query: &Query) -> Option<Query> {
        match query {
            Query::Key(key) if self.is_held(key) => None,
            Query::Key(_) => Some(query.clone()),
            Query::Range(range) => {
                // Entries that are found may be gone by now.
                let gone = self.changes.records.keys().filter(|key| key.kind == range.kind);
                let gone = gone.count();
                let limit = range.limit.map(|limit| limit + gone);
                Some(Query::Range(Range { limit, ..range.clone() }))
            }
        }
    }

    fn is_held(&self, key: &Key) -> bool {
        self.held.contains_key(key) || self.changes.records.contains_key(key)
    }

    fn note(&mut self, key: Key, record: Option<Record>, lock: bool) {
        if self.held.contains_key(&key) {
            return;
        }
        let known = if lock { &mut self.held } else { &mut self.seen };
        known.insert(key, record);
    }

    /// The record as the rule has left it.
    fn known(&self, key: &Key) -> Option<Record> {
        if let Some(write) = self.changes.records.get(key) {
            return write.after.clone();
        }
        let known = self.held.get(key).or_else(|| self.seen.get(key));
        known.cloned().flatten()
    }

    /// The range as the rule has left it.
    fn merged(&self, range: &Range, found: Vec<Record>) -> Vec<Record> {
        if !self.changes.records.keys().any(|key| key.kind == range.kind) {
            return found;
        }
        let changed = |record: &Record| self.changes.records.contains_key(&record.key());
        let mut entries: Vec<(Vec<Part>, Record)> = Vec::new();
        let written = self.changes.records.values().filter_map(|write| write.after.clone());
        let written = written.filter(|record| record.kind() == range.kind);
        for record in found.into_iter().filter(|record| !changed(record)).chain(written) {
            if let Some(entry) = record.entry(range.index)
                && range.contains(&entry)
            {
                entries.push((entry, record));
            }
        }
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        entries.truncate(range.limit.unwrap_or(usize::MAX));
        entries.into_iter().map(|(_, record)| record).collect()
    }

    /// Stores the record, or replaces the one with its key.
    pub(crate) fn put<R: Stored>(&mut self, record: &R) {
        self.write(record.key(), Some(record.clone().into_record()));
    }

    pub(crate) fn remove<R: Stored>(&mut self, at: At<R>) {
        self.write(at.key().clone(), None);
    }

    /// Removes what was found.
    pub(crate) fn remove_all<R: Stored>(&mut self, records: Vec<R>) {
        for record in records {
            self.write(record.key(), None);
        }
    }

    fn write(&mut self, key: Key, after: Option<Record>) {
        let before = match self.held.get(&key).or_else(|| self.seen.get(&key)) {
            None => Before::Unknown,
            Some(None) => Before::Absent,
            Some(Some(record)) => Before::Present(record.clone()),
        };
        if let (Before::Present(before), Some(after)) = (&before, &after) {
            debug_assert!(
                before.may_become(after),
                "a fixed field differs: {before:?}, then {after:?}"
            );
        }
        self.changes.records.insert(key, Write { before, after });
    }

    /// Adds to an outbox.
    pub(crate) fn append(&mut self, event: impl Into<Event>) {
        self.changes.events.push(event.into());
    }

    /// The clock, read once.
    pub(crate) async fn now(&mut self) -> Result<TimestampMs> {
        let now = match self.now {
            Some(now) => now,
            None => self.tx.now().await?,
        };
        self.now = Some(now);
        Ok(now)
    }

    pub(crate) async fn ping(&mut self) -> Result<()> {
        self.tx.ping().await
    }

    pub(crate) fn mint(&mut self, of: &ExecutionId, what: Minted, number: u64) -> Uuid {
        self.tx.mint(of, what, number)
    }

    /// See [`Tx::first_in`].
    pub(crate) async fn first_in(
        &mut self,
        queues: Queues,
        lane: &LaneId,
        offered: &BTreeSet<String>,
    ) -> Result<Option<Execution>> {
        let Some(first) = self.tx.first_in(queues, lane, offered).await? else {
            return Ok(None);
        };
        self.note(first.key(), Some(first.clone()), true);
        typed(first).map(Some)
    }

    /// See [`Tx::has_grant_run_out`].
    pub(crate) async fn has_grant_run_out(&mut self) -> Result<bool> {
        self.tx.has_grant_run_out().await
    }

    /// The lanes of the executions that can be claimed by what was changed, and could not before.
    pub(crate) fn new_work(&self) -> Vec<LaneId> {
        self.changes.new_work()
    }

    /// The outboxes that were added to.
    pub(crate) fn outboxes(&self) -> BTreeSet<Outbox> {
        self.changes.events.iter().map(Event::outbox).collect()
    }

    /// The executions that were changed, or had frames appended.
    pub(crate) fn changed(&self) -> Vec<ExecutionId> {
        self.changes.executions()
    }

    /// Writes nothing. That what was read was so at one instant still has to be true.
    pub(crate) async fn leave(self) -> Result<()> {
        self.tx.commit(Changes::default()).await
    }

    /// Writes what was changed.
    pub(crate) async fn commit(self) -> Result<()> {
        self.tx.commit(self.changes).await
    }
}

/// Something that can be asked for in one message.
pub(crate) trait Ask {
    type Answer;

    fn queries(&self, queries: &mut Vec<Query>);

    /// Takes what was found for its queries.
    fn answer(&self, rows: &mut impl Iterator<Item = Vec<Record>>) -> Result<Self::Answer>;
}

impl<R: Stored> Ask for At<R> {
    type Answer = Option<R>;

    fn queries(&self, queries: &mut Vec<Query>) {
        queries.push(Query::Key(self.key().clone()));
    }

    fn answer(&self, rows: &mut impl Iterator<Item = Vec<Record>>) -> Result<Option<R>> {
        let found = rows.next().unwrap_or_default();
        found.into_iter().next().map(typed).transpose()
    }
}

impl<R: Stored> Ask for Scan<R> {
    type Answer = Vec<R>;

    fn queries(&self, queries: &mut Vec<Query>) {
        queries.push(Query::Range(self.range().clone()));
    }

    fn answer(&self, rows: &mut impl Iterator<Item = Vec<Record>>) -> Result<Vec<R>> {
        rows.next().unwrap_or_default().into_iter().map(typed).collect()
    }
}

impl<T: Ask> Ask for Vec<T> {
    type Answer = Vec<T::Answer>;

    fn queries(&self, queries: &mut Vec<Query>) {
        for ask in self {
            ask.queries(queries);
        }
    }

    fn answer(&self, rows: &mut impl Iterator<Item = Vec<Record>>) -> Result<Self::Answer> {
        self.iter().map(|ask| ask.answer(rows)).collect()
    }
}

macro_rules! together {
    ($($Ask:ident $place:tt),+) => {
        impl<$($Ask: Ask),+> Ask for ($($Ask,)+) {
            type Answer = ($($Ask::Answer,)+);

            fn queries(&self, queries: &mut Vec<Query>) {
                $(self.$place.queries(queries);)+
            }

            fn answer(&self, rows: &mut impl Iterator<Item = Vec<Record>>) -> Result<Self::Answer> {
                Ok(($(self.$place.answer(rows)?,)+))
            }
        }
    };
}

together!(A 0, B 1);
together!(A 0, B 1, C 2);
together!(A 0, B 1, C 2, D 3);
together!(A 0, B 1, C 2, D 3, E 4);
together!(A 0, B 1, C 2, D 3, E 4, F 5);

/// The record as its own type.
fn typed<R: Stored>(record: Record) -> Result<R> {
    let found = R::of(&record).map(|found| R::clone(found));
    found.ok_or_else(|| {
        let (asked, kind) = (R::KIND, record.kind());
        StoreError::Failed(format!("{asked:?} was asked for, {kind:?} was found").into())
    })
}
