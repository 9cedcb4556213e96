//! The records of an engine, declared once. From the declarations come the types and keys that rules
//! use, the columns and statements of SQL, the bytes of key-value storages, the hook where a deviant
//! damages a record, and the check that a migration has what is declared.

mod declare;
mod inside;
mod key;
mod packed;
mod schema;

pub use inside::{
    AttemptClock, Breach, BudgetDefinition, CloseReason, Closed, Closing, CurrentAttempt,
    EdgeState, FrameContent, Grant, Lease, LeaseEventKind, Limits, Pace, Projection, QuotaLimits,
    Secret, Sequenced, Suspended, TagEventKind,
};
pub use key::{At, Index, Key, Range, Scan, ordered};
pub use packed::Packed;
pub use schema::{Column, Field, IndexSchema, Indexed, Part, Schema, Type};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use ff_core::backend::{
    HandlePayload, Namespace, ResumeCondition, ResumePolicy, SuspensionRequester,
};
use ff_core::contracts::{EdgeDependencyPolicy, EdgeGroupState};
use ff_core::policy::ExecutionPolicy;
use ff_core::state::{
    AttemptLifecycle, AttemptState, AttemptType, BlockingReason, EligibilityState, LifecyclePhase,
    OwnershipState, TerminalOutcome,
};
use ff_core::types::{
    AttemptId, AttemptIndex, BudgetId, EdgeId, ExecutionId, FlowId, LaneId, LeaseEpoch, LeaseId,
    QuotaPolicyId, SignalId, SuspensionId, TimestampMs, WaitpointId, WaitpointToken, WorkerId,
    WorkerInstanceId,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use uuid::Uuid;

use crate::store::StoreError;
use crate::suspension::Counted;
use crate::{executions, requirements};
use declare::records;
use packed::Packer;

/// A type of records.
pub trait Stored: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    const KIND: Kind;

    fn key(&self) -> Key;

    /// The record, if it is of this type.
    fn of(record: &Record) -> Option<&Arc<Self>>;

    /// The record for a change, if it is of this type.
    fn of_mut(record: &mut Record) -> Option<&mut Self>;

    fn into_record(self) -> Record;
}

fn parts_of(value: &impl Indexed) -> Vec<Part> {
    let mut parts = Vec::new();
    value.parts(&mut parts);
    parts
}

impl Record {
    /// What stands in the columns of its table that are not the key's.
    pub fn columns(&self) -> Vec<Option<Part>> {
        self.kind().schema().values(&self.entries())
    }

    /// Its place in an index, if it is there; what of the key is not part of the index follows.
    pub fn entry(&self, index: usize) -> Option<Vec<Part>> {
        let mut entry = self.part_of(index)?;
        if index > 0 {
            let schema = self.kind().schema();
            let indexed = &schema.indexes[index].columns;
            let key = schema.key.iter().zip(self.key().parts);
            entry.extend(key.filter(|(column, _)| !indexed.contains(column)).map(|(_, part)| part));
        }
        Some(entry)
    }
}

impl Event {
    /// Where the execution lives that it tells of.
    pub fn partition(&self) -> u16 {
        self.execution().partition()
    }

    /// Of what it tells.
    pub fn execution(&self) -> &ExecutionId {
        match self {
            Self::CompletionRecord(event) => &event.execution,
            Self::LeaseRecord(event) => &event.execution,
            Self::SignalRecord(event) => &event.execution,
            Self::TagRecord(event) => &event.execution,
        }
    }

    /// Where the tags are that it is filtered by, if it is. The storage keeps them with it, as they are when it
    /// commits ([`Event::tagged`]).
    pub fn tags(&self) -> Option<Key> {
        let is_filtered = !matches!(self, Self::TagRecord(_));
        is_filtered.then(|| Tags::at(self.execution()).key().clone())
    }

    /// The event with the tags of this record, if there is one.
    #[must_use]
    pub fn tagged(mut self, found: Option<&Record>) -> Self {
        let found = found.and_then(Tags::of).map(|found| found.tags.clone());
        match &mut self {
            Self::CompletionRecord(event) => event.tags = found.unwrap_or_default(),
            Self::LeaseRecord(event) => event.tags = found.unwrap_or_default(),
            Self::SignalRecord(event) => event.tags = found.unwrap_or_default(),
            Self::TagRecord(_) => {}
        }
        self
    }

    /// What stands in the columns of its table.
    pub fn columns(&self) -> Vec<Option<Part>> {
        self.outbox().schema().values(&self.entries())
    }
}

/// The queue of an execution, and its place there.
fn queued(execution: &Execution) -> (LaneId, String, i64, TimestampMs) {
    (
        execution.lane.clone(),
        requirements::join(&execution.requirements),
        executions::rank(execution.priority),
        execution.created_at,
    )
}

records! {
    records {
        /// How many partitions of a family the deployment has.
        layout: Layout in "ff_layout" {
            key { family: String }
            fixed {
                partitions: u16,
                /// Which deployment it is.
                deployment: Uuid,
            }
            changing {}
            indexes {}
            shown {}
        }

        /// The execution that an idempotency key stands for, and until when. The digest is that of
        /// namespace and key, which are longer than an index takes.
        idempotency: Idempotency in "ff_idempotency" {
            key { partition as "partition_key": u16, digest: String }
            fixed {}
            changing {
                execution as "execution_id": ExecutionId,
                expires_at: TimestampMs,
            }
            indexes {}
            shown {}
        }

        /// A flow. Its members are the executions that name it.
        flow: Flow in "ff_flow_core" {
            key { id as "flow_id": FlowId }
            fixed {
                partition as "partition_key": u16,
                kind as "flow_kind": String,
                namespace: Namespace,
                created_at: TimestampMs,
            }
            changing {
                /// `open` or `cancelled`.
                public_flow_state: String,
                graph_revision: u64,
                node_count: u32,
                edge_count: u32,
                last_mutation_at: TimestampMs,
                cancelled_at: Option<TimestampMs>,
                cancel_reason: Option<String>,
                cancellation_policy: Option<String>,
                projection: Option<Projection>,
            }
            indexes {
                LISTED(partition_key: u16) = |flow| Some((flow.partition,));
            }
            shown {
                public_flow_state: String = |flow| Some(flow.public_flow_state.clone());
            }
        }

        /// The tags of a flow that has some.
        flow_tags: FlowTags in "ff_flow_tags" {
            key { flow as "flow_id": FlowId }
            fixed {}
            changing { tags: BTreeMap<String, String> }
            indexes {}
            shown {}
        }

        /// An execution, without its payload, result and tags.
        execution: Execution in "ff_exec_core" {
            key { id as "execution_id": ExecutionId }
            fixed {
                namespace: Namespace,
                lane as "lane_id": LaneId,
                kind as "execution_kind": String,
                creator_identity: String,
                payload_encoding: Option<String>,
                requirements as "required_capabilities": BTreeSet<String>,
                policy: Option<ExecutionPolicy>,
                created_at: TimestampMs,
            }
            changing {
                flow as "flow_id": Option<FlowId>,

                phase as "lifecycle_phase": LifecyclePhase,
                ownership as "ownership_state": OwnershipState,
                eligibility as "eligibility_state": EligibilityState,
                blocking_reason: BlockingReason,
                blocking_detail: String,
                outcome as "terminal_outcome": TerminalOutcome,
                attempt_state: AttemptState,

                total_attempts as "total_attempt_count": u32,
                retry_count: u32,
                replay_count: u32,
                reclaim_count as "lease_reclaim_count": u32,
                attempt as "current_attempt": Option<CurrentAttempt>,
                /// The lease issued last, while it holds the execution or has lapsed.
                lease: Option<Lease>,
                /// The epoch of the lease issued last; 0 before the first.
                epoch as "lease_epoch": LeaseEpoch,
                lease_expired_at: Option<TimestampMs>,
                /// How the last lease ended, if its holder ended it (ATT-003).
                closing: Option<Closing>,

                started_at: Option<TimestampMs>,
                completed_at: Option<TimestampMs>,
                last_transition_at: TimestampMs,
                last_mutation_at: TimestampMs,
                delay_until: Option<TimestampMs>,
                deadline_at as "execution_deadline_at": Option<TimestampMs>,

                /// When it ended, until what depends on it has been told.
                uncascaded_since: Option<TimestampMs>,

                failure_reason: Option<String>,
                failure_category: Option<String>,
                cancellation_reason: Option<String>,
                cancelled_by: Option<String>,
                progress_percent: Option<u8>,
                progress_message: Option<String>,

                /// The latest suspension; it lasts as long as the phase is `suspended`.
                suspension: Option<Suspended>,
                /// Waitpoints that were made for it ahead of a suspension.
                waitpoint_count: u64,
                /// Signals that were accepted.
                signal_count: u64,

                /// The latest grant, until it is redeemed or the execution ends.
                grant: Option<Grant>,
                /// The id of the lease issued last.
                last_lease as "last_lease_id": Option<LeaseId>,
                priority: i32,
                /// While its lease is revoked.
                lease_revoked_at: Option<TimestampMs>,
                lease_revoke_reason: Option<String>,
                /// Of the attempt that is open, if its time is limited.
                attempt_clock: Option<AttemptClock>,
                /// While a claim has it blocked: the budget that was exhausted (BUD-046).
                denied_by as "denied_by_budget": Option<BudgetId>,
            }
            indexes {
                /// What fresh claims may take, per lane and requirement set in their order (SCH-002).
                QUEUE(
                    queue_lane: LaneId,
                    queue_requirements: String,
                    queue_rank: i64,
                    queue_age: TimestampMs
                ) = |execution| execution.is_claimable().then(|| queued(execution));
                /// What has an attempt that may go on, in the same way.
                RESUMABLE(
                    resumable_lane: LaneId,
                    resumable_requirements: String,
                    queue_rank: i64,
                    queue_age: TimestampMs
                ) = |execution| execution.is_resumable().then(|| queued(execution));
                /// What waits in a partition, granted or not, per lane in the same order.
                WAITING(
                    partition_key: u16,
                    waiting_lane: LaneId,
                    queue_rank: i64,
                    queue_age: TimestampMs
                ) = |execution| execution.is_eligible().then(|| {
                    let (lane, _, rank, age) = queued(execution);
                    (execution.id.partition(), lane, rank, age)
                });
                MEMBERS(flow_id: FlowId) = |execution| Some((execution.flow?,));
                /// What time or an end has made due, or will.
                DUE(partition_key: u16, due_at: TimestampMs) =
                    |execution| Some((execution.id.partition(), execution.due_at()?));
                SUSPENDED(partition_key: u16, suspended_at: TimestampMs) =
                    |execution| Some((execution.id.partition(), execution.suspended()?.since));
                /// What may be taken again once its grant has run out.
                RESERVED(reserved_until: TimestampMs) =
                    |execution| Some((execution.reservation()?.expires_at,));
                /// What is held, or was until its lease ran out and nobody has taken it over.
                LEASES(lease_expires_at: TimestampMs) =
                    |execution| Some((execution.unrevoked_lease()?.expires_at,));
                /// What has ended, per lane and term for which it is kept at least.
                ENDED(partition_key: u16, ended_lane: LaneId, kept_ms: i64, ended_at: TimestampMs) =
                    |execution| Some((
                        execution.id.partition(),
                        execution.lane.clone(),
                        execution.kept_ms(),
                        execution.completed_at?,
                    ));
                /// What no worker could run, per lane and requirement set.
                ROUTED(routed_lane: LaneId, routed_requirements: String) =
                    |execution| execution.is_routed().then(|| (
                        execution.lane.clone(),
                        requirements::digest(&execution.requirements),
                    ));
                /// What waits until a budget has room, per budget.
                DENIED(partition_key: u16, denied_by_budget: BudgetId) =
                    |execution| Some((execution.id.partition(), execution.denied_by?));
            }
            shown {
                // One column for both: the phase, or once it is terminal the outcome.
                lifecycle_phase: &'static str = |execution| Some(match execution.phase {
                    LifecyclePhase::Terminal => execution.outcome.as_str(),
                    other => other.as_str(),
                });
                attempt_state: &'static str = |execution| Some(execution.attempt_state.as_str());
                public_state: &'static str = |execution| Some(execution.public_state().as_str());
                required_capabilities: String =
                    |execution| Some(requirements::join(&execution.requirements));
            }
        }

        /// The input of an execution.
        payload: Payload in "ff_exec_payload" {
            key { execution as "execution_id": ExecutionId }
            fixed {}
            changing { bytes as "payload": ByteBuf }
            indexes {}
            shown {}
        }

        /// The result of an execution that succeeded and gave one.
        result: ExecutionResult in "ff_exec_result" {
            key { execution as "execution_id": ExecutionId }
            fixed {}
            changing { bytes as "result": ByteBuf }
            indexes {}
            shown {}
        }

        /// The tags of an execution that has some.
        tags: Tags in "ff_exec_tags" {
            key { execution as "execution_id": ExecutionId }
            fixed {}
            changing { tags: BTreeMap<String, String> }
            indexes {}
            shown {}
        }

        /// A run of an execution that has ended, or was set aside when it last gave up its lease; the one
        /// under way is part of the execution's record.
        attempt: Attempt in "ff_attempt" {
            key { execution as "execution_id": ExecutionId, index as "attempt_index": AttemptIndex }
            fixed {
                id as "attempt_id": AttemptId,
                kind as "attempt_type": AttemptType,
                started_at: TimestampMs,
            }
            changing {
                state: AttemptLifecycle,
                ended_at: Option<TimestampMs>,
                failure_reason: Option<String>,
                failure_category: Option<String>,
                /// How its stream was closed.
                closed: Option<Closed>,
            }
            indexes {}
            shown {}
        }

        /// A lease that an execution had before its latest.
        past_lease: PastLease in "ff_past_lease" {
            key { execution as "execution_id": ExecutionId, id as "lease_id": LeaseId }
            fixed { epoch as "lease_epoch": LeaseEpoch }
            changing {}
            indexes {}
            shown {}
        }

        /// An attempt that an execution had before its latest.
        past_attempt: PastAttempt in "ff_past_attempt" {
            key { execution as "execution_id": ExecutionId, id as "attempt_id": AttemptId }
            fixed { index as "attempt_index": AttemptIndex }
            changing {}
            indexes {}
            shown {}
        }

        /// A lane on which something was ever created.
        lane: Lane in "ff_lane_registry" {
            key { name as "lane_id": LaneId }
            fixed {}
            changing {}
            indexes {}
            shown {}
        }

        /// A worker that has registered, until it is dead or its time is over for long.
        registration: Registration in "ff_worker_registry" {
            key { namespace: Namespace, instance as "worker_instance_id": WorkerInstanceId }
            fixed {}
            changing {
                worker as "worker_id": WorkerId,
                lanes: BTreeSet<LaneId>,
                capabilities: BTreeSet<String>,
                liveness_ttl_ms: u64,
                registered_at: TimestampMs,
                last_heartbeat_at: TimestampMs,
                expires_at: TimestampMs,
            }
            indexes {
                EXPIRING(expires_at: TimestampMs) =
                    |registration| Some((registration.expires_at,));
            }
            shown {}
        }

        /// A dependency between two members.
        edge: Edge in "ff_edge" {
            key { flow as "flow_id": FlowId, id as "edge_id": EdgeId }
            fixed {
                upstream as "upstream_execution_id": ExecutionId,
                downstream as "downstream_execution_id": ExecutionId,
                dependency_kind: String,
                data_passing_ref: Option<String>,
                created_at: TimestampMs,
            }
            changing { state: EdgeState }
            indexes {
                OUT(flow_id: FlowId, upstream_execution_id: ExecutionId) =
                    |edge| Some((edge.flow, edge.upstream.clone()));
                IN(flow_id: FlowId, downstream_execution_id: ExecutionId) =
                    |edge| Some((edge.flow, edge.downstream.clone()));
            }
            shown {}
        }

        /// The dependencies of one member, counted. There is a group for each member with a staged
        /// edge or an explicit policy.
        group: EdgeGroup in "ff_edge_group" {
            key {
                flow as "flow_id": FlowId,
                downstream as "downstream_execution_id": ExecutionId,
            }
            fixed {}
            changing {
                policy: EdgeDependencyPolicy,
                satisfied_count: u32,
                failed_count: u32,
                skipped_count: u32,
                /// Applied, not resolved.
                running_count: u32,
                group_state: EdgeGroupState,
                /// What remains to be cancelled since the group was decided.
                pending_cancel: Option<BTreeSet<ExecutionId>>,
                /// Since when.
                noted_at: Option<TimestampMs>,
            }
            indexes {
                NOTED(downstream_partition_key: u16, noted_at: TimestampMs) =
                    |group| Some((group.downstream.partition(), group.noted_at?));
            }
            shown {}
        }

        /// The secrets that sign the tokens of a partition's waitpoints.
        secrets: Secrets in "ff_waitpoint_secret" {
            key { partition as "partition_key": u16 }
            fixed {}
            changing {
                current as "current_kid": String,
                /// Those that are retained, by key id.
                retained: BTreeMap<String, Secret>,
            }
            indexes {}
            shown {}
        }

        /// A place to which signals for an execution are delivered.
        waitpoint: Waitpoint in "ff_waitpoint" {
            key { partition as "partition_key": u16, id as "waitpoint_id": WaitpointId }
            fixed {
                execution as "execution_id": ExecutionId,
                attempt as "attempt_index": AttemptIndex,
                name as "waitpoint_key": String,
                token: WaitpointToken,
                created_at: TimestampMs,
                /// Until when a suspension may take it; only if it was made ahead of one.
                pending_until: Option<TimestampMs>,
            }
            changing {
                /// The epoch at which a suspension took it. It is open as long as that suspension lasts.
                taken_at_epoch: Option<LeaseEpoch>,
                activated_at: Option<TimestampMs>,
                closed_at: Option<TimestampMs>,
            }
            indexes {
                PENDING(execution_id: ExecutionId) =
                    |waitpoint| waitpoint.is_pending().then(|| (waitpoint.execution.clone(),));
                OWNED(owner_execution_id: ExecutionId) =
                    |waitpoint| Some((waitpoint.execution.clone(),));
                DUE(partition_key: u16, due_at: TimestampMs) = |waitpoint| {
                    let until = waitpoint.pending_until.filter(|_| waitpoint.is_pending());
                    Some((waitpoint.partition, until?))
                };
            }
            shown {}
        }

        /// The latest suspension of an execution, or what would have been one if its condition had not
        /// been met.
        suspension: Suspension in "ff_suspension" {
            key { execution as "execution_id": ExecutionId }
            fixed {}
            changing {
                id as "suspension_id": SuspensionId,
                attempt as "attempt_index": AttemptIndex,
                condition: ResumeCondition,
                policy as "resume_policy": ResumePolicy,
                requested_by: SuspensionRequester,
                continuation_metadata_pointer: Option<String>,
                /// The waitpoints by their ids, the first of the request first.
                waitpoints: Vec<WaitpointId>,
                /// What each part of the condition has counted, in the order of the parts.
                counted: Vec<Vec<Counted>>,
                /// The signals that were counted.
                satisfiers: Vec<SignalId>,
                /// When it was met or resumed, and by what.
                resumed_at: Option<TimestampMs>,
                resumed_by: Option<String>,
            }
            indexes {}
            shown {}
        }

        /// How a suspension went, for its repetition.
        suspend_replay: SuspendReplay in "ff_suspend_replay" {
            key { execution as "execution_id": ExecutionId, digest: String }
            fixed {}
            changing {
                suspension_id: SuspensionId,
                waitpoints: Vec<WaitpointId>,
                /// The lease that was given up; none if the condition was met.
                released: Option<HandlePayload>,
                expires_at: TimestampMs,
            }
            indexes {}
            shown {}
        }

        /// A signal that was accepted.
        signal: Signal in "ff_signal" {
            key { execution as "execution_id": ExecutionId, id as "signal_id": SignalId }
            fixed {
                waitpoint as "waitpoint_id": WaitpointId,
                /// In the order of acceptance, from 1.
                number: u64,
                name as "signal_name": String,
                category as "signal_category": String,
                source_type: String,
                source_identity: String,
                correlation_id: Option<String>,
                idempotency_key: Option<String>,
                target_scope: String,
                payload: Option<ByteBuf>,
                payload_encoding: Option<String>,
                created_at: TimestampMs,
                accepted_at: TimestampMs,
                effect: String,
            }
            changing {}
            indexes {
                ARRIVED(waitpoint_id: WaitpointId, arrival: i64) =
                    |signal| Some((signal.waitpoint, signal.number.cast_signed()));
            }
            shown {}
        }

        /// The signal that an idempotency key stands for, and until when.
        signal_key: SignalKey in "ff_signal_key" {
            key { waitpoint as "waitpoint_id": WaitpointId, digest: String }
            fixed {}
            changing { signal as "signal_id": SignalId, expires_at: TimestampMs }
            indexes {}
            shown {}
        }

        /// A member of a cancelled flow that others are to cancel.
        backlog: Backlog in "ff_cancel_backlog" {
            key { flow as "flow_id": FlowId, member as "execution_id": ExecutionId }
            fixed {
                /// When somebody else sees to it.
                due_at: TimestampMs,
            }
            changing {}
            indexes {
                DUE(partition_key: u16, due_at: TimestampMs) =
                    |left| Some((left.member.partition(), left.due_at));
            }
            shown {}
        }

        /// What is counted under a budget's id, and what limits it.
        budget: Budget in "ff_budget" {
            key { partition as "partition_key": u16, id as "budget_id": BudgetId }
            fixed {}
            changing {
                /// None, if nobody has defined it.
                definition: Option<BudgetDefinition>,
                usage: BTreeMap<String, u64>,
                breach_count: u64,
                soft_breach_count: u64,
                last_breach: Option<Breach>,
                next_reset_at: Option<TimestampMs>,
                reset_count: u64,
            }
            indexes {
                DUE(partition_key: u16, due_at: TimestampMs) =
                    |budget| Some((budget.partition, budget.next_reset_at?));
            }
            shown {}
        }

        /// What was counted in an execution's name.
        spend: Spend in "ff_budget_spend" {
            key { budget as "budget_id": BudgetId, execution as "execution_id": ExecutionId }
            fixed {}
            changing {
                amounts: BTreeMap<String, u64>,
                /// How often the budget had been reset by then: nothing of it counts after another reset.
                reset_count: u64,
            }
            indexes {
                COUNTED(budget_id: BudgetId, counted_since: i64) =
                    |spend| Some((spend.budget, spend.reset_count.cast_signed()));
            }
            shown {}
        }

        /// A key under which something was counted, and until when it is kept.
        usage_key: UsageKey in "ff_usage_key" {
            key { budget as "budget_id": BudgetId, digest: String }
            fixed {}
            changing { expires_at: TimestampMs }
            indexes {
                EXPIRING(budget_id: BudgetId, expires_at: TimestampMs) =
                    |key| Some((key.budget, key.expires_at));
            }
            shown {}
        }

        /// A quota policy, or what was admitted under its id.
        quota: Quota in "ff_quota" {
            key { partition as "partition_key": u16, id as "quota_policy_id": QuotaPolicyId }
            fixed {}
            changing {
                /// None, if nobody has created it.
                limits: Option<QuotaLimits>,
                admission_count: u64,
            }
            indexes {}
            shown {}
        }

        /// The window of a dimension: its places are numbered in the order in which they were taken, and those
        /// before the first have left it.
        window: Window in "ff_quota_window" {
            key { quota as "quota_policy_id": QuotaPolicyId, dimension: String }
            fixed {}
            changing {
                first: u64,
                next: u64,
                /// When the first was taken, and the last.
                oldest: TimestampMs,
                latest: TimestampMs,
                /// The longest window that was asked for, in milliseconds.
                longest: u64,
            }
            indexes {
                OLDEST(quota_policy_id: QuotaPolicyId, oldest: TimestampMs) =
                    |window| Some((window.quota, window.oldest));
            }
            shown {}
        }

        /// A place in a window.
        place: Place in "ff_quota_place" {
            key { quota as "quota_policy_id": QuotaPolicyId, dimension: String, number: i64 }
            fixed { taken_at: TimestampMs }
            changing {}
            indexes {}
            shown {}
        }

        /// An execution that is admitted under a policy: until when, in each dimension.
        slot: Slot in "ff_quota_slot" {
            key { quota as "quota_policy_id": QuotaPolicyId, execution as "execution_id": ExecutionId }
            fixed {}
            changing {
                /// By dimension.
                ends: BTreeMap<String, TimestampMs>,
                /// The last of these.
                held_until: TimestampMs,
            }
            indexes {
                HELD(quota_policy_id: QuotaPolicyId, held_until: TimestampMs) =
                    |slot| Some((slot.quota, slot.held_until));
            }
            shown {}
        }

        /// The stream of an attempt that has had frames. They are numbered in the order in which they came.
        stream: Stream in "ff_stream" {
            key { execution as "execution_id": ExecutionId, attempt as "attempt_index": AttemptIndex }
            fixed {}
            changing {
                /// The number of the last.
                frame_count: u64,
                /// The number of the oldest that is kept.
                first: u64,
                /// The time of the last, as its id has it.
                last_at: TimestampMs,
                /// The last that its producer numbered.
                sequenced: Option<Sequenced>,
                /// How often best-effort frames come.
                pace: Option<Pace>,
                /// It has had others than best-effort frames.
                holds_others: bool,
                /// When its frames are gone, as it has had no others.
                expires_at: Option<TimestampMs>,
            }
            indexes {}
            shown {}
        }

        /// A frame that is kept.
        frame: StoredFrame in "ff_stream_frame" {
            key {
                execution as "execution_id": ExecutionId,
                attempt as "attempt_index": AttemptIndex,
                number as "frame_number": i64,
            }
            fixed { at as "appended_at": TimestampMs, content: FrameContent }
            changing {}
            indexes {
                PLACED(execution_id: ExecutionId, attempt_index: AttemptIndex, appended_at: TimestampMs) =
                    |frame| Some((frame.execution.clone(), frame.attempt, frame.at));
                /// Without best-effort frames.
                LASTING(execution_id: ExecutionId, attempt_index: AttemptIndex, lasting_at: TimestampMs) =
                    |frame| (!frame.content.is_best_effort()).then(|| (
                        frame.execution.clone(),
                        frame.attempt,
                        frame.at,
                    ));
            }
            shown {}
        }

        /// The document that an attempt's summary frames have made.
        summary: Summary in "ff_stream_summary" {
            key { execution as "execution_id": ExecutionId, attempt as "attempt_index": AttemptIndex }
            fixed {}
            changing {
                /// In JSON.
                document: String,
                version: u64,
                first_applied_at: TimestampMs,
                last_applied_at: TimestampMs,
            }
            indexes {}
            shown {}
        }
    }

    outboxes {
        /// A terminal transition.
        completions: CompletionRecord in "ff_completion_event" {
            fields {
                execution as "execution_id": ExecutionId,
                flow as "flow_id": Option<FlowId>,
                namespace: Namespace,
                outcome: TerminalOutcome,
                at as "occurred_at": TimestampMs,
                /// As they were when it committed.
                tags: BTreeMap<String, String>,
            }
            shown {
                execution_id: ExecutionId = |event| Some(event.execution.clone());
                flow_id: FlowId = |event| event.flow;
                outcome: &'static str = |event| Some(event.outcome.as_str());
            }
        }

        /// A lease that began, went on or ended.
        lease_events: LeaseRecord in "ff_lease_event" {
            fields {
                execution as "execution_id": ExecutionId,
                namespace: Namespace,
                kind as "event_type": LeaseEventKind,
                lease as "lease_id": Option<LeaseId>,
                worker_instance: Option<WorkerInstanceId>,
                /// Who took the lease away; only on `Revoked`.
                revoked_by: Option<String>,
                at as "occurred_at": TimestampMs,
                /// As they were when it committed.
                tags: BTreeMap<String, String>,
            }
            shown {
                execution_id: ExecutionId = |event| Some(event.execution.clone());
                event_type: &'static str = |event| Some(event.kind.into());
            }
        }

        /// A signal that was delivered, or was there already.
        signals: SignalRecord in "ff_signal_event" {
            fields {
                execution as "execution_id": ExecutionId,
                namespace: Namespace,
                signal as "signal_id": SignalId,
                waitpoint as "waitpoint_id": WaitpointId,
                source_identity: String,
                /// Of the one that was accepted; none of a duplicate.
                effect: Option<String>,
                at as "occurred_at": TimestampMs,
                /// As they were when it committed.
                tags: BTreeMap<String, String>,
            }
            shown {
                execution_id: ExecutionId = |event| Some(event.execution.clone());
            }
        }

        /// A tag of an execution that was attached or cleared.
        tag_events: TagRecord in "ff_tag_event" {
            fields {
                execution as "execution_id": ExecutionId,
                kind as "event_type": TagEventKind,
                /// The key, `=` and the value.
                tag: String,
                at as "occurred_at": TimestampMs,
            }
            shown {
                execution_id: ExecutionId = |event| Some(event.execution.clone());
            }
        }
    }
}
