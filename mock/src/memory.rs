//! A store in memory. Its state is made of persistent maps, so that a transaction works on a copy
//! that costs nothing and committing is one assignment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ff_core::backend::{Namespace, PrepareOutcome};
use ff_core::clock::Clock;
use ff_core::types::{EdgeId, ExecutionId, FlowId, LaneId, TimestampMs};
use ff_transactional::{
    Access, Attempt, CompletionRecord, Edge, EdgeGroup, Execution, Flow, LeaseRecord, Minted,
    OrderKey, Store, StoreError, Tx,
};
use imbl::{HashMap, OrdMap, OrdSet, Vector};
use tokio::sync::{Mutex, OwnedMutexGuard};
use uuid::Uuid;

type Result<T> = std::result::Result<T, StoreError>;

/// Changes a record as it is written, given the one it replaces. This is how a deviant breaks a
/// rule about what is stored.
pub type Tamper<R> = Arc<dyn Fn(Option<&R>, &mut R) + Send + Sync>;

/// What is done to records of each kind.
#[derive(Clone, Default)]
struct Tampers {
    executions: Option<Tamper<Execution>>,
    groups: Option<Tamper<EdgeGroup>>,
}

/// A store in memory. Transactions run one at a time.
pub struct MemoryStore {
    clock: Clock,
    tampers: Tampers,
    /// Where claims look; everywhere if not given.
    partition: Option<u16>,
    /// Whether the same calls lead to the same ids.
    repeatable: bool,
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Default)]
pub(crate) struct State {
    pub(crate) executions: OrdMap<ExecutionId, Execution>,
    pub(crate) payloads: OrdMap<ExecutionId, Arc<[u8]>>,
    pub(crate) results: OrdMap<ExecutionId, Arc<[u8]>>,
    pub(crate) tags: OrdMap<ExecutionId, BTreeMap<String, String>>,
    attempts: HashMap<(ExecutionId, u32), Attempt>,
    pub(crate) idempotency: OrdMap<(u16, Namespace, String), (ExecutionId, TimestampMs)>,
    pub(crate) lanes: OrdSet<LaneId>,
    pub(crate) claimable: OrdMap<(LaneId, BTreeSet<String>), OrdSet<OrderKey>>,
    pub(crate) flows: OrdMap<FlowId, Flow>,
    pub(crate) members: OrdSet<(FlowId, ExecutionId)>,
    /// Members of cancelled flows that others are to cancel.
    pub(crate) backlog: OrdSet<(FlowId, ExecutionId)>,
    pub(crate) edges: OrdMap<(FlowId, EdgeId), Edge>,
    edges_from: OrdSet<(FlowId, ExecutionId, EdgeId)>,
    edges_to: OrdSet<(FlowId, ExecutionId, EdgeId)>,
    pub(crate) flow_tags: OrdMap<FlowId, BTreeMap<String, String>>,
    pub(crate) groups: OrdMap<(FlowId, ExecutionId), EdgeGroup>,
    completions: Vector<CompletionRecord>,
    lease_events: Vector<LeaseRecord>,
}

impl MemoryStore {
    pub fn new(clock: impl Into<Clock>) -> Self {
        Self {
            clock: clock.into(),
            tampers: Tampers::default(),
            partition: None,
            repeatable: false,
            state: Arc::default(),
        }
    }

    /// A store that holds this already, mints the same ids for the same calls, and whose claims
    /// look in this partition only, if one is given.
    pub(crate) fn holding(state: State, clock: Clock, partition: Option<u16>) -> Self {
        Self {
            clock,
            tampers: Tampers::default(),
            partition,
            repeatable: true,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// What it holds now.
    pub(crate) async fn state(&self) -> State {
        self.state.lock().await.clone()
    }

    /// A store that changes executions as they are written.
    #[must_use]
    pub fn tampered(mut self, tamper: Tamper<Execution>) -> Self {
        self.tampers.executions = Some(tamper);
        self
    }

    /// A store that changes edge groups as they are written.
    #[must_use]
    pub fn tampered_groups(mut self, tamper: Tamper<EdgeGroup>) -> Self {
        self.tampers.groups = Some(tamper);
        self
    }

    /// The outbox of completions, oldest first.
    pub async fn completions(&self) -> Vec<CompletionRecord> {
        self.state
            .lock()
            .await
            .completions
            .iter()
            .cloned()
            .collect()
    }

    /// The outbox of lease events, oldest first.
    pub async fn lease_events(&self) -> Vec<LeaseRecord> {
        self.state
            .lock()
            .await
            .lease_events
            .iter()
            .cloned()
            .collect()
    }
}

impl Store for MemoryStore {
    type Tx = MemoryTx;

    async fn begin(&self, _: Access) -> Result<MemoryTx> {
        let committed = Arc::clone(&self.state).lock_owned().await;
        Ok(MemoryTx {
            draft: committed.clone(),
            committed,
            clock: self.clock.clone(),
            tampers: self.tampers.clone(),
            partition: self.partition,
            repeatable: self.repeatable,
        })
    }

    async fn prepare(&self) -> Result<PrepareOutcome> {
        Ok(PrepareOutcome::NoOp)
    }
}

/// A transaction on a copy of the state.
pub struct MemoryTx {
    committed: OwnedMutexGuard<State>,
    draft: State,
    clock: Clock,
    tampers: Tampers,
    partition: Option<u16>,
    repeatable: bool,
}

impl MemoryTx {
    /// The first of the claimable executions with these requirements, where claims look.
    fn first_of(&self, lane: &LaneId, requirements: &BTreeSet<String>) -> Option<&OrderKey> {
        let set = (lane.clone(), requirements.clone());
        let keys = self.draft.claimable.get(&set)?;
        match self.partition {
            None => keys.get_min(),
            Some(partition) => keys.iter().find(|(_, _, id)| id.partition() == partition),
        }
    }

    /// Writes the record, with the indexes that follow from it.
    fn put(&mut self, execution: &Execution) {
        let mut execution = execution.clone();
        let state = &mut self.draft;
        let before = state.executions.get(&execution.id).cloned();
        if let Some(tamper) = &self.tampers.executions {
            tamper(before.as_ref(), &mut execution);
        }
        if let Some(before) = before.filter(Execution::is_claimable) {
            let set = (before.lane.clone(), before.requirements.clone());
            let emptied = state.claimable.get_mut(&set).is_some_and(|keys| {
                keys.remove(&before.order_key());
                keys.is_empty()
            });
            if emptied {
                state.claimable.remove(&set);
            }
        }
        if execution.is_claimable() {
            let set = (execution.lane.clone(), execution.requirements.clone());
            let keys = state.claimable.entry(set).or_default();
            keys.insert(execution.order_key());
        }
        if let Some(flow) = execution.flow {
            state.members.insert((flow, execution.id.clone()));
        }
        state.executions.insert(execution.id.clone(), execution);
    }

    /// The edges of a member that an index names.
    fn edges_of(
        &self,
        index: &OrdSet<(FlowId, ExecutionId, EdgeId)>,
        flow: &FlowId,
        member: &ExecutionId,
    ) -> Vec<Edge> {
        let first = (*flow, member.clone(), EdgeId::from_uuid(Uuid::nil()));
        index
            .range(first..)
            .take_while(|(of, end, _)| of == flow && end == member)
            .filter_map(|(_, _, id)| self.draft.edges.get(&(*flow, *id)).cloned())
            .collect()
    }
}

/// The executions in a set that are of a flow, ascending.
fn within<'a>(
    set: &'a OrdSet<(FlowId, ExecutionId)>,
    flow: &FlowId,
) -> impl Iterator<Item = &'a ExecutionId> {
    let flow = *flow;
    let first = (flow, ExecutionId::from_parts(0, Uuid::nil()));
    let of_flow = set.range(first..).take_while(move |(of, _)| *of == flow);
    of_flow.map(|(_, id)| id)
}

impl Tx for MemoryTx {
    async fn commit(mut self) -> Result<()> {
        *self.committed = self.draft;
        Ok(())
    }

    async fn ping(&mut self) -> Result<()> {
        Ok(())
    }

    async fn now(&mut self) -> Result<TimestampMs> {
        Ok(self.clock.now())
    }

    fn mint(&mut self, of: &ExecutionId, what: Minted, number: u64) -> Uuid {
        if self.repeatable {
            let name = format!("{of} {} {number}", <&str>::from(what));
            return Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes());
        }
        Uuid::new_v4()
    }

    async fn execution(&mut self, id: &ExecutionId) -> Result<Option<Execution>> {
        Ok(self.draft.executions.get(id).cloned())
    }

    async fn insert_execution(
        &mut self,
        execution: &Execution,
        payload: &[u8],
        tags: &BTreeMap<String, String>,
    ) -> Result<()> {
        let id = &execution.id;
        self.draft.payloads.insert(id.clone(), payload.into());
        self.draft.tags.insert(id.clone(), tags.clone());
        self.put(execution);
        Ok(())
    }

    async fn update_execution(&mut self, execution: &Execution) -> Result<()> {
        self.put(execution);
        Ok(())
    }

    async fn payload(&mut self, id: &ExecutionId) -> Result<Vec<u8>> {
        let payload = self.draft.payloads.get(id);
        Ok(payload.map_or_else(Vec::new, |bytes| bytes.to_vec()))
    }

    async fn put_payload(&mut self, id: &ExecutionId, payload: &[u8]) -> Result<()> {
        self.draft.payloads.insert(id.clone(), payload.into());
        Ok(())
    }

    async fn result(&mut self, id: &ExecutionId) -> Result<Option<Vec<u8>>> {
        Ok(self.draft.results.get(id).map(|bytes| bytes.to_vec()))
    }

    async fn put_result(&mut self, id: &ExecutionId, result: &[u8]) -> Result<()> {
        self.draft.results.insert(id.clone(), result.into());
        Ok(())
    }

    async fn remove_result(&mut self, id: &ExecutionId) -> Result<()> {
        self.draft.results.remove(id);
        Ok(())
    }

    async fn tags(&mut self, id: &ExecutionId) -> Result<BTreeMap<String, String>> {
        Ok(self.draft.tags.get(id).cloned().unwrap_or_default())
    }

    async fn put_tag(&mut self, id: &ExecutionId, key: &str, value: &str) -> Result<()> {
        let tags = self.draft.tags.entry(id.clone()).or_default();
        tags.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    async fn put_attempt(&mut self, id: &ExecutionId, attempt: &Attempt) -> Result<()> {
        let key = (id.clone(), attempt.index.0);
        self.draft.attempts.insert(key, attempt.clone());
        Ok(())
    }

    async fn attempt(&mut self, id: &ExecutionId, index: u32) -> Result<Option<Attempt>> {
        Ok(self.draft.attempts.get(&(id.clone(), index)).cloned())
    }

    async fn idempotency(
        &mut self,
        partition: u16,
        namespace: &Namespace,
        key: &str,
    ) -> Result<Option<(ExecutionId, TimestampMs)>> {
        let key = (partition, namespace.clone(), key.to_owned());
        Ok(self.draft.idempotency.get(&key).cloned())
    }

    async fn put_idempotency(
        &mut self,
        namespace: &Namespace,
        key: &str,
        id: &ExecutionId,
        until: TimestampMs,
    ) -> Result<()> {
        let key = (id.partition(), namespace.clone(), key.to_owned());
        self.draft.idempotency.insert(key, (id.clone(), until));
        Ok(())
    }

    async fn executions_after(
        &mut self,
        partition: u16,
        cursor: Option<&ExecutionId>,
        limit: usize,
    ) -> Result<Vec<ExecutionId>> {
        let start = match cursor {
            Some(cursor) => cursor.clone(),
            None => ExecutionId::from_parts(partition, Uuid::nil()),
        };
        let ids = self.draft.executions.range(start..).map(|(id, _)| id);
        Ok(ids
            .take_while(|id| id.partition() == partition)
            .filter(|id| cursor != Some(*id))
            .take(limit)
            .cloned()
            .collect())
    }

    async fn put_lane(&mut self, lane: &LaneId) -> Result<()> {
        self.draft.lanes.insert(lane.clone());
        Ok(())
    }

    async fn lanes_after(&mut self, cursor: Option<&LaneId>, limit: usize) -> Result<Vec<LaneId>> {
        let start = cursor.cloned().unwrap_or_else(|| LaneId::new(""));
        let lanes = self.draft.lanes.range(start..);
        Ok(lanes
            .filter(|lane| cursor != Some(*lane))
            .take(limit)
            .cloned()
            .collect())
    }

    async fn claimable_requirements(&mut self, lane: &LaneId) -> Result<Vec<BTreeSet<String>>> {
        let first = (lane.clone(), BTreeSet::new());
        let sets = self.draft.claimable.range(first..).map(|(set, _)| set);
        Ok(sets
            .take_while(|(of, _)| of == lane)
            .map(|(_, requirements)| requirements.clone())
            .filter(|requirements| self.first_of(lane, requirements).is_some())
            .collect())
    }

    async fn first_claimable(
        &mut self,
        lane: &LaneId,
        sets: &[BTreeSet<String>],
    ) -> Result<Option<Execution>> {
        let first = sets.iter().filter_map(|set| self.first_of(lane, set)).min();
        Ok(first.and_then(|(_, _, id)| self.draft.executions.get(id).cloned()))
    }

    async fn flow(&mut self, id: &FlowId) -> Result<Option<Flow>> {
        Ok(self.draft.flows.get(id).cloned())
    }

    async fn put_flow(&mut self, flow: &Flow) -> Result<()> {
        self.draft.flows.insert(flow.id, flow.clone());
        Ok(())
    }

    async fn flow_tags(&mut self, id: &FlowId) -> Result<BTreeMap<String, String>> {
        Ok(self.draft.flow_tags.get(id).cloned().unwrap_or_default())
    }

    async fn put_flow_tag(&mut self, id: &FlowId, key: &str, value: &str) -> Result<()> {
        let tags = self.draft.flow_tags.entry(*id).or_default();
        tags.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    async fn flows_after(
        &mut self,
        partition: u16,
        cursor: Option<&FlowId>,
        limit: usize,
    ) -> Result<Vec<Flow>> {
        let start = cursor.copied().unwrap_or(FlowId::from_uuid(Uuid::nil()));
        let flows = self.draft.flows.range(start..).map(|(_, flow)| flow);
        Ok(flows
            .filter(|flow| flow.partition == partition && cursor != Some(&flow.id))
            .take(limit)
            .cloned()
            .collect())
    }

    async fn members(&mut self, flow: &FlowId) -> Result<Vec<Execution>> {
        Ok(within(&self.draft.members, flow)
            .filter_map(|id| self.draft.executions.get(id).cloned())
            .collect())
    }

    async fn put_backlog(
        &mut self,
        flow: &FlowId,
        members: &[ExecutionId],
        _: TimestampMs,
    ) -> Result<()> {
        for member in members {
            self.draft.backlog.insert((*flow, member.clone()));
        }
        Ok(())
    }

    async fn strike_backlog(&mut self, flow: &FlowId, member: &ExecutionId) -> Result<()> {
        self.draft.backlog.remove(&(*flow, member.clone()));
        Ok(())
    }

    async fn has_backlog(&mut self, flow: &FlowId) -> Result<bool> {
        let mut left =
            within(&self.draft.backlog, flow).filter_map(|id| self.draft.executions.get(id));
        Ok(left.any(|execution| !execution.is_terminal()))
    }

    async fn edge(&mut self, flow: &FlowId, id: &EdgeId) -> Result<Option<Edge>> {
        Ok(self.draft.edges.get(&(*flow, *id)).cloned())
    }

    async fn put_edge(&mut self, edge: &Edge) -> Result<()> {
        let key = |end: &ExecutionId| (edge.flow, end.clone(), edge.id);
        self.draft.edges_from.insert(key(&edge.upstream));
        self.draft.edges_to.insert(key(&edge.downstream));
        self.draft.edges.insert((edge.flow, edge.id), edge.clone());
        Ok(())
    }

    async fn edges_from(&mut self, flow: &FlowId, upstream: &ExecutionId) -> Result<Vec<Edge>> {
        Ok(self.edges_of(&self.draft.edges_from, flow, upstream))
    }

    async fn edges_to(&mut self, flow: &FlowId, downstream: &ExecutionId) -> Result<Vec<Edge>> {
        Ok(self.edges_of(&self.draft.edges_to, flow, downstream))
    }

    async fn group(
        &mut self,
        flow: &FlowId,
        downstream: &ExecutionId,
    ) -> Result<Option<EdgeGroup>> {
        let key = (*flow, downstream.clone());
        Ok(self.draft.groups.get(&key).cloned())
    }

    async fn put_group(&mut self, group: &EdgeGroup) -> Result<()> {
        let key = (group.flow, group.downstream.clone());
        let mut group = group.clone();
        if let Some(tamper) = &self.tampers.groups {
            tamper(self.draft.groups.get(&key), &mut group);
        }
        self.draft.groups.insert(key, group);
        Ok(())
    }

    async fn groups(&mut self, flow: &FlowId) -> Result<Vec<EdgeGroup>> {
        let first = (*flow, ExecutionId::from_parts(0, Uuid::nil()));
        let groups = self.draft.groups.range(first..);
        Ok(groups
            .take_while(|((of, _), _)| of == flow)
            .map(|(_, group)| group.clone())
            .collect())
    }

    async fn append_completion(&mut self, completion: &CompletionRecord) -> Result<()> {
        self.draft.completions.push_back(completion.clone());
        Ok(())
    }

    async fn append_lease_event(&mut self, event: &LeaseRecord) -> Result<()> {
        self.draft.lease_events.push_back(event.clone());
        Ok(())
    }
}
