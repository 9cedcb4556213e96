//! The model as a value.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use ff_core::backend::{CapabilitySet, Namespace};
use ff_core::call::{Call, Reply};
use ff_core::clock::ManualClock;
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::EngineError;
use ff_core::types::{ExecutionId, FlowId, LaneId, TimestampMs};
use ff_transactional::{Edge, EdgeGroup, Execution, Flow, Settings, Transactional};
use futures_util::FutureExt;
use imbl::OrdMap;
use serde::Serialize;

use crate::memory::{MemoryStore, State};

/// Everything the model holds at one instant. A copy costs nothing, and a call makes a new one.
#[derive(Clone, Default)]
pub struct Snapshot(State);

impl Snapshot {
    /// The answer to a call that reads this time, and what is held after it.
    ///
    /// The order of claims is one of each partition (SCH-002), so which partition a claim takes
    /// from is open: here it is `partition`, or the one whose first execution goes before all
    /// others. A claim does not wait.
    pub fn after(
        &self,
        settings: Settings,
        call: &Call,
        now: TimestampMs,
        partition: Option<u16>,
    ) -> (Result<Reply, EngineError>, Self) {
        let mut call = call.clone();
        if let Call::Claim { policy, .. } = &mut call {
            policy.max_wait = None;
        }
        let clock = ManualClock::starting_at(now);
        let store = MemoryStore::holding(self.0.clone(), clock.into(), partition);
        let model = Transactional::new(store, settings);
        let answering = async {
            let answer = model.dispatch(call).await;
            (answer, Self(model.store().state().await))
        };
        // Without this, the runtime may ask a task that has done much to pause.
        tokio::task::unconstrained(answering)
            .now_or_never()
            .expect("nothing in memory waits for anything")
    }

    /// The partitions in which a claim would find work.
    pub fn claimable_in(&self, lane: &LaneId, offered: &CapabilitySet) -> BTreeSet<u16> {
        let offered: BTreeSet<String> = offered.tokens.iter().cloned().collect();
        let sets = self.0.claimable.iter();
        sets.filter(|((of, required), _)| of == lane && required.is_subset(&offered))
            .flat_map(|(_, keys)| keys.iter().map(|(_, _, id)| id.partition()))
            .collect()
    }

    /// All executions, in the order of their ids.
    pub fn executions(&self) -> impl Iterator<Item = &Execution> {
        self.0.executions.values()
    }

    pub fn execution(&self, id: &ExecutionId) -> Option<&Execution> {
        self.0.executions.get(id)
    }

    /// All flows, in the order of their ids.
    pub fn flows(&self) -> impl Iterator<Item = &Flow> {
        self.0.flows.values()
    }

    /// All edges, in the order of their flows and ids.
    pub fn edges(&self) -> impl Iterator<Item = &Edge> {
        self.0.edges.values()
    }

    /// The same for snapshots that no call of the trait can tell apart.
    pub fn fingerprint(&self) -> u64 {
        let state = &self.0;
        let shown = Shown {
            executions: state.executions.values().collect(),
            payloads: bytes_of(&state.payloads),
            results: bytes_of(&state.results),
            tags: state.tags.iter().collect(),
            idempotency: state.idempotency.iter().collect(),
            lanes: state.lanes.iter().collect(),
            flows: state.flows.values().collect(),
            edges: state.edges.values().collect(),
            flow_tags: state.flow_tags.iter().collect(),
            groups: state.groups.values().collect(),
            backlog: state.backlog.iter().collect(),
        };
        let bytes = postcard::to_allocvec(&shown).expect("plain data in memory always encodes");
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        hasher.finish()
    }
}

/// Partition, namespace and text of an idempotency key.
type Key = (u16, Namespace, String);

type Bytes<'a> = Vec<(&'a ExecutionId, &'a [u8])>;

fn bytes_of(map: &OrdMap<ExecutionId, Arc<[u8]>>) -> Bytes<'_> {
    map.iter().map(|(id, bytes)| (id, bytes.as_ref())).collect()
}

/// What the trait can show of a state.
#[derive(Serialize)]
struct Shown<'a> {
    executions: Vec<&'a Execution>,
    payloads: Bytes<'a>,
    results: Bytes<'a>,
    tags: Vec<(&'a ExecutionId, &'a BTreeMap<String, String>)>,
    idempotency: Vec<(&'a Key, &'a (ExecutionId, TimestampMs))>,
    lanes: Vec<&'a LaneId>,
    flows: Vec<&'a Flow>,
    edges: Vec<&'a Edge>,
    flow_tags: Vec<(&'a FlowId, &'a BTreeMap<String, String>)>,
    groups: Vec<&'a EdgeGroup>,
    backlog: Vec<&'a (FlowId, ExecutionId)>,
}
