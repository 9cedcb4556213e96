//! Calls about waitpoints, suspensions and signals, and about the secrets that sign tokens.

use std::time::Duration;

use ff_core::backend::{
    CompositeBody, HandleKind, IdempotencyKey, ResumeCondition, SignalMatcher, SuspendArgs,
    SuspensionReasonCode, TimeoutBehavior, WaitpointBinding,
};
use ff_core::call::{Call, Method};
use ff_core::contracts::{
    CountKind, DeliverApprovalSignalArgs, DeliverSignalArgs, ListPendingWaitpointsArgs,
    ResumeExecutionArgs, RotateWaitpointHmacSecretAllArgs, SeedWaitpointHmacSecretArgs,
};
use ff_core::partition::{Partition, PartitionFamily, PartitionKey};
use ff_core::types::{
    AttemptId, ExecutionId, LaneId, LeaseEpoch, LeaseFence, LeaseId, SignalId, SuspensionId,
    TimestampMs, WaitpointId, WaitpointToken,
};
use ff_mock::{Execution, Secrets, Signal, SuspendReplay, Waitpoint};
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use super::arguments::{NUL, TOO_LATE, Ways, any_execution, execution, mostly, spoilt};
use super::executions::lease;
use super::lists::pages;
use super::offer::{Offer, offer};
use super::scheduling::placed;
use crate::play::generated::names::Thing;
use crate::play::generated::reference::Reference;
use crate::play::generated::step::{Disguise, TOKEN, lease_of};
use crate::stage::{self, CALLERS_NOW, Target};

pub(super) const OFFERS: &[Offer] = &[
    offer(Method::RotateWaitpointHmacSecretAll, 3, |_| {
        let grace = select(vec![0, 1_000, 100_000, 1 << 53]);
        (kid(), secret(), grace)
            .prop_map(|(kid, secret, grace)| Call::RotateWaitpointHmacSecretAll {
                args: RotateWaitpointHmacSecretAllArgs::new(kid, secret, grace),
            })
            .boxed()
    })
    .when(|now| now.has_waitpoint, 200),
    offer(Method::SeedWaitpointHmacSecret, 2, |_| {
        (kid(), secret())
            .prop_map(|(kid, secret)| Call::SeedWaitpointHmacSecret {
                args: SeedWaitpointHmacSecretArgs::new(kid, secret),
            })
            .boxed()
    })
    .when(|now| !now.is_signed, 1_000),
    offer(Method::CreateWaitpoint, 10, create_waitpoint).when(|now| !now.is_held, 25),
    offer(Method::Suspend, 24, suspend).when(|now| !now.is_held, 25),
    offer(Method::SuspendByTriple, 3, suspend_by_triple),
    offer(Method::DeliverSignal, 20, deliver).when(|now| !now.has_waitpoint, 10),
    offer(Method::DeliverApprovalSignal, 12, approve).when(|now| !now.has_waitpoint, 25),
    offer(Method::ObserveSignals, 4, |reference| {
        lease(reference).prop_map(|handle| Call::ObserveSignals { handle }).boxed()
    }),
    offer(Method::ResumeExecution, 4, resume),
    offer(Method::ExpireSuspension, 4, expire),
    offer(Method::CloseWaitpoint, 3, close),
    offer(Method::ReadWaitpointToken, 2, read_token),
    offer(Method::ListPendingWaitpoints, 3, |reference| {
        (execution(reference), select(vec![None, Some(0), Some(1_000)]))
            .prop_map(|(id, limit)| {
                let mut args = ListPendingWaitpointsArgs::new(id);
                args.limit = limit;
                Call::ListPendingWaitpoints { args }
            })
            .boxed()
    }),
    offer(Method::ListSuspended, 3, |reference| {
        let ids = execution(reference);
        pages(Method::ListSuspended, ids.prop_map(|id| (id.partition(), id.to_string())))
    }),
];

fn kid() -> BoxedStrategy<String> {
    prop_oneof![12 => select(vec!["k1", "k2", "k3", "k4", "k5", "k6"]), 1 => Just("k:1")]
        .prop_map(str::to_owned)
        .boxed()
}

/// Two secrets, one of them in two ways, and one that is too short.
fn secret() -> BoxedStrategy<String> {
    let secrets = ["0a".repeat(32), "0A".repeat(32), "ff".repeat(32), "0a".repeat(31) + "0"];
    select(secrets.to_vec()).boxed()
}

/// Keys of waitpoints, so that conditions name several.
const KEYS: [&str; 3] = ["a", "b", "c"];

const NAMES: [&str; 2] = ["go", "stop"];

/// A key of its own: what is made at one time is told apart by it.
fn create_waitpoint(reference: &Reference) -> BoxedStrategy<Call> {
    let made = reference.snapshot.all::<Waitpoint>().count();
    let good = (Just(format!("early {made}")), select(vec![1_000, 1, 1, 60_000]));
    let bad: Ways<(String, u64)> =
        &[|(key, _)| key.clear(), |(key, _)| *key = NUL.to_owned(), |(_, millis)| *millis = 0];
    (lease(reference), spoilt(good, 8, bad))
        .prop_map(|(handle, (waitpoint_key, millis))| Call::CreateWaitpoint {
            handle,
            waitpoint_key,
            expires_in: Duration::from_millis(millis),
        })
        .boxed()
}

/// A condition on these waitpoints.
fn condition(keys: &'static [&'static str]) -> BoxedStrategy<ResumeCondition> {
    let matcher = prop_oneof![
        2 => Just(SignalMatcher::Wildcard),
        1 => select(NAMES.to_vec()).prop_map(|name| SignalMatcher::ByName(name.to_owned())),
    ];
    let single = |key: &'static str| {
        let matcher = matcher.clone();
        matcher.prop_map(move |matcher| ResumeCondition::Single {
            matcher,
            waitpoint_key: key.to_owned(),
        })
    };
    let all: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    let kinds =
        [CountKind::DistinctSignals, CountKind::DistinctSources, CountKind::DistinctWaitpoints];
    let most = u32::try_from(keys.len()).unwrap_or(1);
    let count = (select(kinds.to_vec()), weighted(0.3, matcher.clone()), 1..=most).prop_map(
        move |(count_kind, matcher, n)| {
            ResumeCondition::Composite(CompositeBody::Count {
                count_kind,
                matcher,
                n,
                waitpoints: all.clone(),
            })
        },
    );
    let each: Vec<_> = keys.iter().map(|key| single(key)).collect();
    let every =
        each.prop_map(|members| ResumeCondition::Composite(CompositeBody::AllOf { members }));
    if keys.len() == 1 {
        let without = select(vec![ResumeCondition::OperatorOnly, ResumeCondition::TimeoutOnly]);
        return prop_oneof![6 => single(keys[0]), 2 => count, 1 => without].boxed();
    }
    prop_oneof![2 => count, 2 => every].boxed()
}

/// The ids that suspensions give to waitpoints of their own, one for each place in a request.
fn fresh_id(reference: &Reference, place: usize) -> WaitpointId {
    let taken = reference.snapshot.all::<Waitpoint>().count();
    WaitpointId::from_uuid(Thing::Waitpoint.uuid(1 + (taken + place) % 60))
}

fn fresh(reference: &Reference) -> BoxedStrategy<(Vec<WaitpointBinding>, ResumeCondition)> {
    let ids: Vec<_> = (0..KEYS.len()).map(|place| fresh_id(reference, place)).collect();
    let several = select(vec![1_usize, 1, 2, 3]).prop_flat_map(|count| condition(&KEYS[..count]));
    // An id that a backend has minted means the same on both sides in its own partition only.
    let known = reference.snapshot.all::<Waitpoint>().filter(|known| known.pending_until.is_none());
    let mut known: Vec<WaitpointId> = known.map(|known| known.id).collect();
    known.push(ids[0]);
    let bound = move |(condition, known): (ResumeCondition, Option<WaitpointId>)| {
        let mut ids = ids.clone();
        ids[0] = known.unwrap_or(ids[0]);
        let text = format!("{condition:?}");
        let named = KEYS.iter().filter(|key| text.contains(&format!("{key:?}"))).count().max(1);
        let bindings = ids.iter().zip(KEYS).take(named).map(|(id, key)| WaitpointBinding::Fresh {
            waitpoint_id: *id,
            waitpoint_key: key.to_owned(),
        });
        (bindings.collect(), condition)
    };
    (several, weighted(0.3, select(known))).prop_map(bound).boxed()
}

/// A suspension that takes a waitpoint which was made ahead of it.
fn pending(reference: &Reference) -> BoxedStrategy<(Vec<WaitpointBinding>, ResumeCondition)> {
    let known = reference.snapshot.all::<Waitpoint>().map(|known| (known.id, known.name.clone()));
    let mut known: Vec<(WaitpointId, String)> = known.collect();
    known.push((WaitpointId::from_uuid(Thing::Waitpoint.uuid(64)), "a".to_owned()));
    (select(known), weighted(0.3, select(NAMES.to_vec())))
        .prop_map(|((waitpoint_id, waitpoint_key), name)| {
            let matcher =
                name.map_or(SignalMatcher::Wildcard, |name| SignalMatcher::ByName(name.to_owned()));
            let bindings = vec![WaitpointBinding::UsePending { waitpoint_id }];
            (bindings, ResumeCondition::Single { matcher, waitpoint_key })
        })
        .boxed()
}

fn suspension(reference: &Reference) -> BoxedStrategy<SuspendArgs> {
    use SuspensionReasonCode as Reason;
    use TimeoutBehavior as Behavior;

    let waitpoints = prop_oneof![3 => fresh(reference), 2 => pending(reference)];
    let behaviors = vec![
        Behavior::AutoResumeWithTimeoutSignal,
        Behavior::Cancel,
        Behavior::Escalate,
        Behavior::Expire,
        Behavior::Fail,
    ];
    let now = reference.now.0;
    let at = prop_oneof![
        1 => Just(now - 700_000),
        6 => select(vec![now - 1_000, now + 1_000, now + 60_000]),
    ];
    let timeout = weighted(0.6, (at, select(behaviors)));
    let reason = select(vec![Reason::WaitingForSignal, Reason::ManualPause, Reason::StepBoundary]);
    let key = weighted(0.4, select(vec!["one", "two", ""]));
    let delay = weighted(0.2, select(vec![0, 1_000]));
    let good = (waitpoints, timeout, reason, key, delay, 1..=3_usize).prop_map(
        |((waitpoints, condition), timeout, reason, key, delay, number)| {
            let id = SuspensionId::from_uuid(Thing::Suspension.uuid(number));
            let first =
                WaitpointBinding::UsePending { waitpoint_id: WaitpointId::from_uuid(Uuid::nil()) };
            let mut args = SuspendArgs::new(id, first, condition, reason, CALLERS_NOW);
            args.waitpoints = waitpoints;
            args.idempotency_key = key.map(IdempotencyKey::new);
            args.resume_policy.resume_delay_ms = delay;
            match timeout {
                Some((at, behavior)) => args.with_timeout(TimestampMs(at), behavior),
                None => args,
            }
        },
    );
    let bad: Ways<SuspendArgs> = &[
        |args| args.waitpoints.clear(),
        |args| args.timeout_at = Some(TOO_LATE),
        |args| {
            args.resume_condition =
                ResumeCondition::Composite(CompositeBody::AllOf { members: vec![] });
        },
        |args| args.continuation_metadata_pointer = Some(NUL.to_owned()),
    ];
    spoilt(good, 12, bad)
}

fn suspend(reference: &Reference) -> BoxedStrategy<Call> {
    let any = (lease(reference), suspension(reference));
    let any = any.prop_map(|(handle, args)| Call::Suspend { handle, args });
    let held = reference.held();
    let taken = reference.snapshot.all::<Waitpoint>().filter_map(|waitpoint| {
        let holder = held.iter().find(|(_, execution)| *execution == waitpoint.execution);
        let taking = (holder?.0.clone(), waitpoint.id, waitpoint.name.clone());
        // Others can only show how they are refused, which little else does.
        let is_late = waitpoint.pending_until.is_some_and(|until| until <= reference.now);
        Some(vec![taking; if is_late || !waitpoint.is_pending() { 4 } else { 2 }])
    });
    let taken: Vec<(String, WaitpointId, String)> = taken.flatten().collect();
    if taken.is_empty() {
        return any.boxed();
    }
    let taking = (select(taken), suspension(reference), weighted(0.3, select(NAMES.to_vec())));
    let taking = taking.prop_map(|((holder, waitpoint_id, waitpoint_key), mut args, name)| {
        let matcher =
            name.map_or(SignalMatcher::Wildcard, |name| SignalMatcher::ByName(name.to_owned()));
        args.waitpoints = vec![WaitpointBinding::UsePending { waitpoint_id }];
        args.resume_condition = ResumeCondition::Single { matcher, waitpoint_key };
        Call::Suspend { handle: lease_of(&holder, Disguise::Lease, HandleKind::Fresh), args }
    });
    prop_oneof![1 => any, 1 => taking].boxed()
}

/// The fence is nobody's: what succeeds is recognised by its key.
fn suspend_by_triple(reference: &Reference) -> BoxedStrategy<Call> {
    let known = reference.snapshot.all::<SuspendReplay>();
    let known = mostly(reference, known.map(|replay| replay.execution.clone()).collect());
    let keys = select(vec!["one", "two"]);
    let keyed = (known, suspension(reference), keys)
        .prop_map(|(id, args, key)| (id, args.with_idempotency_key(IdempotencyKey::new(key))));
    let any = (execution(reference), suspension(reference));
    prop_oneof![2 => keyed, 1 => any]
        .prop_map(|(exec_id, args)| Call::SuspendByTriple {
            exec_id,
            triple: LeaseFence {
                lease_id: LeaseId::from_uuid(Thing::Edge.uuid(1)),
                lease_epoch: LeaseEpoch::new(1),
                attempt_id: AttemptId::from_uuid(Thing::Edge.uuid(1)),
            },
            args,
        })
        .boxed()
}

/// A waitpoint with its execution, sometimes one that is unknown or another's.
fn target(reference: &Reference) -> BoxedStrategy<(ExecutionId, WaitpointId)> {
    let known = reference.snapshot.all::<Waitpoint>();
    let known: Vec<_> = known.map(|known| (known.execution.clone(), known.id)).collect();
    let nobody = WaitpointId::from_uuid(Thing::Waitpoint.uuid(64));
    let unknown = any_execution(reference).prop_map(move |id| (id, nobody));
    if known.is_empty() {
        return unknown.boxed();
    }
    let foreign = (any_execution(reference), select(known.clone()));
    let foreign = foreign.prop_map(|(id, (_, waitpoint))| (id, waitpoint));
    prop_oneof![16 => select(known), 1 => unknown, 3 => foreign].boxed()
}

/// The signal with this number, and nothing special about it.
pub(crate) fn plain_signal(
    execution_id: ExecutionId,
    waitpoint_id: WaitpointId,
    number: usize,
) -> DeliverSignalArgs {
    let to = Target {
        execution: execution_id,
        waitpoint: waitpoint_id,
        token: WaitpointToken::new(TOKEN),
    };
    stage::plain_signal(&to, SignalId::from_uuid(Thing::Signal.uuid(number)))
}

fn deliver(reference: &Reference) -> BoxedStrategy<Call> {
    let ids: Vec<SignalId> =
        (1..=60).map(|number| SignalId::from_uuid(Thing::Signal.uuid(number))).collect();
    let token = prop_oneof![16 => Just(TOKEN), 1 => Just(""), 1 => Just("k1:0")];
    let what = (
        select(ids),
        select(NAMES.to_vec()),
        token,
        weighted(0.3, select(vec!["one", "two", ""])),
        select(vec!["x", "y"]),
    );
    let how = (
        weighted(0.2, select(vec![0, 1_000])),
        weighted(0.2, select(vec![0, 1, 2])),
        weighted(0.2, select(vec![0, 500])),
        weighted(0.5, select(vec![&b"\xff\0"[..], b""]).prop_map(<[u8]>::to_vec)),
    );
    let good = (target(reference), what, how).prop_map(
        |((execution_id, waitpoint_id), (signal_id, name, token, key, source), how)| {
            let (dedup_ttl_ms, max_signals_per_execution, resume_delay_ms, payload) = how;
            DeliverSignalArgs {
                dedup_ttl_ms,
                idempotency_key: key.map(str::to_owned),
                max_signals_per_execution,
                payload,
                resume_delay_ms,
                signal_id,
                signal_name: name.to_owned(),
                source_identity: source.to_owned(),
                waitpoint_token: WaitpointToken::new(token),
                ..plain_signal(execution_id, waitpoint_id, 1)
            }
        },
    );
    let bad: Ways<DeliverSignalArgs> = &[
        |args| args.signal_name.clear(),
        |args| args.signal_name = "__timeout".to_owned(),
        |args| args.payload = Some(vec![b'x'; super::arguments::TOO_LONG]),
        |args| args.source_identity = NUL.to_owned(),
        |args| args.created_at = Some(TOO_LATE),
    ];
    spoilt(good, 16, bad).prop_map(|args| Call::DeliverSignal { args }).boxed()
}

/// Waitpoints whose tokens open them no more.
fn stale(reference: &Reference) -> Vec<(ExecutionId, WaitpointId)> {
    let secrets: Vec<&Secrets> = reference.snapshot.all().collect();
    let is_stale = |waitpoint: &&Waitpoint| {
        let kid = waitpoint.token.as_str().split(':').next().unwrap_or_default();
        let secrets = secrets.iter().find(|secrets| secrets.partition == waitpoint.partition);
        let secret = secrets.and_then(|secrets| secrets.retained.get(kid));
        secret.is_none_or(|secret| secret.verifies_until.is_some_and(|until| until < reference.now))
    };
    let stale = reference.snapshot.all::<Waitpoint>().filter(is_stale);
    stale.map(|waitpoint| (waitpoint.execution.clone(), waitpoint.id)).collect()
}

/// A name of its own: what comes at one time is told apart by it.
fn approve(reference: &Reference) -> BoxedStrategy<Call> {
    let name = format!("approved {}", reference.snapshot.all::<Signal>().count() % 4);
    let lanes = reference.snapshot.executions().map(|known| (known.id.clone(), known.lane.clone()));
    let lanes: Vec<(ExecutionId, LaneId)> = lanes.collect();
    let stale = stale(reference);
    let target = match stale {
        none if none.is_empty() => target(reference),
        stale => prop_oneof![1 => select(stale), 2 => target(reference)].boxed(),
    };
    let good = (
        target,
        select(vec!["one", "two"]),
        select(vec![0, 60_000, 1_000]),
        weighted(0.3, select(vec![0, 1, 2])),
    )
        .prop_map(move |((id, waitpoint), suffix, window, limit)| {
            let lane = lanes.iter().find(|(known, _)| *known == id);
            let lane = lane.map_or_else(|| LaneId::new("a"), |(_, lane)| lane.clone());
            let name = name.clone();
            DeliverApprovalSignalArgs::new(id, lane, waitpoint, name, suffix, window, None, limit)
        });
    let bad: Ways<DeliverApprovalSignalArgs> = &[
        |args| args.signal_name.clear(),
        |args| args.lane_id = LaneId::new("elsewhere"),
        |args| args.idempotency_suffix = NUL.to_owned(),
    ];
    spoilt(good, 12, bad).prop_map(|args| Call::DeliverApprovalSignal { args }).boxed()
}

fn suspended(reference: &Reference) -> BoxedStrategy<ExecutionId> {
    let is_suspended = |execution: &&Execution| execution.suspended().is_some();
    let suspended = reference.snapshot.executions().filter(is_suspended);
    mostly(reference, suspended.map(|execution| execution.id.clone()).collect())
}

fn resume(reference: &Reference) -> BoxedStrategy<Call> {
    let good = (
        suspended(reference),
        select(vec![0, 0, 1_000]),
        select(vec!["operator", "signal", "auto_resume"]).prop_map(str::to_owned),
    );
    let bad: Ways<(ExecutionId, u64, String)> =
        &[|(.., trigger)| trigger.clear(), |(_, delay, _)| *delay = super::arguments::TOO_LARGE];
    spoilt(good, 12, bad)
        .prop_map(|(execution_id, resume_delay_ms, trigger_type)| Call::ResumeExecution {
            args: ResumeExecutionArgs { execution_id, resume_delay_ms, trigger_type },
        })
        .boxed()
}

fn expire(reference: &Reference) -> BoxedStrategy<Call> {
    let bad: Ways<(Partition, ExecutionId)> = &[
        |(partition, _)| partition.index ^= 1,
        |(partition, _)| partition.family = PartitionFamily::Quota,
    ];
    spoilt(placed(suspended(reference)), 12, bad)
        .prop_map(|(partition, execution_id)| Call::ExpireSuspension {
            partition,
            execution_id,
            now_ms: CALLERS_NOW,
        })
        .boxed()
}

fn close(reference: &Reference) -> BoxedStrategy<Call> {
    let good = target(reference).prop_map(|(id, waitpoint)| {
        let partition = Partition { family: PartitionFamily::Execution, index: id.partition() };
        (partition, id, waitpoint.to_string())
    });
    let bad: Ways<(Partition, ExecutionId, String)> =
        &[|(partition, ..)| partition.index ^= 1, |(.., id)| id.push('x')];
    spoilt(good, 8, bad)
        .prop_map(|(partition, execution_id, waitpoint_id)| Call::CloseWaitpoint {
            partition,
            execution_id,
            waitpoint_id,
            now_ms: CALLERS_NOW,
        })
        .boxed()
}

fn read_token(reference: &Reference) -> BoxedStrategy<Call> {
    let good = target(reference).prop_map(|(id, waitpoint)| {
        let index = id.partition();
        (PartitionKey::from(&Partition { family: PartitionFamily::Flow, index }), waitpoint)
    });
    let bad: Ways<(PartitionKey, WaitpointId)> = &[|(key, _)| *key = PartitionKey::new("{fp:x}")];
    spoilt(good, 6, bad)
        .prop_map(|(partition, waitpoint_id)| Call::ReadWaitpointToken { partition, waitpoint_id })
        .boxed()
}
