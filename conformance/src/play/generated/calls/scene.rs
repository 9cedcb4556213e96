//! What some sequences begin with: calls that chance alone would rarely bring together.

use std::time::Duration;

use ff_core::backend::{
    Handle, HandleKind, IdempotencyKey, ResumeCondition, SignalMatcher, SuspendArgs,
    SuspensionReasonCode, WaitpointBinding,
};
use ff_core::call::Call;
use ff_core::contracts::{
    DeliverApprovalSignalArgs, RotateWaitpointHmacSecretAllArgs, SeedWaitpointHmacSecretArgs,
};
use ff_core::partition::{Partition, PartitionFamily};
use ff_core::types::{
    AttemptId, ExecutionId, LaneId, LeaseEpoch, LeaseFence, LeaseId, SuspensionId, WaitpointId,
};
use ff_mock::Waitpoint;

use super::suspension::plain_signal;
use crate::play::generated::names::Thing;
use crate::play::generated::reference::{Reference, plain_claim};
use crate::play::generated::step::{Disguise, Step, lease_of};
use crate::stage::{CALLERS_NOW, plain_execution};

/// A step on what the model makes of those before; nothing if one of those is missing.
type Next = fn(&Reference) -> Option<Step>;

/// Waitpoints that are late, closed or taken, tokens that open nothing any more, and what is known already.
pub(crate) const SCENE: &[Next] = &[
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

fn make(key: &str, millis: u64) -> Call {
    Call::CreateWaitpoint {
        handle: lease("one"),
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

fn suspend(instance: &str, waitpoint: WaitpointBinding, key: &str) -> Call {
    let args = suspension(waitpoint, "a").with_idempotency_key(IdempotencyKey::new(key));
    Call::Suspend { handle: lease(instance), args }
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
