//! What a store has to do, as checks that any store can be put through.
//!
//! Say how a storage is opened ([`Storage`]), and [`check`] tells what it gets wrong. A store that
//! gets nothing wrong makes a backend with [`crate::Transactional`], which the conformance suite
//! then checks as a whole.

mod atomicity;
mod claims;
mod isolation;
mod ranges;
mod records;
mod samples;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::records::{Event, Key, Record, Stored};
use crate::store::{Access, Before, Changes, Query, Store, StoreError, Tx, Write};

/// A storage that can be opened more than once.
pub trait Storage: Send + Sync + 'static {
    type Store: Store;

    /// Another store on the same records. The first is prepared by the check.
    fn open(&self) -> impl Future<Output = Self::Store> + Send;

    /// Whether records outlive all stores that were opened on them.
    fn is_durable(&self) -> bool {
        true
    }
}

/// Something that a store got wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The check that found it.
    pub check: &'static str,
    pub detail: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.detail)
    }
}

/// What a check finds, in words.
type Finding = Result<(), String>;
type Running<'a> = Pin<Box<dyn Future<Output = Finding> + Send + 'a>>;

macro_rules! checks {
    ($($module:ident: $($name:ident),+;)+) => {
        /// The names of all checks.
        pub const CHECKS: &[&str] = &[$($(concat!(stringify!($module), ".", stringify!($name)),)+)+];

        async fn run<S: Storage>(check: &str, storage: Arc<S>) -> Finding {
            let running: Running<'_> = match check {
                $($(concat!(stringify!($module), ".", stringify!($name)) => {
                    Box::pin($module::$name(Bench::on(storage).await?))
                })+)+
                other => return Err(format!("{other} is not a check")),
            };
            running.await
        }
    };
}

checks! {
    records: come_back, replaced, removed, told_apart;
    atomicity: all_or_nothing, given_up, reopened;
    ranges: ordered, paged, kept_in_step;
    isolation: counted, created_once, one_instant, snapshot, added_beside;
    claims: in_order, taken_once;
}

/// How long a check may take before the store counts as stuck. Sound stores need a few seconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// Everything that the store gets wrong. Each check gets an empty storage of its own.
pub async fn check<S: Storage, F: Future<Output = S>>(empty: impl Fn() -> F) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for check in CHECKS {
        let storage = Arc::new(empty().await);
        let finding = tokio::time::timeout(PATIENCE, run(check, storage)).await;
        let unfinished = || Err("it does not end".to_owned());
        if let Err(detail) = finding.unwrap_or_else(|_| unfinished()) {
            wrong.push(Wrong { check, detail });
        }
    }
    wrong
}

/// A store under test.
struct Bench<S: Storage> {
    storage: Arc<S>,
    store: Arc<S::Store>,
}

impl<S: Storage> Clone for Bench<S> {
    fn clone(&self) -> Self {
        Self { storage: Arc::clone(&self.storage), store: Arc::clone(&self.store) }
    }
}

impl<S: Storage> Bench<S> {
    async fn on(storage: Arc<S>) -> Result<Self, String> {
        let store = Arc::new(storage.open().await);
        store.prepare().await.map_err(told)?;
        Ok(Self { storage, store })
    }

    /// Another store on the same records, once this one is gone.
    async fn reopened(self) -> Result<Self, String> {
        drop(self.store);
        Self::on(self.storage).await
    }

    async fn begin(&self, access: Access) -> Result<<S::Store as Store>::Tx, String> {
        self.store.begin(access).await.map_err(told)
    }

    /// What is found for one query.
    async fn find(&self, query: Query) -> Result<Vec<Record>, String> {
        let mut tx = self.begin(Access::Look).await?;
        let mut found = tx.get(&[query]).await.map_err(told)?;
        found.pop().ok_or_else(|| "there is no answer to a query".to_owned())
    }

    /// The record with the key, if it is there.
    async fn record(&self, key: &Key) -> Result<Option<Record>, String> {
        let found = self.find(Query::Key(key.clone())).await?;
        if found.len() > 1 {
            return Err(format!("{} records have the key {key:?}", found.len()));
        }
        Ok(found.into_iter().next())
    }

    /// Stores these, whatever was there.
    async fn put(&self, records: impl IntoIterator<Item = Record>) -> Finding {
        self.commit(changes(records.into_iter().map(|record| (Before::Unknown, Some(record)))))
            .await
    }

    async fn commit(&self, changes: Changes) -> Finding {
        let tx = self.begin(Access::Write).await?;
        tx.commit(changes).await.map_err(told)
    }

    /// Locks the record, changes it and commits, again if that met another.
    async fn change<R: Stored>(&self, key: &Key, change: impl Fn(&mut R) + Sync) -> Finding {
        for number in 0..MOST_CONFLICTS {
            // As calls do.
            let access = if number == 0 { Access::Write } else { Access::WriteAgain };
            match self.try_change(access, key, &change).await {
                Err(StoreError::Conflict) => tokio::task::yield_now().await,
                other => return other.map_err(told),
            }
        }
        Err("a change meets others for ever".to_owned())
    }

    async fn try_change<R: Stored>(
        &self,
        access: Access,
        key: &Key,
        change: impl Fn(&mut R),
    ) -> Result<(), StoreError> {
        let mut tx = self.store.begin(access).await?;
        let found = tx.lock(&[Query::Key(key.clone())]).await?;
        let before = found.into_iter().flatten().next();
        let before = before.ok_or_else(|| StoreError::Failed("the record is gone".into()))?;
        let mut after = before.clone();
        change(R::of_mut(&mut after).expect("a record of this type"));
        // Others come in between, if they can.
        tokio::task::yield_now().await;
        tx.commit(changes([(Before::Present(before), Some(after))])).await
    }
}

/// How often a change may meet others.
const MOST_CONFLICTS: usize = 10_000;

fn told(error: StoreError) -> String {
    error.to_string()
}

/// Changes without events. What is removed is known by what was there.
fn changes(writes: impl IntoIterator<Item = (Before, Option<Record>)>) -> Changes {
    let mut changes = Changes::default();
    for (before, after) in writes {
        let key = match (&after, &before) {
            (Some(record), _) | (None, Before::Present(record)) => record.key(),
            (None, _) => continue,
        };
        changes.records.insert(key, Write { before, after });
    }
    changes
}

fn with_event(mut changes: Changes, event: impl Into<Event>) -> Changes {
    changes.events.push(event.into());
    changes
}

fn expect<T: PartialEq + fmt::Debug>(seen: &T, expected: &T, what: &str) -> Finding {
    if seen == expected {
        return Ok(());
    }
    Err(format!("{what}: expected {expected:?}, seen {seen:?}"))
}
