//! What some sequences begin with: calls that chance alone would rarely bring together.

use std::collections::BTreeSet;
use std::time::Duration;

use ff_core::backend::{
    CapabilitySet, FailureClass, FailureReason, Handle, HandleKind, IdempotencyKey,
    ResumeCondition, ResumeToken, SignalMatcher, SuspendArgs, SuspensionReasonCode,
    WaitpointBinding,
};
use ff_core::call::Call;
use ff_core::contracts::{
    ClaimResumedExecutionArgs, DeliverApprovalSignalArgs, IssueClaimGrantArgs,
    IssueReclaimGrantArgs, ResumeExecutionArgs, ResumeGrant, RotateWaitpointHmacSecretAllArgs,
    SeedWaitpointHmacSecretArgs,
};
use ff_core::partition::{Partition, PartitionFamily, PartitionKey};
use ff_core::policy::RoutingRequirements;
use ff_core::types::{
    AttemptId, AttemptIndex, ExecutionId, LaneId, LeaseEpoch, LeaseFence, LeaseId, SuspensionId,
    WaitpointId, WorkerId, WorkerInstanceId,
};
use ff_mock::Waitpoint;

use super::suspension::plain_signal;
use crate::play::generated::names::Thing;
use crate::play::generated::reference::{Reference, plain_claim};
use crate::play::generated::step::{Disguise, Step, lease_of};
use crate::stage::{CALLERS_NOW, plain_execution, revocation};

/// A step on what the model makes of those before; nothing if one of those is missing.
type Next = fn(&Reference) -> Option<Step>;

/// One of these is what a sequence may begin with.
pub(crate) const SCENES: [&[Next]; 2] = [WAITPOINTS, LEASES];

/// Waitpoints that are late, closed or taken, tokens that open nothing any more, and what is known already.
const WAITPOINTS: &[Next] = &[
    |_| called(seed()),
    |reference| called(create(reference, 1)),
    |_| called(plain_claim(&lane(), "one")),
    |_| called(make("late", 1)),
    |_| called(make("met", 60_000)),
    |_| called(make("kept", 60_000)),
    |_| Some(Step::Advance(1)),
    |reference| called(take(reference, "late")?),
    |reference| {
        called(Call::DeliverSignal {
            args: plain_signal(first(reference), find(reference, "met")?, 1),
        })
    },
    |reference| called(take(reference, "met")?),
    |reference| called(take(reference, "met")?),
    |reference| called(approve(reference, Some(1))?),
    |_| called(suspend("one", fresh(), "one")),
    |reference| called(suspend_again(reference)),
    |_| called(make("too late", 60_000)),
    |reference| called(create(reference, 5)),
    |_| called(plain_claim(&lane(), "other")),
    |_| called(suspend("other", fresh(), "")),
    |reference| called(close(reference, "kept")?),
    |_| called(rotate()),
    |_| Some(Step::Advance(1)),
    |reference| called(approve(reference, None)?),
];

/// Grants of whatever cannot be granted, attempts that go on or not, and every call under a lease that is due.
const LEASES: &[Next] = &[
    |_| called(seed()),
    |reference| called(create(reference, 1)),
    |_| called(plain_claim(&lane(), "one")),
    |_| called(suspend("one", fresh(), "one")),
    |reference| called(create(reference, 5)),
    |_| called(plain_claim(&lane(), "other")),
    |reference| called(grant(reference, 5, "a", 1)),
    |reference| called(go_on(reference, 5, "two", 1)),
    |reference| called(resume(reference, 1)),
    |reference| called(go_on(reference, 1, "two", 1)),
    |reference| called(by_token(reference, 1, "two")),
    |reference| called(grant(reference, 1, "b", 1)),
    |reference| called(grant(reference, 1, "a", 1)),
    |reference| called(grant(reference, 1, "a", 1)),
    |_| Some(Step::Advance(1)),
    |reference| called(go_on(reference, 1, "two", 1)),
    |reference| called(by_token(reference, 1, "two")),
    |reference| called(grant(reference, 1, "a", 60_000)),
    |reference| called(elsewhere(go_on(reference, 1, "two", 1))),
    |reference| called(elsewhere(by_token(reference, 1, "two"))),
    |reference| called(go_on(reference, 1, "two", 1)),
    |_| called(suspend("two", another(), "two")),
    |reference| called(resume(reference, 1)),
    |reference| called(grant(reference, 1, "a", 60_000)),
    |reference| called(go_on(reference, 1, "three", 1)),
    |reference| called(by_token(reference, 1, "three")),
    |reference| called(create(reference, 2)),
    |reference| called(grant(reference, 2, "a", 1)),
    |reference| called(go_on(reference, 2, "four", 2)),
    |reference| called(create(reference, 6)),
    |_| called(claim_briefly("late")),
    |_| Some(Step::Advance(1)),
    |_| called(Call::Renew { handle: lease("late") }),
    |_| called(Call::Progress { handle: lease("late"), percent: Some(1), message: None }),
    |_| called(Call::Complete { handle: lease("late"), payload: None }),
    |_| called(fail("late")),
    |_| called(Call::Cancel { handle: lease("late"), reason: "late".to_owned() }),
    |_| called(Call::WaitChildren { handle: lease("late") }),
    |_| called(suspend("late", another(), "late")),
    |_| called(make_under("late", "late", 1)),
    |reference| called(create_needing(reference, 9)),
    |_| called(claim_able("able")),
    |reference| called(Call::RevokeLease { args: revocation(&reference.universe.execution(9)) }),
    |reference| called(regrant(reference, 9)),
];

#[allow(clippy::unnecessary_wraps)] // As steps that may be missing.
fn called(call: Call) -> Option<Step> {
    Some(Step::Call(call))
}

fn lane() -> LaneId {
    LaneId::new("a")
}

fn lease(instance: &str) -> Handle {
    lease_of(instance, Disguise::Lease, HandleKind::Fresh)
}

fn first(reference: &Reference) -> ExecutionId {
    reference.universe.execution(1)
}

fn seed() -> Call {
    let args = SeedWaitpointHmacSecretArgs::new("k1", "0a".repeat(32));
    Call::SeedWaitpointHmacSecret { args }
}

fn rotate() -> Call {
    let args = RotateWaitpointHmacSecretAllArgs::new("k2", "0b".repeat(32), 0);
    Call::RotateWaitpointHmacSecretAll { args }
}

fn create(reference: &Reference, number: usize) -> Call {
    let args = plain_execution(reference.universe.execution(number), lane());
    Call::CreateExecution {
        args: ff_core::contracts::CreateExecutionArgs { now: CALLERS_NOW, ..args },
    }
}

/// One that only the able may have, before all others.
fn create_needing(reference: &Reference, number: usize) -> Call {
    let mut args = plain_execution(reference.universe.execution(number), lane());
    let needs = RoutingRequirements {
        required_capabilities: BTreeSet::from(["gpu".to_owned()]),
        ..RoutingRequirements::default()
    };
    args.policy.get_or_insert_default().routing_requirements = Some(needs);
    args.priority = 9_000;
    Call::CreateExecution {
        args: ff_core::contracts::CreateExecutionArgs { now: CALLERS_NOW, ..args },
    }
}

fn claim_able(instance: &str) -> Call {
    let mut claim = plain_claim(&lane(), instance);
    if let Call::Claim { capabilities, .. } = &mut claim {
        *capabilities = CapabilitySet::new(["gpu"]);
    }
    claim
}

/// To a worker that is not.
fn regrant(reference: &Reference, number: usize) -> Call {
    let args = IssueReclaimGrantArgs::new(
        reference.universe.execution(number),
        WorkerId::new("worker"),
        WorkerInstanceId::new("granted"),
        lane(),
        None,
        60_000,
        None,
        None,
        BTreeSet::new(),
        CALLERS_NOW,
    );
    Call::IssueReclaimGrant { args }
}

fn make(key: &str, millis: u64) -> Call {
    make_under("one", key, millis)
}

/// For a millisecond.
fn claim_briefly(instance: &str) -> Call {
    let mut claim = plain_claim(&lane(), instance);
    if let Call::Claim { policy, .. } = &mut claim {
        policy.lease_ttl_ms = 1;
    }
    claim
}

fn fail(instance: &str) -> Call {
    Call::Fail {
        handle: lease(instance),
        reason: FailureReason::new("late"),
        classification: FailureClass::Transient,
    }
}

fn make_under(instance: &str, key: &str, millis: u64) -> Call {
    Call::CreateWaitpoint {
        handle: lease(instance),
        waitpoint_key: key.to_owned(),
        expires_in: Duration::from_millis(millis),
    }
}

/// The waitpoint of this key.
fn find(reference: &Reference, key: &str) -> Option<WaitpointId> {
    let mut waitpoints = reference.snapshot.all::<Waitpoint>();
    waitpoints.find(|waitpoint| waitpoint.name == key).map(|waitpoint| waitpoint.id)
}

fn suspension(waitpoint: WaitpointBinding, waitpoint_key: &str) -> SuspendArgs {
    let matcher = SignalMatcher::Wildcard;
    SuspendArgs::new(
        SuspensionId::from_uuid(Thing::Suspension.uuid(1)),
        waitpoint,
        ResumeCondition::Single { matcher, waitpoint_key: waitpoint_key.to_owned() },
        SuspensionReasonCode::WaitingForSignal,
        CALLERS_NOW,
    )
}

fn take(reference: &Reference, key: &str) -> Option<Call> {
    let waitpoint_id = find(reference, key)?;
    let args = suspension(WaitpointBinding::UsePending { waitpoint_id }, key);
    Some(Call::Suspend { handle: lease("one"), args })
}

/// The same waitpoint whenever it is asked for.
fn fresh() -> WaitpointBinding {
    let waitpoint_id = WaitpointId::from_uuid(Thing::Waitpoint.uuid(60));
    WaitpointBinding::Fresh { waitpoint_id, waitpoint_key: "a".to_owned() }
}

fn another() -> WaitpointBinding {
    let waitpoint_id = WaitpointId::from_uuid(Thing::Waitpoint.uuid(59));
    WaitpointBinding::Fresh { waitpoint_id, waitpoint_key: "a".to_owned() }
}

fn suspend(instance: &str, waitpoint: WaitpointBinding, key: &str) -> Call {
    let args = suspension(waitpoint, "a").with_idempotency_key(IdempotencyKey::new(key));
    Call::Suspend { handle: lease(instance), args }
}

fn resume(reference: &Reference, number: usize) -> Call {
    let args = ResumeExecutionArgs {
        execution_id: reference.universe.execution(number),
        resume_delay_ms: 0,
        trigger_type: "operator".to_owned(),
    };
    Call::ResumeExecution { args }
}

fn grant(reference: &Reference, number: usize, lane: &str, millis: u64) -> Call {
    let id = reference.universe.execution(number);
    let partition = Partition { family: PartitionFamily::Execution, index: id.partition() };
    let args = IssueClaimGrantArgs::new(
        id,
        LaneId::new(lane),
        WorkerId::new("worker"),
        WorkerInstanceId::new("granted"),
        partition,
        BTreeSet::new(),
        millis,
        CALLERS_NOW,
    );
    Call::IssueClaimGrant { args }
}

fn go_on(reference: &Reference, number: usize, instance: &str, lease: usize) -> Call {
    let args = ClaimResumedExecutionArgs {
        execution_id: reference.universe.execution(number),
        current_attempt_index: AttemptIndex::new(0),
        lane_id: lane(),
        lease_id: LeaseId::from_uuid(Thing::Lease.uuid(lease)),
        lease_ttl_ms: 30_000,
        remaining_attempt_timeout_ms: None,
        worker_id: WorkerId::new("worker"),
        worker_instance_id: WorkerInstanceId::new(instance),
        now: CALLERS_NOW,
    };
    Call::ClaimResumedExecution { args }
}

fn by_token(reference: &Reference, number: usize, instance: &str) -> Call {
    let id = reference.universe.execution(number);
    let home = Partition { family: PartitionFamily::Flow, index: id.partition() };
    let key = PartitionKey::from(&home);
    let grant = ResumeGrant::new(id, key, "grant".to_owned(), 0, lane());
    let (worker, instance) = (WorkerId::new("worker"), WorkerInstanceId::new(instance));
    Call::ClaimFromResumeGrant { token: ResumeToken::new(grant, worker, instance, 30_000) }
}

/// The same on another lane.
fn elsewhere(mut call: Call) -> Call {
    match &mut call {
        Call::ClaimResumedExecution { args } => args.lane_id = LaneId::new("b"),
        Call::ClaimFromResumeGrant { token } => token.grant.lane_id = LaneId::new("b"),
        _ => {}
    }
    call
}

/// By its key: the fence is nobody's.
fn suspend_again(reference: &Reference) -> Call {
    let nobody = Thing::Edge.uuid(1);
    Call::SuspendByTriple {
        exec_id: first(reference),
        triple: LeaseFence {
            lease_id: LeaseId::from_uuid(nobody),
            lease_epoch: LeaseEpoch::new(1),
            attempt_id: AttemptId::from_uuid(nobody),
        },
        args: suspension(fresh(), "a").with_idempotency_key(IdempotencyKey::new("one")),
    }
}

fn approve(reference: &Reference, limit: Option<u64>) -> Option<Call> {
    let (id, waitpoint) = (first(reference), find(reference, "kept")?);
    let name = "approved";
    let args =
        DeliverApprovalSignalArgs::new(id, lane(), waitpoint, name, "scene", 1_000, None, limit);
    Some(Call::DeliverApprovalSignal { args })
}

/// By another execution of its partition.
fn close(reference: &Reference, key: &str) -> Option<Call> {
    let execution_id = reference.universe.execution(5);
    let index = execution_id.partition();
    Some(Call::CloseWaitpoint {
        partition: Partition { family: PartitionFamily::Execution, index },
        execution_id,
        waitpoint_id: find(reference, key)?.to_string(),
        now_ms: CALLERS_NOW,
    })
}
