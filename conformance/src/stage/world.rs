//! The world of a case: an empty deployment, a clock, and builders for what goes into it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ff_core::backend::{
    CancelFlowPolicy, CancelFlowWait, FailOutcome, FailureClass, FailureReason, Handle, Namespace,
};
use ff_core::call::{Call, Reply};
use ff_core::contracts::{
    AddExecutionToFlowArgs, ApplyDependencyToChildArgs, CancelExecutionArgs, CreateFlowArgs,
    FlowSnapshot, StageDependencyEdgeArgs, StageDependencyEdgeResult,
};
use ff_core::dispatch::Dispatch;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::housekeeping::Housekeeping;
use ff_core::partition::{
    Partition, PartitionConfig, PartitionFamily, PartitionKey, flow_partition,
};
use ff_core::types::{CancelSource, EdgeId, ExecutionId, FlowId, LaneId};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

use super::callers_now::{CALLERS_NOW, made_at};
use super::case::Verdict;
use super::failure::Failure;
use super::harness::{Deployment, Nemesis, Vandal};
use super::recorder::{Recorder, Unclaimed};
use super::time::{Time, Waited};

/// The partition that every deployment has.
pub(crate) const FIRST: u16 = 0;

/// How often all that is due is seen to before it counts as endless.
pub(crate) const MOST_ROUNDS: usize = 64;

/// Longer than anything takes that is waited for.
const LONG: Duration = Duration::from_secs(20);

/// More connections than a backend opens for one case.
const CONNECTIONS: usize = 16;

/// What a case plays with. Clones share everything, so that tasks can be spawned with one.
#[derive(Clone)]
pub struct World(Arc<Inner>);

struct Inner {
    recorder: Recorder,
    time: Time,
    nemesis: Option<Arc<dyn Nemesis>>,
    housekeeping: Option<Arc<dyn Housekeeping>>,
    vandal: Option<Arc<dyn Vandal>>,
    peer: Option<Arc<dyn EngineBackend>>,
    partitions: PartitionConfig,
    elsewhere: Option<World>,
    rng: Mutex<StdRng>,
    created: Mutex<Vec<(ExecutionId, LaneId)>>,
}

/// A world is used like the backend in it.
impl Deref for World {
    type Target = Recorder;

    fn deref(&self) -> &Recorder {
        &self.0.recorder
    }
}

impl World {
    pub(crate) fn new(
        deployment: &Deployment,
        elsewhere: Option<Self>,
        seed: u64,
        waited: Waited,
    ) -> Self {
        Self(Arc::new(Inner {
            recorder: Recorder::new(deployment),
            time: Time::new(deployment.clock.clone(), deployment.wall, waited),
            nemesis: deployment.nemesis.clone(),
            housekeeping: deployment.housekeeping.clone(),
            vandal: deployment.vandal.clone(),
            peer: deployment.peers.first().cloned(),
            partitions: deployment.partitions,
            elsewhere,
            rng: Mutex::new(StdRng::seed_from_u64(seed)),
            created: Mutex::default(),
        }))
    }

    pub(super) fn time(&self) -> &Time {
        &self.0.time
    }

    /// What can cut off the server, for cases that need it.
    pub(crate) fn nemesis(&self) -> &dyn Nemesis {
        let nemesis = self.0.nemesis.as_deref();
        nemesis.expect("the runner skips cases that need a nemesis where there is none")
    }

    /// What a read is answered by another instance, where there is one, whose connections nobody cuts off.
    pub(crate) async fn look(&self, read: Call) -> Result<Reply, EngineError> {
        self.there(read).await
    }

    /// What another instance of the deployment answers, where there is one.
    pub(crate) async fn there(&self, call: Call) -> Result<Reply, EngineError> {
        match &self.0.peer {
            Some(peer) => made_at(call, self.now()).send(peer.as_ref()).await,
            None => self.dispatch(call).await,
        }
    }

    /// Damages the record of an execution, for cases that need a vandal.
    pub(crate) async fn damage(&self, id: &ExecutionId) -> Verdict {
        let damaged = self.vandal().damage(id).await;
        damaged.map_err(|error| Failure::new(format!("a record cannot be damaged: {error}")))
    }

    /// Exchanges the places that two executions have in the indexes, likewise; how many are misplaced then.
    pub(crate) async fn exchange(
        &self,
        one: &ExecutionId,
        other: &ExecutionId,
    ) -> Result<u32, Failure> {
        let exchanged = self.vandal().exchange(one, other).await;
        let failed = |error| Failure::new(format!("places cannot be exchanged: {error}"));
        Ok(if exchanged.map_err(failed)? { 2 } else { 0 })
    }

    fn vandal(&self) -> &dyn Vandal {
        let vandal = self.0.vandal.as_deref();
        vandal.expect("the runner skips cases that need a vandal where there is none")
    }

    /// What is due in this partition, for cases that need housekeeping.
    pub async fn due_in(&self, partition: u16, limit: usize) -> Result<Vec<Call>, EngineError> {
        let family = PartitionFamily::Flow;
        self.due_at(&Partition { family, index: partition }, limit).await
    }

    /// The same of a partition of any family.
    pub(crate) async fn due_at(
        &self,
        partition: &Partition,
        limit: usize,
    ) -> Result<Vec<Call>, EngineError> {
        let housekeeping = self.0.housekeeping.as_deref();
        let housekeeping =
            housekeeping.expect("the runner skips cases that need it where there is none");
        housekeeping.due(&PartitionKey::from(partition), limit).await
    }

    /// What is due where executions were created.
    pub async fn due(&self) -> Result<Vec<Call>, EngineError> {
        let mut calls = Vec::new();
        let partitions = self.created().into_iter().map(|id| id.partition());
        for partition in partitions.collect::<BTreeSet<_>>() {
            calls.extend(self.due_in(partition, 1_000).await?);
        }
        Ok(calls)
    }

    /// Sees to all that is due, as an engine does; how many calls that took.
    pub async fn settle(&self) -> Result<usize, Failure> {
        let mut sent = 0;
        for _ in 0..MOST_ROUNDS {
            let due = self.due().await?;
            if due.is_empty() {
                return Ok(sent);
            }
            for call in due {
                sent += 1;
                match call.send(&**self).await {
                    Ok(_) | Err(EngineError::State(StateKind::Terminal)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Err(Failure::new(format!("something is still due after {MOST_ROUNDS} rounds")))
    }

    /// Lets every connection that was lost be found to be, by a ping that fails.
    pub(crate) async fn reconnect(&self) -> Verdict {
        for _ in 0..CONNECTIONS {
            match EngineBackend::ping(&**self).await {
                Ok(()) | Err(EngineError::Transport { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Ok(())
    }

    /// A second deployment, for cases that need one.
    pub fn elsewhere(&self) -> &Self {
        let elsewhere = self.0.elsewhere.as_ref();
        elsewhere.expect("the runner deploys a second time for cases that need it")
    }

    /// The first call of a method that is not claimed, here or there.
    pub(crate) fn unclaimed(&self) -> Option<Unclaimed> {
        let there = || self.0.elsewhere.as_ref().and_then(Self::unclaimed);
        self.0.recorder.unclaimed().or_else(there)
    }

    pub fn partitions(&self) -> PartitionConfig {
        self.0.partitions
    }

    /// The next number of the case's own sequence.
    pub fn random(&self) -> u64 {
        lock(&self.0.rng).random()
    }

    pub fn uuid(&self) -> Uuid {
        let (high, low) = (self.random(), self.random());
        uuid::Builder::from_random_bytes(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
            .into_uuid()
    }

    /// The lane of executions that name none.
    pub fn lane(&self) -> LaneId {
        LaneId::new("default")
    }

    /// A new id in the partition of the default lane.
    pub fn execution_id(&self) -> ExecutionId {
        ExecutionId::deterministic_solo(&self.lane(), &self.partitions(), self.uuid())
    }

    /// A new id in this partition.
    pub fn execution_id_in(&self, partition: u16) -> ExecutionId {
        ExecutionId::from_parts(partition, self.uuid())
    }

    /// The partition of an execution, as scanner hooks take it.
    pub fn partition_of(&self, id: &ExecutionId) -> Partition {
        Partition { family: PartitionFamily::Execution, index: id.partition() }
    }

    /// A partition that is not the first, where there are more.
    pub(crate) fn another_partition(&self) -> Option<u16> {
        Some(self.partitions().num_flow_partitions - 1).filter(|last| *last > 0)
    }

    /// Where no execution is: what is wrong with it, the partition and the lane.
    pub(crate) fn nowhere(&self) -> [(&'static str, Partition, LaneId); 3] {
        let home = self.partition_of(&self.execution_id());
        let beyond = Partition { index: self.partitions().num_flow_partitions, ..home };
        let budgets = Partition { family: PartitionFamily::Budget, ..home };
        [
            ("beyond the last", beyond, self.lane()),
            ("of budgets", budgets, self.lane()),
            ("no lane", home, LaneId::new("a\nb")),
        ]
    }

    /// The partition of an execution, as lists take it.
    pub fn partition_key_of(&self, id: &ExecutionId) -> PartitionKey {
        PartitionKey::from(&self.partition_of(id))
    }

    /// The executions created so far.
    pub(crate) fn created(&self) -> Vec<ExecutionId> {
        lock(&self.0.created).iter().map(|(id, _)| id.clone()).collect()
    }

    pub(crate) fn remember(&self, id: ExecutionId, lane: LaneId) {
        lock(&self.0.created).push((id, lane));
    }

    /// The lane on which an execution was created.
    pub(crate) fn lane_of(&self, id: &ExecutionId) -> LaneId {
        let created = lock(&self.0.created);
        let found = created.iter().find(|(known, _)| known == id);
        found.map_or_else(|| self.lane(), |(_, lane)| lane.clone())
    }

    /// Fails an attempt with nothing special about it.
    pub async fn fail_with(
        &self,
        handle: &Handle,
        class: FailureClass,
    ) -> Result<FailOutcome, EngineError> {
        self.fail(handle, FailureReason::new("boom"), class).await
    }

    pub async fn promote(&self, id: &ExecutionId) -> Result<(), EngineError> {
        self.promote_delayed(self.partition_of(id), &self.lane_of(id), id, CALLERS_NOW).await
    }

    pub async fn mark_lapsed(&self, id: &ExecutionId) -> Result<(), EngineError> {
        self.mark_lease_expired_if_due(self.partition_of(id), id).await
    }

    /// One field of an execution by name.
    pub async fn field(&self, id: &ExecutionId, name: &str) -> Result<Option<String>, Failure> {
        let mut fields = self.read_exec_core_fields(self.partition_of(id), id, &[name]).await?;
        fields.remove(name).ok_or_else(|| Failure::new(format!("there is an entry for {name}")))
    }

    /// Asserts that these fields of an execution have these values.
    pub(crate) async fn expect_fields<const N: usize, V: Shown>(
        &self,
        id: &ExecutionId,
        expected: [(&str, V); N],
    ) -> Verdict {
        let names = expected.each_ref().map(|(name, _)| *name);
        let seen = self.read_exec_core_fields(self.partition_of(id), id, &names).await?;
        let told = |value: Option<String>| value.unwrap_or_else(|| "nothing".to_owned());
        let seen: BTreeMap<_, _> = seen.into_iter().map(|(name, v)| (name, told(v))).collect();
        let expected = expected.map(|(name, value)| (name.to_owned(), told(value.shown())));
        let expected = BTreeMap::from(expected);
        expect_eq!(self.snap_fields(seen, &expected), expected, "the fields of {id}");
        Ok(())
    }

    pub fn flow_id(&self) -> FlowId {
        FlowId::from_uuid(self.uuid())
    }

    /// A new id of a flow in this partition.
    pub fn flow_id_in(&self, partition: u16) -> FlowId {
        loop {
            let id = self.flow_id();
            if flow_partition(&id, &self.partitions()).index == partition {
                return id;
            }
        }
    }

    /// The partition of a flow, as lists take it.
    pub fn partition_key_of_flow(&self, id: &FlowId) -> PartitionKey {
        PartitionKey::from(&flow_partition(id, &self.partitions()))
    }

    /// A new flow.
    pub async fn flow(&self) -> Result<FlowId, Failure> {
        let id = self.flow_id();
        self.create_flow(self.flow_args(id)).await.map_err(Failure::setup_refused)?;
        Ok(id)
    }

    /// A flow as it is described; it exists.
    pub async fn described_flow(&self, id: &FlowId) -> Result<FlowSnapshot, Failure> {
        let described = self.describe_flow(id).await?;
        described.ok_or_else(|| Failure::new(format!("flow {id} is described")))
    }

    /// The longest wait for a cancellation that the backend claims.
    pub(crate) fn longest_wait(&self) -> CancelFlowWait {
        let supports = Dispatch::capabilities(&**self).supports;
        if supports.cancel_flow_wait_indefinite {
            CancelFlowWait::WaitIndefinite
        } else if supports.cancel_flow_wait_timeout {
            CancelFlowWait::WaitTimeout(LONG)
        } else {
            CancelFlowWait::NoWait
        }
    }

    /// Closes a flow, and leaves its members alone.
    pub async fn close(&self, flow: &FlowId) -> Result<(), Failure> {
        let (policy, wait) = (CancelFlowPolicy::FlowOnly, CancelFlowWait::NoWait);
        self.cancel_flow(flow, policy, wait).await?;
        Ok(())
    }

    pub fn flow_args(&self, flow_id: FlowId) -> CreateFlowArgs {
        CreateFlowArgs {
            flow_id,
            flow_kind: "dag".to_owned(),
            namespace: Namespace::new("tenant"),
            now: CALLERS_NOW,
        }
    }

    pub async fn join(
        &self,
        flow: &FlowId,
        execution: &ExecutionId,
    ) -> Result<ff_core::contracts::AddExecutionToFlowResult, EngineError> {
        self.add_execution_to_flow(AddExecutionToFlowArgs {
            flow_id: *flow,
            execution_id: execution.clone(),
            now: CALLERS_NOW,
        })
        .await
    }

    /// A dependency that would be the flow's next, with nothing special about it.
    pub fn edge_args(
        &self,
        flow: &FlowId,
        upstream: &ExecutionId,
        downstream: &ExecutionId,
        revision: u64,
    ) -> StageDependencyEdgeArgs {
        StageDependencyEdgeArgs {
            flow_id: *flow,
            edge_id: EdgeId::from_uuid(self.uuid()),
            upstream_execution_id: upstream.clone(),
            downstream_execution_id: downstream.clone(),
            dependency_kind: "success_only".to_owned(),
            data_passing_ref: None,
            expected_graph_revision: revision,
            now: CALLERS_NOW,
        }
    }

    /// Stages a dependency at this revision; returns it as it must be applied.
    pub async fn staged(
        &self,
        flow: &FlowId,
        upstream: &ExecutionId,
        downstream: &ExecutionId,
        revision: u64,
    ) -> Result<ApplyDependencyToChildArgs, Failure> {
        let args = self.edge_args(flow, upstream, downstream, revision);
        let applying = apply_args(&args);
        let StageDependencyEdgeResult::Staged { .. } = self.stage_dependency_edge(args).await?;
        Ok(applying)
    }
}

/// The value of a field as a case writes it: a text, or nothing.
pub(crate) trait Shown {
    fn shown(self) -> Option<String>;
}

impl Shown for &str {
    fn shown(self) -> Option<String> {
        Some(self.to_owned())
    }
}

impl Shown for String {
    fn shown(self) -> Option<String> {
        Some(self)
    }
}

impl<T: Shown> Shown for Option<T> {
    fn shown(self) -> Option<String> {
        self.and_then(T::shown)
    }
}

/// The application of a dependency that was staged with these arguments.
pub(crate) fn apply_args(staged: &StageDependencyEdgeArgs) -> ApplyDependencyToChildArgs {
    ApplyDependencyToChildArgs {
        flow_id: staged.flow_id,
        edge_id: staged.edge_id,
        upstream_execution_id: staged.upstream_execution_id.clone(),
        downstream_execution_id: staged.downstream_execution_id.clone(),
        dependency_kind: staged.dependency_kind.clone(),
        data_passing_ref: staged.data_passing_ref.clone(),
        graph_revision: staged.expected_graph_revision,
        now: staged.now,
    }
}

/// A cancellation by an operator.
pub(crate) fn cancellation(id: &ExecutionId) -> CancelExecutionArgs {
    CancelExecutionArgs {
        execution_id: id.clone(),
        attempt_id: None,
        lease_epoch: None,
        lease_id: None,
        reason: "why".to_owned(),
        source: CancelSource::OperatorOverride,
        now: CALLERS_NOW,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
