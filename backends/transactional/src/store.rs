//! What the rules ask of a storage: typed records, a few ordered reads, and transactions.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use ff_core::backend::{Namespace, PrepareOutcome};
use ff_core::types::{EdgeId, ExecutionId, FlowId, LaneId, TimestampMs};
use uuid::Uuid;

use crate::record::{Attempt, CompletionRecord, Edge, EdgeGroup, Execution, Flow, LeaseRecord};

/// Whether a transaction may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

/// What ids are minted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Minted {
    Lease,
    Attempt,
}

/// Why a storage did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The transaction met another one; the same work may succeed if begun again.
    #[error("the transaction conflicts with another")]
    Conflict,
    /// A stored record cannot be decoded.
    #[error("{record}: {detail}")]
    Corrupt {
        record: &'static str,
        detail: String,
    },
    /// The storage or the way to it failed.
    #[error(transparent)]
    Failed(Box<dyn std::error::Error + Send + Sync + 'static>),
}

type Result<T> = std::result::Result<T, StoreError>;

/// A storage with real transactions.
pub trait Store: Send + Sync + 'static {
    type Tx: Tx;

    /// Begins a transaction. Write transactions see each other as if they ran one by one.
    fn begin(&self, access: Access) -> impl Future<Output = Result<Self::Tx>> + Send;

    /// Brings the storage to where the records fit; safe to repeat and to race.
    fn prepare(&self) -> impl Future<Output = Result<PrepareOutcome>> + Send;
}

/// A transaction: all of it happens at `commit`, or none if it is dropped.
///
/// Records are replaced as a whole, and the ordered reads follow from them; a store keeps
/// whatever indexes that takes.
pub trait Tx: Send {
    fn commit(self) -> impl Future<Output = Result<()>> + Send;

    /// Asks the storage for something, whatever clock is in use.
    fn ping(&mut self) -> impl Future<Output = Result<()>> + Send;

    /// The storage's clock, now.
    fn now(&mut self) -> impl Future<Output = Result<TimestampMs>> + Send;

    /// The id of the execution's lease or attempt with this number. Numbers are not used again, so
    /// ids need not be random where no two deployments can meet.
    fn mint(&mut self, _of: &ExecutionId, _what: Minted, _number: u64) -> Uuid {
        Uuid::new_v4()
    }

    /// The execution, locked against other writers if this transaction may write.
    fn execution(
        &mut self,
        id: &ExecutionId,
    ) -> impl Future<Output = Result<Option<Execution>>> + Send;

    /// The execution, for a rule that does not change it and can do with what was true a moment ago.
    fn peek(&mut self, id: &ExecutionId) -> impl Future<Output = Result<Option<Execution>>> + Send {
        self.execution(id)
    }

    /// Stores a new execution with its payload and tags.
    fn insert_execution(
        &mut self,
        execution: &Execution,
        payload: &[u8],
        tags: &BTreeMap<String, String>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Replaces the record of a known execution.
    fn update_execution(
        &mut self,
        execution: &Execution,
    ) -> impl Future<Output = Result<()>> + Send;

    fn payload(&mut self, id: &ExecutionId) -> impl Future<Output = Result<Vec<u8>>> + Send;

    /// Replaces the payload of a known execution.
    fn put_payload(
        &mut self,
        id: &ExecutionId,
        payload: &[u8],
    ) -> impl Future<Output = Result<()>> + Send;

    fn result(&mut self, id: &ExecutionId) -> impl Future<Output = Result<Option<Vec<u8>>>> + Send;

    fn put_result(
        &mut self,
        id: &ExecutionId,
        result: &[u8],
    ) -> impl Future<Output = Result<()>> + Send;

    fn remove_result(&mut self, id: &ExecutionId) -> impl Future<Output = Result<()>> + Send;

    fn tags(
        &mut self,
        id: &ExecutionId,
    ) -> impl Future<Output = Result<BTreeMap<String, String>>> + Send;

    fn put_tag(
        &mut self,
        id: &ExecutionId,
        key: &str,
        value: &str,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Stores an attempt, or replaces the one with its index.
    fn put_attempt(
        &mut self,
        id: &ExecutionId,
        attempt: &Attempt,
    ) -> impl Future<Output = Result<()>> + Send;

    fn attempt(
        &mut self,
        id: &ExecutionId,
        index: u32,
    ) -> impl Future<Output = Result<Option<Attempt>>> + Send;

    /// The execution that an idempotency key stands for, and until when.
    fn idempotency(
        &mut self,
        partition: u16,
        namespace: &Namespace,
        key: &str,
    ) -> impl Future<Output = Result<Option<(ExecutionId, TimestampMs)>>> + Send;

    fn put_idempotency(
        &mut self,
        namespace: &Namespace,
        key: &str,
        id: &ExecutionId,
        until: TimestampMs,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Executions of a partition, ascending by id, strictly after the cursor.
    fn executions_after(
        &mut self,
        partition: u16,
        cursor: Option<&ExecutionId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<ExecutionId>>> + Send;

    fn put_lane(&mut self, lane: &LaneId) -> impl Future<Output = Result<()>> + Send;

    /// Lanes, ascending, strictly after the cursor.
    fn lanes_after(
        &mut self,
        cursor: Option<&LaneId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<LaneId>>> + Send;

    /// The distinct requirement sets among the lane's claimable executions.
    fn claimable_requirements(
        &mut self,
        lane: &LaneId,
    ) -> impl Future<Output = Result<Vec<BTreeSet<String>>>> + Send;

    /// An execution of the lane that is claimable and whose requirements are one of these sets: of its
    /// partition the first in the order of [`Execution::order_key`]; locked. The partitions' order is the
    /// store's, the same for every set.
    ///
    /// It may be `None` although [`Tx::claimable_requirements`] has named one of the sets, when
    /// another transaction took the last of it meanwhile, or has added another set. That one must not
    /// be passed over: its first may come before all others (SYS-035).
    fn first_claimable(
        &mut self,
        lane: &LaneId,
        sets: &[BTreeSet<String>],
    ) -> impl Future<Output = Result<Option<Execution>>> + Send;

    fn flow(&mut self, id: &FlowId) -> impl Future<Output = Result<Option<Flow>>> + Send;

    /// Stores a flow, or replaces its record.
    fn put_flow(&mut self, flow: &Flow) -> impl Future<Output = Result<()>> + Send;

    fn flow_tags(
        &mut self,
        id: &FlowId,
    ) -> impl Future<Output = Result<BTreeMap<String, String>>> + Send;

    /// Sets a tag of a flow that is stored in the same transaction.
    fn put_flow_tag(
        &mut self,
        id: &FlowId,
        key: &str,
        value: &str,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Flows of a partition, ascending by id, strictly after the cursor.
    fn flows_after(
        &mut self,
        partition: u16,
        cursor: Option<&FlowId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Flow>>> + Send;

    /// The executions whose record names the flow, ascending by id, locked as in [`Tx::execution`].
    fn members(&mut self, flow: &FlowId) -> impl Future<Output = Result<Vec<Execution>>> + Send;

    /// Adds to the members of a flow that others are to cancel, by this time.
    fn put_backlog(
        &mut self,
        flow: &FlowId,
        members: &[ExecutionId],
        due_at: TimestampMs,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Removes a member from these, if it is one.
    fn strike_backlog(
        &mut self,
        flow: &FlowId,
        member: &ExecutionId,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Members of the flow that others are to cancel and that have not ended: whether there are any.
    fn has_backlog(&mut self, flow: &FlowId) -> impl Future<Output = Result<bool>> + Send;

    fn edge(
        &mut self,
        flow: &FlowId,
        id: &EdgeId,
    ) -> impl Future<Output = Result<Option<Edge>>> + Send;

    /// Stores an edge, or replaces its record.
    fn put_edge(&mut self, edge: &Edge) -> impl Future<Output = Result<()>> + Send;

    /// Edges that leave the member, ascending by id.
    fn edges_from(
        &mut self,
        flow: &FlowId,
        upstream: &ExecutionId,
    ) -> impl Future<Output = Result<Vec<Edge>>> + Send;

    /// Edges that enter the member, ascending by id.
    fn edges_to(
        &mut self,
        flow: &FlowId,
        downstream: &ExecutionId,
    ) -> impl Future<Output = Result<Vec<Edge>>> + Send;

    fn group(
        &mut self,
        flow: &FlowId,
        downstream: &ExecutionId,
    ) -> impl Future<Output = Result<Option<EdgeGroup>>> + Send;

    /// An execution and the group that it has as a member, as of one instant.
    fn execution_and_group(
        &mut self,
        id: &ExecutionId,
    ) -> impl Future<Output = Result<Option<(Execution, Option<EdgeGroup>)>>> + Send {
        async move {
            let Some(execution) = self.execution(id).await? else {
                return Ok(None);
            };
            let group = match execution.flow {
                Some(flow) => self.group(&flow, id).await?,
                None => None,
            };
            Ok(Some((execution, group)))
        }
    }

    /// Stores a group, or replaces its record.
    fn put_group(&mut self, group: &EdgeGroup) -> impl Future<Output = Result<()>> + Send;

    /// The flow's groups, ascending by member.
    fn groups(&mut self, flow: &FlowId) -> impl Future<Output = Result<Vec<EdgeGroup>>> + Send;

    /// Adds to the outbox of completions; readers are woken once it has committed.
    fn append_completion(
        &mut self,
        completion: &CompletionRecord,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Adds to the outbox of lease events.
    fn append_lease_event(
        &mut self,
        event: &LeaseRecord,
    ) -> impl Future<Output = Result<()>> + Send;
}
