//! Calls with nothing special about them, on executions, flows, dependencies and leases that have
//! numbers or names: `e1` is the first execution, `w1` the lease that the instance `w1` claimed.

use std::time::Duration;

use ff_core::backend::{
    CancelFlowPolicy, CancelFlowWait, CompletionPayload, FailureClass, FailureReason, Handle,
    HandleKind, Namespace, ResumeCondition, ScannerFilter, SignalMatcher, SuspendArgs,
    SuspensionReasonCode, WaitpointBinding,
};
use ff_core::call::Call;
use ff_core::contracts::{
    AddExecutionToFlowArgs, ApplyDependencyToChildArgs, BlockingReason, CancelFlowArgs,
    ChangePriorityArgs, ClaimResumedExecutionArgs, CreateFlowArgs, DeliverApprovalSignalArgs,
    EdgeDependencyPolicy, EvaluateFlowEligibilityArgs, HeartbeatWorkerArgs, IssueGrantAndClaimArgs,
    ListPendingWaitpointsArgs, MarkWorkerDeadArgs, ReplayExecutionArgs, ResolveDependencyArgs,
    ResumeExecutionArgs, RotateWaitpointHmacSecretAllArgs, ScanEligibleArgs,
    SeedWaitpointHmacSecretArgs, StageDependencyEdgeArgs,
};
use ff_core::engine_backend::ExpirePhase;
use ff_core::partition::{Partition, flow_partition};
use ff_core::types::{
    AttemptId, AttemptIndex, EdgeId, ExecutionId, FlowId, LaneId, LeaseEpoch, LeaseFence, LeaseId,
    SignalId, SuspensionId, WaitpointId, WaitpointToken, WorkerInstanceId,
};

use super::session::{Line, call};
use crate::play::generated::names::Thing;
use crate::play::generated::step::{Disguise, TOKEN, lease_of};
use crate::play::generated::{Universe, plain_claim};
use crate::stage::{
    CALLERS_NOW, ExecutionBuilder, Leased, Target, World, apply_args, cancellation, plain_signal,
    registering, revocation,
};

/// Who and what written histories are about. The executions 1, 2, 5 and 6 and the flows 1 and 2
/// share a partition; execution 3 and flow 3 have another, where there are several, and execution 4 is
/// of no flow.
pub(crate) struct Fixture {
    world: World,
    universe: Universe,
}

impl Fixture {
    pub(crate) fn of(world: &World) -> Self {
        Self { world: world.clone(), universe: Universe::of(world.partitions()) }
    }

    pub(crate) fn execution(&self, number: usize) -> ExecutionId {
        self.universe.execution(number)
    }

    fn lane(&self) -> LaneId {
        self.universe.lanes().swap_remove(0)
    }

    /// A creation on the one lane.
    pub(crate) fn create(&self, number: usize) -> ExecutionBuilder {
        let builder = self.world.execution().id(&self.execution(number));
        builder.lane(self.lane().as_str())
    }

    /// A creation on the one lane, and that it can be claimed at once.
    pub(crate) fn created(&self, number: usize) -> Line {
        let answer = format!("created.execution_id=e{number} created.public_state=waiting");
        call(self.create(number), answer)
    }

    /// A claim by this instance, for 30 s.
    pub(crate) fn claim(&self, instance: &str) -> Call {
        plain_claim(&self.lane(), instance)
    }

    /// A claim by this instance, for so many milliseconds.
    pub(crate) fn claim_for(&self, instance: &str, millis: u32) -> Call {
        let mut claim = self.claim(instance);
        if let Call::Claim { policy, .. } = &mut claim {
            policy.lease_ttl_ms = millis;
        }
        claim
    }

    pub(crate) fn promote(&self, number: usize) -> Call {
        let execution_id = self.execution(number);
        Call::PromoteDelayed {
            partition: self.world.partition_of(&execution_id),
            lane: self.lane(),
            execution_id,
            now_ms: CALLERS_NOW,
        }
    }

    pub(crate) fn mark_lapsed(&self, number: usize) -> Call {
        let execution_id = self.execution(number);
        Call::MarkLeaseExpiredIfDue {
            partition: self.world.partition_of(&execution_id),
            execution_id,
        }
    }

    pub(crate) fn tag(&self, number: usize, key: &str, value: &str) -> Call {
        Call::SetExecutionTag {
            execution_id: self.execution(number),
            key: key.to_owned(),
            value: value.to_owned(),
        }
    }

    pub(crate) fn read_tag(&self, number: usize, key: &str) -> Call {
        Call::GetExecutionTag { execution_id: self.execution(number), key: key.to_owned() }
    }

    pub(crate) fn state(&self, number: usize) -> Call {
        Call::ReadExecutionState { id: self.execution(number) }
    }

    pub(crate) fn describe(&self, number: usize) -> Call {
        Call::DescribeExecution { id: self.execution(number) }
    }

    pub(crate) fn result(&self, number: usize) -> Call {
        Call::GetExecutionResult { id: self.execution(number) }
    }

    pub(crate) fn fields<const N: usize>(&self, number: usize, names: [&str; N]) -> Call {
        let execution_id = self.execution(number);
        Call::ReadExecCoreFields {
            partition: self.world.partition_of(&execution_id),
            execution_id,
            fields: names.map(str::to_owned).to_vec(),
        }
    }

    pub(crate) fn create_flow(&self, number: usize) -> Call {
        let args = CreateFlowArgs {
            namespace: Namespace::new("tenant"),
            ..self.world.flow_args(flow(number))
        };
        Call::CreateFlow { args }
    }

    /// A flow's creation, and that it is there.
    pub(crate) fn flow_created(&self, number: usize) -> Line {
        call(self.create_flow(number), format!("created.flow_id=f{number}"))
    }

    pub(crate) fn join(&self, flow_number: usize, execution: usize) -> Call {
        let args = AddExecutionToFlowArgs {
            flow_id: flow(flow_number),
            execution_id: self.execution(execution),
            now: CALLERS_NOW,
        };
        Call::AddExecutionToFlow { args }
    }

    /// An execution's joining, and that it is the flow's member with this number.
    pub(crate) fn joined(&self, flow: usize, execution: usize, members: usize) -> Line {
        let answer = format!("added.execution_id=e{execution} added.new_node_count={members}");
        call(self.join(flow, execution), answer)
    }

    pub(crate) fn set_policy(&self, member: usize, policy: EdgeDependencyPolicy) -> Call {
        Call::SetEdgeGroupPolicy {
            flow_id: flow(1),
            downstream_execution_id: self.execution(member),
            policy,
        }
    }

    /// The dependency with this number, from one execution to another, at this revision of flow 1.
    pub(crate) fn stage(&self, edge: usize, from: usize, to: usize, revision: u64) -> Call {
        let args = self.staging(edge, from, to, revision);
        Call::StageDependencyEdge { args }
    }

    /// A dependency's staging at the revision that flow 1 is at, and that it has the next.
    pub(crate) fn staged(&self, edge: usize, from: usize, to: usize, revision: u64) -> Line {
        let next = revision + 1;
        let answer = format!("staged.edge_id=d{edge} staged.new_graph_revision={next}");
        call(self.stage(edge, from, to, revision), answer)
    }

    pub(crate) fn apply(&self, edge: usize, from: usize, to: usize) -> Call {
        let args: ApplyDependencyToChildArgs = apply_args(&self.staging(edge, from, to, 0));
        Call::ApplyDependencyToChild { args }
    }

    pub(crate) fn resolve(&self, edge: usize, from: usize, to: usize, outcome: &str) -> Call {
        let args = ResolveDependencyArgs::new(
            self.home(),
            flow(1),
            self.execution(to),
            self.execution(from),
            EdgeId::from_uuid(Thing::Edge.uuid(edge)),
            self.lane(),
            AttemptIndex::new(0),
            outcome.to_owned(),
            CALLERS_NOW,
        );
        Call::ResolveDependency { args }
    }

    pub(crate) fn cascade(&self, member: usize) -> Call {
        let id = self.execution(member);
        let payload = CompletionPayload::new(id, "success", None, CALLERS_NOW);
        Call::CascadeCompletion { payload: payload.with_flow_id(flow(1)) }
    }

    pub(crate) fn eligibility(&self, member: usize) -> Call {
        let execution_id = self.execution(member);
        Call::EvaluateFlowEligibility { args: EvaluateFlowEligibilityArgs { execution_id } }
    }

    pub(crate) fn drain(&self, member: usize) -> Call {
        Call::DrainSiblingCancelGroup {
            flow_partition: self.home(),
            flow_id: flow(1),
            downstream_eid: self.execution(member),
        }
    }

    pub(crate) fn reconcile(&self, member: usize) -> Call {
        Call::ReconcileSiblingCancelGroup {
            flow_partition: self.home(),
            flow_id: flow(1),
            downstream_eid: self.execution(member),
        }
    }

    pub(crate) fn acknowledge(&self, member: usize) -> Call {
        Call::AckCancelMember { flow_id: flow(1), execution_id: self.execution(member) }
    }

    pub(crate) fn project(&self, number: usize) -> Call {
        let flow_id = flow(number);
        Call::ProjectFlowSummary {
            partition: flow_partition(&flow_id, &self.world.partitions()),
            flow_id,
            now_ms: CALLERS_NOW,
        }
    }

    pub(crate) fn replay(&self, number: usize) -> Call {
        let args = ReplayExecutionArgs { execution_id: self.execution(number), now: CALLERS_NOW };
        Call::ReplayExecution { args }
    }

    /// The signal with this number, to a waitpoint of an execution.
    pub(crate) fn deliver(&self, signal: usize, execution: usize, at: usize) -> Call {
        let to = Target {
            execution: self.execution(execution),
            waitpoint: waitpoint(at),
            token: WaitpointToken::new(TOKEN),
        };
        let args = plain_signal(&to, SignalId::from_uuid(Thing::Signal.uuid(signal)));
        Call::DeliverSignal { args }
    }

    pub(crate) fn approve(&self, execution: usize, at: usize) -> Call {
        let id = self.execution(execution);
        let (lane, at) = (self.lane(), waitpoint(at));
        let args =
            DeliverApprovalSignalArgs::new(id, lane, at, "approved", "one", 60_000, None, None);
        Call::DeliverApprovalSignal { args }
    }

    /// A grant for a minute.
    pub(crate) fn grant(&self, execution: usize) -> Call {
        let mut args = self.world.granting(&self.execution(execution));
        args.lane_id = self.lane();
        Call::IssueClaimGrant { args }
    }

    /// Work for a worker that offers nothing, for a minute.
    pub(crate) fn assign(&self) -> Call {
        let mut args = self.world.assigning();
        args.lane_id = self.lane();
        Call::ClaimForWorker { args }
    }

    /// What waits where this execution is.
    pub(crate) fn scan(&self, execution: usize) -> Call {
        let partition = self.world.partition_of(&self.execution(execution));
        let args = ScanEligibleArgs::new(self.lane(), partition, 10);
        Call::ScanEligibleExecutions { args }
    }

    /// Starts the first attempt, it and its lease with this number.
    pub(crate) fn redeem(&self, instance: &str, execution: usize, number: usize) -> Call {
        let mut args = self.world.redeeming(&self.execution(execution));
        args.lease_id = LeaseId::from_uuid(Thing::Lease.uuid(number));
        args.attempt_id = AttemptId::from_uuid(Thing::Attempt.uuid(number));
        args.worker_instance_id = WorkerInstanceId::new(instance);
        args.lane_id = self.lane();
        Call::ClaimExecution { args }
    }

    /// An execution whose first attempt and lease have this number.
    pub(crate) fn redeemed(&self, instance: &str, execution: usize, number: usize) -> Vec<Line> {
        let begun = format!(
            "claimed.attempt_id=a{number} claimed.attempt_index=0 claimed.attempt_type=initial \
             claimed.execution_id=e{execution} claimed.handle.handle=fresh claimed.lease_epoch=1 \
             claimed.lease_expires_at=t+30000 claimed.lease_id=l{number}"
        );
        vec![
            call(self.grant(execution), format!("granted.execution_id=e{execution}")),
            call(self.redeem(instance, execution, number), begun),
        ]
    }

    pub(crate) fn revoke(&self, execution: usize) -> Call {
        Call::RevokeLease { args: revocation(&self.execution(execution)) }
    }

    /// A grant for a minute to take over.
    pub(crate) fn regrant(&self, execution: usize) -> Call {
        let mut args = self.world.regranting(&self.execution(execution));
        args.lane_id = self.lane();
        Call::IssueReclaimGrant { args }
    }

    /// Takes over, the attempt and its lease with this number.
    pub(crate) fn reclaim(&self, instance: &str, execution: usize, number: usize) -> Call {
        let mut args = self.world.reclaiming(&self.execution(execution));
        args.lease_id = LeaseId::from_uuid(Thing::Lease.uuid(number));
        args.attempt_id = AttemptId::from_uuid(Thing::Attempt.uuid(number));
        args.worker_instance_id = WorkerInstanceId::new(instance);
        args.lane_id = self.lane();
        Call::ReclaimExecution { args }
    }

    /// What names that lease.
    fn lease_of(&self, execution: usize, number: usize) -> Leased {
        Leased {
            id: self.execution(execution),
            handle: lease("nobody"),
            fence: LeaseFence {
                lease_id: LeaseId::from_uuid(Thing::Lease.uuid(number)),
                lease_epoch: LeaseEpoch::new(1),
                attempt_id: AttemptId::from_uuid(Thing::Attempt.uuid(number)),
            },
            attempt_index: AttemptIndex::new(0),
        }
    }

    pub(crate) fn renew_lease(&self, execution: usize, number: usize) -> Call {
        Call::RenewLease { args: self.lease_of(execution, number).renewing() }
    }

    pub(crate) fn complete_execution(&self, execution: usize, number: usize) -> Call {
        Call::CompleteExecution { args: self.lease_of(execution, number).completing() }
    }

    pub(crate) fn fail_execution(&self, execution: usize, number: usize) -> Call {
        Call::FailExecution { args: self.lease_of(execution, number).failing() }
    }

    pub(crate) fn claim_by_operator(&self, execution: usize) -> Call {
        let id = self.execution(execution);
        let args = IssueGrantAndClaimArgs::new(id, self.lane(), 30_000);
        Call::IssueGrantAndClaim { args }
    }

    pub(crate) fn block(&self, execution: usize, reason: BlockingReason) -> Call {
        let mut args = self.world.blocking(&self.execution(execution), reason);
        args.lane_id = self.lane();
        Call::BlockExecutionForAdmission { args }
    }

    pub(crate) fn block_route(&self, execution: usize) -> Call {
        let mut args = self.world.routing(&self.execution(execution));
        args.lane_id = self.lane();
        Call::BlockRoute { args }
    }

    pub(crate) fn unblock(&self, execution: usize, reason: &str) -> Call {
        let execution_id = self.execution(execution);
        Call::UnblockExecution {
            partition: self.world.partition_of(&execution_id),
            lane_id: self.lane(),
            execution_id,
            expected_blocking_reason: reason.to_owned(),
            now_ms: CALLERS_NOW,
        }
    }

    pub(crate) fn expire(&self, execution: usize, phase: ExpirePhase) -> Call {
        let execution_id = self.execution(execution);
        let partition = self.world.partition_of(&execution_id);
        Call::ExpireExecution { partition, execution_id, phase, now_ms: CALLERS_NOW }
    }

    /// Removes what has ended where this execution is.
    pub(crate) fn trim(&self, execution: usize, filter: ScannerFilter) -> Call {
        Call::TrimRetention {
            partition: self.world.partition_of(&self.execution(execution)),
            lane_id: self.lane(),
            retention_ms: 0,
            now_ms: CALLERS_NOW,
            batch_size: 10,
            filter,
        }
    }

    /// Goes over what is where this execution is.
    pub(crate) fn put_back(&self, execution: usize, filter: ScannerFilter) -> Call {
        let partition = self.world.partition_of(&self.execution(execution));
        Call::ReconcileExecutionIndex { partition, lanes: vec![self.lane()], filter }
    }

    pub(crate) fn change_priority(&self, execution: usize, new_priority: i32) -> Call {
        let args = ChangePriorityArgs {
            execution_id: self.execution(execution),
            lane_id: self.lane(),
            new_priority,
            now: CALLERS_NOW,
        };
        Call::ChangePriority { args }
    }

    pub(crate) fn delay(&self, instance: &str, millis: i64) -> Call {
        Call::Delay { handle: lease(instance), delay_until: self.world.in_ms(millis) }
    }

    /// Goes on with an attempt under the lease with this number.
    pub(crate) fn go_on(&self, instance: &str, execution: usize, number: usize) -> Call {
        let lease_id = LeaseId::from_uuid(Thing::Lease.uuid(number));
        let args = self.world.going_on(&self.execution(execution));
        let worker_instance_id = WorkerInstanceId::new(instance);
        let args = ClaimResumedExecutionArgs {
            lease_id,
            worker_instance_id,
            lane_id: self.lane(),
            ..args
        };
        Call::ClaimResumedExecution { args }
    }

    pub(crate) fn go_on_by_token(&self, instance: &str, execution: usize) -> Call {
        let mut token = self.world.resume_token(&self.execution(execution));
        token.worker_instance_id = WorkerInstanceId::new(instance);
        token.grant.lane_id = self.lane();
        Call::ClaimFromResumeGrant { token }
    }

    pub(crate) fn resume(&self, execution: usize, delay: u64) -> Call {
        let args = ResumeExecutionArgs {
            execution_id: self.execution(execution),
            resume_delay_ms: delay,
            trigger_type: "operator".to_owned(),
        };
        Call::ResumeExecution { args }
    }

    /// A suspension whose timeout is over.
    pub(crate) fn suspend_late(&self, instance: &str, number: usize) -> Call {
        let mut call = suspend(instance, number);
        if let Call::Suspend { args, .. } = &mut call {
            args.timeout_at = Some(self.world.in_ms(-1_000));
        }
        call
    }

    pub(crate) fn expire_suspension(&self, execution: usize) -> Call {
        let execution_id = self.execution(execution);
        let partition = self.world.partition_of(&execution_id);
        Call::ExpireSuspension { partition, execution_id, now_ms: CALLERS_NOW }
    }

    pub(crate) fn close_waitpoint(&self, execution: usize, number: usize) -> Call {
        let execution_id = self.execution(execution);
        let partition = self.world.partition_of(&execution_id);
        let waitpoint_id = waitpoint(number).to_string();
        Call::CloseWaitpoint { partition, execution_id, waitpoint_id, now_ms: CALLERS_NOW }
    }

    pub(crate) fn read_token(&self, execution: usize, number: usize) -> Call {
        let partition = self.world.partition_key_of(&self.execution(execution));
        Call::ReadWaitpointToken { partition, waitpoint_id: waitpoint(number) }
    }

    pub(crate) fn waitpoints(&self, execution: usize) -> Call {
        let mut args = ListPendingWaitpointsArgs::new(self.execution(execution));
        args.limit = Some(10);
        Call::ListPendingWaitpoints { args }
    }

    pub(crate) fn suspend_by_triple(&self, execution: usize, number: usize) -> Call {
        let uuid = Thing::Signal.uuid(number);
        Call::SuspendByTriple {
            exec_id: self.execution(execution),
            triple: LeaseFence {
                lease_id: LeaseId::from_uuid(uuid),
                lease_epoch: LeaseEpoch::new(1),
                attempt_id: AttemptId::from_uuid(uuid),
            },
            args: suspension(number),
        }
    }

    pub(crate) fn cancel_execution(&self, number: usize) -> Call {
        Call::CancelExecution { args: cancellation(&self.execution(number)) }
    }

    /// The partition of flow 1.
    fn home(&self) -> Partition {
        flow_partition(&flow(1), &self.world.partitions())
    }

    fn staging(
        &self,
        edge: usize,
        from: usize,
        to: usize,
        revision: u64,
    ) -> StageDependencyEdgeArgs {
        let (upstream, downstream) = (self.execution(from), self.execution(to));
        StageDependencyEdgeArgs {
            edge_id: EdgeId::from_uuid(Thing::Edge.uuid(edge)),
            ..self.world.edge_args(&flow(1), &upstream, &downstream, revision)
        }
    }
}

pub(crate) fn flow(number: usize) -> FlowId {
    FlowId::from_uuid(Thing::Flow.uuid(number))
}

pub(super) fn lease(instance: &str) -> Handle {
    lease_of(instance, Disguise::Lease, HandleKind::Fresh)
}

pub(crate) fn renew(instance: &str) -> Call {
    Call::Renew { handle: lease(instance) }
}

pub(crate) fn progress(instance: &str, percent: u8) -> Call {
    Call::Progress { handle: lease(instance), percent: Some(percent), message: None }
}

pub(crate) fn complete(instance: &str, result: &str) -> Call {
    Call::Complete { handle: lease(instance), payload: Some(result.into()) }
}

pub(crate) fn fail(instance: &str, class: FailureClass) -> Call {
    Call::Fail {
        handle: lease(instance),
        reason: FailureReason::new("boom"),
        classification: class,
    }
}

pub(crate) fn cancel(instance: &str, reason: &str) -> Call {
    Call::Cancel { handle: lease(instance), reason: reason.to_owned() }
}

pub(crate) fn wait_children(instance: &str) -> Call {
    Call::WaitChildren { handle: lease(instance) }
}

pub(crate) fn cancel_flow(number: usize, policy: CancelFlowPolicy) -> Call {
    Call::CancelFlow { id: flow(number), policy, wait: CancelFlowWait::WaitIndefinite }
}

pub(crate) fn cancel_header(number: usize, policy: &str, reason: &str) -> Call {
    let args = CancelFlowArgs {
        flow_id: flow(number),
        cancellation_policy: policy.to_owned(),
        reason: reason.to_owned(),
        now: CALLERS_NOW,
    };
    Call::CancelFlowHeader { args }
}

pub(crate) fn describe_flow(number: usize) -> Call {
    Call::DescribeFlow { id: flow(number) }
}

pub(crate) fn tag_flow(number: usize, key: &str, value: &str) -> Call {
    Call::SetFlowTag { flow_id: flow(number), key: key.to_owned(), value: value.to_owned() }
}

/// A suspension until any signal comes to the waitpoint with this number.
pub(crate) fn suspend(instance: &str, waitpoint: usize) -> Call {
    Call::Suspend { handle: lease(instance), args: suspension(waitpoint) }
}

fn waitpoint(number: usize) -> WaitpointId {
    WaitpointId::from_uuid(Thing::Waitpoint.uuid(number))
}

pub(crate) fn suspension(number: usize) -> SuspendArgs {
    let matcher = SignalMatcher::Wildcard;
    let waitpoint_key = "wp".to_owned();
    SuspendArgs::new(
        SuspensionId::from_uuid(Thing::Suspension.uuid(number)),
        WaitpointBinding::Fresh { waitpoint_id: waitpoint(number), waitpoint_key: "wp".to_owned() },
        ResumeCondition::Single { matcher, waitpoint_key },
        SuspensionReasonCode::WaitingForSignal,
        CALLERS_NOW,
    )
}

/// How the suspension with this number is answered.
pub(crate) fn suspended(instance: &str, number: usize) -> Line {
    call(suspend(instance, number), suspended_answer(number))
}

pub(crate) fn suspended_answer(number: usize) -> String {
    let details = "suspended.details";
    format!(
        "{details}.additional_waitpoints=[] {details}.suspension_id=u{number} \
         {details}.waitpoint_id=w{number} {details}.waitpoint_key=wp \
         {details}.waitpoint_token=one:signature suspended.handle.handle=suspended"
    )
}

pub(crate) fn create_waitpoint(instance: &str) -> Call {
    Call::CreateWaitpoint {
        handle: lease(instance),
        waitpoint_key: "early".to_owned(),
        expires_in: Duration::from_mins(1),
    }
}

pub(crate) fn observe(instance: &str) -> Call {
    Call::ObserveSignals { handle: lease(instance) }
}

/// The first secret, under the key id `one`.
pub(crate) fn seeded() -> Line {
    call(seed("one"), "seeded.kid=one")
}

/// A new secret under this key id.
pub(crate) fn rotate(kid: &str) -> Call {
    let args = RotateWaitpointHmacSecretAllArgs::new(kid, "0f".repeat(32), 60_000);
    Call::RotateWaitpointHmacSecretAll { args }
}

/// The first secret, under this key id.
pub(crate) fn seed(kid: &str) -> Call {
    let args = SeedWaitpointHmacSecretArgs::new(kid, "0f".repeat(32));
    Call::SeedWaitpointHmacSecret { args }
}

/// A registration of the worker instance `one` for a minute.
pub(crate) fn register() -> Call {
    Call::RegisterWorker { args: registering("one", 60_000) }
}

pub(crate) fn beat() -> Call {
    let args = registering("one", 60_000);
    let args = HeartbeatWorkerArgs::new(args.worker_instance_id, args.namespace, CALLERS_NOW);
    Call::HeartbeatWorker { args }
}

pub(crate) fn die() -> Call {
    let args = registering("one", 60_000);
    let (instance, namespace) = (args.worker_instance_id, args.namespace);
    let args = MarkWorkerDeadArgs::new(instance, namespace, "why".to_owned(), CALLERS_NOW);
    Call::MarkWorkerDead { args }
}
