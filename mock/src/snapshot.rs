//! The model as a value.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use ff_core::backend::CapabilitySet;
use ff_core::call::{Call, Reply};
use ff_core::clock::ManualClock;
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::EngineError;
use ff_core::housekeeping::Housekeeping;
use ff_core::partition::PartitionKey;
use ff_core::types::{ExecutionId, LaneId, TimestampMs};
use ff_transactional::records::{Edge, Execution, Flow, Kind, Stored};
use ff_transactional::{Settings, Transactional, place_in_queue};
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
            let answer = model.dispatch(call).await;
            (answer, Self(model.store().state().await))
        };
        at_once(answering)
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

    /// What a claim would find, by partition; of each the first first (SCH-002).
    pub fn claimable(
        &self,
        lane: &LaneId,
        offered: &CapabilitySet,
    ) -> BTreeMap<u16, Vec<ExecutionId>> {
        let offered: BTreeSet<String> = offered.tokens.iter().cloned().collect();
        let queue = Execution::QUEUE.of(lane);
        let mut waiting = BTreeMap::new();
        for record in self.0.range(queue.range()) {
            if let Some(execution) = Execution::of(record)
                && execution.requirements.is_subset(&offered)
            {
                waiting.insert(place_in_queue(record), execution.id.clone());
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
