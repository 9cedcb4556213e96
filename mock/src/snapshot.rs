//! The model as a value.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use ff_core::call::{Call, Reply};
use ff_core::clock::ManualClock;
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::EngineError;
use ff_core::housekeeping::Housekeeping;
use ff_core::partition::PartitionKey;
use ff_core::types::{ExecutionId, LaneId, TimestampMs};
use ff_transactional::records::{Edge, Execution, Flow, Kind, Stored};
use ff_transactional::{Queues, Settings, Transactional};
use futures_util::FutureExt;

use crate::memory::{MemoryStore, State, Take};

/// Everything the model holds at one instant. A copy costs nothing, and a call makes a new one.
#[derive(Clone, Default)]
pub struct Snapshot(State);

impl Snapshot {
    /// What a store holds now.
    pub async fn of(store: &MemoryStore) -> Self {
        Self(store.state().await)
    }

    /// The answer to a call that reads this time, and what is held after it.
    ///
    /// The order of claims is one of each partition (SCH-002), and a claim may pass over what calls
    /// that overlap it are about (CLM-009), so what a claim takes can be open: here it is `take`. A
    /// claim does not wait.
    pub fn after(
        &self,
        settings: Settings,
        call: &Call,
        now: TimestampMs,
        take: Take,
    ) -> (Result<Reply, EngineError>, Self) {
        let mut call = call.clone();
        if let Call::Claim { policy, .. } = &mut call {
            policy.max_wait = None;
        }
        let clock = ManualClock::starting_at(now);
        let store = MemoryStore::holding(self.0.clone(), clock.into(), take);
        let model = Transactional::new(store, settings);
        let answering = async {
            let is_claim = matches!(call, Call::Claim { .. });
            let answer = model.dispatch(call).await;
            let mut after = Self(model.store().state().await);
            if is_claim {
                after.forget_put_back();
            }
            (answer, after)
        };
        at_once(answering)
    }

    /// That a claim has put an execution back whose grant has run out shows nowhere: without it, states that
    /// no call can tell apart are the same.
    fn forget_put_back(&mut self) {
        let is_over = |it: &&Execution| it.grant.as_ref().is_some_and(|grant| grant.is_over);
        let put_back: Vec<Execution> = self.executions().filter(is_over).cloned().collect();
        for mut execution in put_back {
            if let Some(grant) = &mut execution.grant {
                grant.is_over = false;
            }
            self.0.put(execution.into_record());
        }
    }

    /// What is due in a partition at this time.
    pub fn due(
        &self,
        settings: Settings,
        partition: &PartitionKey,
        now: TimestampMs,
        limit: usize,
    ) -> Result<Vec<Call>, EngineError> {
        let clock = ManualClock::starting_at(now);
        let store = MemoryStore::holding(self.0.clone(), clock.into(), Take::First);
        let model = Transactional::new(store, settings);
        at_once(model.due(partition, limit))
    }

    /// What a call may take or keep that looks for work in these queues of a lane at this time, by partition; of
    /// each the first first (SCH-002).
    pub fn claimable(
        &self,
        queues: Queues,
        lane: &LaneId,
        offered: &BTreeSet<String>,
        now: TimestampMs,
    ) -> BTreeMap<u16, Vec<ExecutionId>> {
        let indexes = queues.indexes().iter();
        let scans =
            indexes.map(|queue| queue.of(lane)).chain([Execution::RESERVED.all().up_to(&now)]);
        let mut waiting = BTreeMap::new();
        for scan in scans {
            for execution in self.0.range(scan.range()).filter_map(Execution::of) {
                let is_sought = queues == Queues::All || !execution.is_interrupted();
                if is_sought && execution.lane == *lane && execution.requirements.is_subset(offered)
                {
                    waiting.insert(execution.place(), execution.id.clone());
                }
            }
        }
        let mut claimable: BTreeMap<u16, Vec<ExecutionId>> = BTreeMap::new();
        for id in waiting.into_values() {
            claimable.entry(id.partition()).or_default().push(id);
        }
        claimable
    }

    /// All records of a type, in the order of their keys.
    pub fn all<R: Stored>(&self) -> impl Iterator<Item = &R> {
        self.0.all()
    }

    pub fn executions(&self) -> impl Iterator<Item = &Execution> {
        self.all()
    }

    pub fn flows(&self) -> impl Iterator<Item = &Flow> {
        self.all()
    }

    pub fn edges(&self) -> impl Iterator<Item = &Edge> {
        self.all()
    }

    pub fn execution(&self, id: &ExecutionId) -> Option<&Execution> {
        self.0.record(Execution::at(id).key()).and_then(Execution::of).map(AsRef::as_ref)
    }

    /// The same for snapshots that no call of the trait can tell apart.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        // No call shows past attempts.
        for record in self.0.records(|kind| kind != Kind::Attempt) {
            record.pack().joined().hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// The result of a future that has nothing to wait for.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    // Without this, the runtime may ask a task that has done much to pause.
    let done = tokio::task::unconstrained(future).now_or_never();
    done.expect("nothing in memory waits for anything")
}
