//! What the rules ask of a storage: to read records at one instant, to lock them, and to write all
//! that a call changes at once.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;

use ff_core::backend::PrepareOutcome;
use ff_core::types::{ExecutionId, LaneId, TimestampMs};
use uuid::Uuid;

use crate::feeds::Feed;
use crate::records::{Event, Execution, Index, Key, Range, Record, Stored};
use crate::requirements;
use crate::waiting::WaitingClaims;

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It reads once, several things at one instant.
    Look,
    /// It reads more than once, all of it as of one instant.
    Read,
    /// It may lock and write. What it reads without a lock is true when it is read.
    Write,
    /// The same, when others have been in the way before: what takes its chances at first waits now.
    WriteAgain,
}

/// What ids are minted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Minted {
    Lease,
    Attempt,
    Waitpoint,
    Signal,
}

/// Why a storage did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The transaction met another one; the same work may succeed if begun again.
    #[error("the transaction conflicts with another")]
    Conflict,
    /// A stored record cannot be decoded.
    #[error("{record}: {detail}")]
    Corrupt { record: &'static str, detail: String },
    /// The storage or the way to it failed.
    #[error(transparent)]
    Failed(Box<dyn std::error::Error + Send + Sync + 'static>),
}

type Result<T> = std::result::Result<T, StoreError>;

/// A record as it stands in the storage.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspected {
    pub key: Key,
    /// `None` if it cannot be decoded.
    pub record: Option<Record>,
    /// Whether each index has it where it belongs, and nowhere else. What is written again is in place.
    pub is_in_place: bool,
}

/// What is asked for: the record with a key, if it is there, or those in a range of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    Key(Key),
    Range(Range),
}

/// A storage with real transactions.
pub trait Store: Feed {
    type Tx: Tx;

    /// Begins a transaction. Those that write see each other as if they ran one by one, as far as
    /// they lock what they read.
    fn begin(&self, access: Access) -> impl Future<Output = Result<Self::Tx>> + Send;

    /// A claim is about to wait on this lane. From now on the store wakes its claims for work that other
    /// instances bring, as far as it hears of it: claims look by themselves as well.
    fn listen(&self, _lane: &LaneId, _waiting: &Arc<WaitingClaims>) {}

    /// Brings the storage to where the records fit; safe to repeat and to race.
    fn prepare(&self) -> impl Future<Output = Result<PrepareOutcome>> + Send;
}

/// A transaction: all of it happens at `commit`, or none if it is dropped.
pub trait Tx: Send {
    /// What is found for each query, at one instant for all; ranges in the order of their index.
    fn get(&mut self, queries: &[Query]) -> impl Future<Output = Result<Vec<Vec<Record>>>> + Send;

    /// The same, each record locked until the end of the transaction, in the order of the queries. Of
    /// two transactions that lock the same record one waits for the other and reads what that has left,
    /// or one meets [`StoreError::Conflict`], at the commit if not before.
    fn lock(&mut self, queries: &[Query]) -> impl Future<Output = Result<Vec<Vec<Record>>>> + Send;

    /// How many records [`Tx::get`] finds in the range; a storage may be able to tell without reading them.
    fn count(&mut self, range: &Range) -> impl Future<Output = Result<usize>> + Send {
        async move {
            let found = self.get(&[Query::Range(range.clone())]).await?;
            Ok(found.iter().map(Vec::len).sum())
        }
    }

    /// The records in a range of the index by key, whatever state they are in. A storage whose indexes follow
    /// from its records has all in place.
    fn inspect(&mut self, range: &Range) -> impl Future<Output = Result<Vec<Inspected>>> + Send {
        async move {
            let found = self.get(&[Query::Range(range.clone())]).await?;
            let inspected = found.into_iter().flatten().map(|record| Inspected {
                key: record.key(),
                record: Some(record),
                is_in_place: true,
            });
            Ok(inspected.collect())
        }
    }

    /// The storage's clock.
    fn now(&mut self) -> impl Future<Output = Result<TimestampMs>> + Send;

    /// Writes all of this, each event with the tags that its execution has then, and ends the transaction. With nothing to write, it still makes sure that
    /// what was locked was as it was read, all of it at once.
    fn commit(self, changes: Changes) -> impl Future<Output = Result<()>> + Send;

    /// Asks the storage for something, whatever clock is in use.
    fn ping(&mut self) -> impl Future<Output = Result<()>> + Send;

    /// The id of what the execution has of this kind under this number. Numbers are not used again, so
    /// ids need not be random where no two deployments can meet.
    fn mint(&mut self, _of: &ExecutionId, _what: Minted, _number: u64) -> Uuid {
        Uuid::new_v4()
    }

    /// An execution of the lane in these queues whose requirements are among what is offered: the first of
    /// these ([`Execution::place`]), but for those that other transactions have locked; locked.
    fn first_in(
        &mut self,
        queues: Queues,
        lane: &LaneId,
        offered: &BTreeSet<String>,
    ) -> impl Future<Output = Result<Option<Record>>> + Send {
        async move {
            let mut firsts = Vec::new();
            for queue in queues.indexes() {
                let mut seen: Option<String> = None;
                loop {
                    // Jumps from one set to the next, so that the backlog's length costs nothing.
                    let next = queue.of(lane).after(seen.as_ref()).limit(1);
                    let found = self.get(&[Query::Range(next.range().clone())]).await?;
                    let first = found.first().and_then(|found| Execution::of(found.first()?));
                    let Some(first) = first else {
                        break;
                    };
                    let set = requirements::join(&first.requirements);
                    if first.requirements.is_subset(offered) {
                        let queue = queue.of(lane).and(&set);
                        firsts.push(Query::Range(queue.limit(1).range().clone()));
                    }
                    seen = Some(set);
                }
            }
            if firsts.is_empty() {
                return Ok(None);
            }
            let found = self.lock(&firsts).await?;
            Ok(first_of(found.into_iter().flatten()))
        }
    }

    /// Whether an execution is kept from claims by a grant that has run out; asked after
    /// [`Tx::first_in`].
    fn has_grant_run_out(&mut self) -> impl Future<Output = Result<bool>> + Send {
        async move {
            let now = self.now().await?;
            let over = Execution::RESERVED.all().up_to(&now).limit(1);
            let found = self.get(&[Query::Range(over.range().clone())]).await?;
            Ok(found.iter().any(|found| !found.is_empty()))
        }
    }
}

/// The execution that goes before the others.
pub fn first_of(executions: impl Iterator<Item = Record>) -> Option<Record> {
    executions.min_by_key(|record| Execution::of(record).map(|execution| execution.place()))
}

/// Where work is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queues {
    /// What fresh claims may take.
    Fresh,
    /// That, and attempts that may go on.
    All,
}

impl Queues {
    /// Both have the lane and the requirement set first.
    pub fn indexes(self) -> &'static [Index<Execution>] {
        match self {
            Self::Fresh => &[Execution::QUEUE],
            Self::All => &[Execution::QUEUE, Execution::RESUMABLE],
        }
    }
}

/// What a transaction knew of a record before it wrote it.
#[derive(Clone, Debug, PartialEq)]
pub enum Before {
    /// It has not looked.
    Unknown,
    /// There was none.
    Absent,
    Present(Record),
}

/// A record that is stored, or removed.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    pub before: Before,
    /// `None` removes it.
    pub after: Option<Record>,
}

/// Everything that a call changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// By key, so that transactions write in one order.
    pub records: BTreeMap<Key, Write>,
    /// For the outboxes, oldest first. Readers are woken once they have committed.
    pub events: Vec<Event>,
}

impl Changes {
    /// The lane of each execution that can be claimed now, and could not before.
    pub fn new_work(&self) -> Vec<LaneId> {
        let claimable = |record: &Record| {
            let execution = Execution::of(record).filter(|execution| execution.is_claimable());
            execution.map(|execution| execution.lane.clone())
        };
        let new = self.records.values().filter_map(|write| {
            let was = match &write.before {
                Before::Present(before) => claimable(before),
                Before::Absent | Before::Unknown => None,
            };
            write.after.as_ref().filter(|_| was.is_none()).and_then(claimable)
        });
        new.collect()
    }

    /// The executions that are changed, or have frames appended.
    pub(crate) fn executions(&self) -> Vec<ExecutionId> {
        let written = self.records.values().filter_map(|write| write.after.as_ref());
        let changed = written.filter_map(|record| match record {
            Record::Execution(execution) => Some(execution.id.clone()),
            Record::Stream(stream) => Some(stream.execution.clone()),
            _ => None,
        });
        changed.collect()
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.events.is_empty()
    }
}
