//! Calls that create executions and act on them under a lease.

use std::collections::{BTreeSet, HashMap};

use ff_core::backend::{FailureClass, FailureReason, Handle, HandleKind, Namespace};
use ff_core::call::{Call, Method};
use ff_core::contracts::{CancelExecutionArgs, CreateExecutionArgs, ReplayExecutionArgs};
use ff_core::policy::{
    BackoffStrategy, ExecutionPolicy, RetryPolicy, RoutingRequirements, StreamPolicy,
    SuspensionPolicy, TimeoutPolicy,
};
use ff_core::types::{
    AttemptId, CancelSource, ExecutionId, LaneId, LeaseEpoch, LeaseId, TimestampMs,
};
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::arguments::{
    NUL, TOO_LARGE, TOO_LATE, TOO_LONG, Ways, any_execution, execution, mostly, spoilt, tag,
    too_long,
};
use super::offer::{Offer, offer};
use crate::play::generated::reference::Reference;
use crate::play::generated::step::{Disguise, ELSEWHERE, lease_of};
use crate::stage::CALLERS_NOW;
use crate::stage::plain_execution;

pub(super) const OFFERS: &[Offer] = &[
    offer(Method::CreateExecution, 9, create)
        .when(|now| now.has_few, 600)
        .when(|now| now.has_many, 20),
    offer(Method::Renew, 5, renew).when(|now| !now.is_held, 25).when(|now| now.is_superseded, 250),
    offer(Method::Progress, 5, progress)
        .when(|now| !now.is_held, 25)
        .when(|now| now.is_superseded, 250),
    offer(Method::Complete, 6, complete)
        .when(|now| !now.is_held, 25)
        .when(|now| now.is_superseded, 250),
    offer(Method::Fail, 14, fail).when(|now| !now.is_held, 25),
    offer(Method::Cancel, 5, cancel)
        .when(|now| !now.is_held, 25)
        .when(|now| now.is_superseded, 250),
    offer(Method::WaitChildren, 7, |reference| {
        lease(reference).prop_map(|handle| Call::WaitChildren { handle }).boxed()
    })
    .when(|now| !now.is_held, 25),
    offer(Method::Delay, 6, delay_attempt).when(|now| !now.is_held, 25),
    offer(Method::ReplayExecution, 4, replay).when(|now| now.has_ended, 250),
    offer(Method::CancelExecution, 4, cancel_execution),
    offer(Method::SetExecutionTag, 7, set_tag),
];

/// Tokens that executions require and workers offer.
pub(super) const TOKENS: [&str; 2] = ["gpu", "ssd"];

fn create(reference: &Reference) -> BoxedStrategy<Call> {
    let plain = (
        new_execution(reference),
        select(reference.universe.lanes()),
        select(vec![0, 5, -1, 1, 9_000, 9_001]),
        select(vec![&b"input"[..], b"", b"\0\xff"]),
        select(vec!["tenant", "other"]),
    );
    let options = (
        weighted(0.3, select(vec!["k1", "k2"])),
        weighted(0.3, delay(reference.now)),
        weighted(0.2, select(vec![("app.k", "v"), ("app.k", "")])),
        weighted(0.2, any_time(reference.now)),
        weighted(0.75, policy()),
    );
    let args = (plain, options).prop_map(|(plain, options)| {
        let (id, lane, priority, payload, namespace) = plain;
        let (key, delay_until, tag, execution_deadline_at, policy) = options;
        let tags = tag.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned()));
        CreateExecutionArgs {
            priority,
            input_payload: payload.to_vec(),
            namespace: Namespace::new(namespace),
            idempotency_key: key.map(str::to_owned),
            delay_until,
            tags: tags.collect::<HashMap<_, _>>(),
            execution_deadline_at,
            policy,
            now: CALLERS_NOW,
            ..plain_execution(id, lane)
        }
    });
    spoilt(args, 6, BAD_CREATIONS).prop_map(|args| Call::CreateExecution { args }).boxed()
}

/// Mostly the next execution that there is not yet.
fn new_execution(reference: &Reference) -> BoxedStrategy<ExecutionId> {
    let all = reference.universe.executions();
    let exists = |id: &&ExecutionId| reference.snapshot.execution(id).is_some();
    match all.iter().find(|id| !exists(id)) {
        Some(next) => prop_oneof![6 => Just(next.clone()), 1 => any_execution(reference)].boxed(),
        None => any_execution(reference),
    }
}

fn delay(now: TimestampMs) -> impl Strategy<Value = TimestampMs> + Clone {
    select(vec![500, 5_000, 1, 0, -1_000]).prop_map(move |by| TimestampMs(now.0 + by))
}

fn any_time(now: TimestampMs) -> impl Strategy<Value = TimestampMs> + Clone {
    select(vec![60_000, -60_000]).prop_map(move |by| TimestampMs(now.0 + by))
}

fn policy() -> impl Strategy<Value = ExecutionPolicy> + Clone {
    let required = subsequence(TOKENS.to_vec(), 0..=TOKENS.len());
    (
        weighted(0.9, retry_policy()),
        weighted(0.2, required),
        weighted(0.2, select(vec![0, 1, 1_000])),
        weighted(
            0.4,
            (select(vec![None, Some(500), Some(40_000)]), select(vec![None, Some(7_000)])),
        ),
        select(vec![10, 1, 0]),
    )
        .prop_map(|(retry_policy, required, dedup_window_ms, limits, max_replay_count)| {
            ExecutionPolicy {
                max_replay_count,
                retry_policy,
                dedup_window_ms,
                timeout_policy: limits.map(|(attempt, deadline)| TimeoutPolicy {
                    attempt_timeout_ms: attempt,
                    execution_deadline_ms: deadline,
                    ..TimeoutPolicy::default()
                }),
                routing_requirements: required.map(|tokens| RoutingRequirements {
                    required_capabilities: tokens.into_iter().map(str::to_owned).collect(),
                    ..RoutingRequirements::default()
                }),
                ..ExecutionPolicy::default()
            }
        })
}

fn retry_policy() -> impl Strategy<Value = RetryPolicy> + Clone {
    let fixed = select(vec![0, 0, 100]).prop_map(|delay_ms| BackoffStrategy::Fixed { delay_ms });
    let growing = (select(vec![2.0, 1.5, 0.5, 0.0]), select(vec![100, 7])).prop_map(
        |(multiplier, initial_delay_ms)| BackoffStrategy::Exponential {
            initial_delay_ms,
            max_delay_ms: 900,
            multiplier,
            jitter: false,
        },
    );
    (
        select(vec![8, 8, 1, 0]),
        prop_oneof![1 => fixed, 1 => growing],
        weighted(0.15, Just("transient".to_owned())),
    )
        .prop_map(|(max_retries, backoff, category)| RetryPolicy {
            max_retries,
            backoff,
            retryable_categories: category.into_iter().collect(),
        })
}

fn changed_policy(args: &mut CreateExecutionArgs, change: impl FnOnce(&mut ExecutionPolicy)) {
    change(args.policy.get_or_insert_default());
}

fn required(args: &mut CreateExecutionArgs, tokens: BTreeSet<String>) {
    changed_policy(args, |policy| {
        policy.routing_requirements = Some(RoutingRequirements {
            required_capabilities: tokens,
            ..RoutingRequirements::default()
        });
    });
}

/// Of all refusals the largest payload is drawn least often, the others alike.
const BAD_CREATIONS: &[fn(&mut CreateExecutionArgs)] = &[
    |args| args.lane_id = LaneId::new(""),
    |args| args.lane_id = LaneId::new("l".repeat(65)),
    |args| args.lane_id = LaneId::new("é"),
    |args| args.partition_id = args.partition_id.wrapping_add(1),
    |args| {
        args.execution_id = ExecutionId::from_parts(u16::MAX, args.execution_id.uuid());
        args.partition_id = u16::MAX;
    },
    |args| args.delay_until = Some(TimestampMs(0)),
    |args| args.delay_until = Some(TOO_LATE),
    |args| args.execution_deadline_at = Some(TimestampMs(-1)),
    |args| args.now = TOO_LATE,
    |args| drop(args.tags.insert("App.k".to_owned(), "v".to_owned())),
    |args| drop(args.tags.insert("app.k".to_owned(), NUL.to_owned())),
    |args| args.namespace = Namespace::new(""),
    |args| args.execution_kind.clear(),
    |args| args.execution_kind = NUL.to_owned(),
    |args| args.creator_identity = too_long(),
    |args| args.idempotency_key = Some(NUL.to_owned()),
    |args| args.payload_encoding = Some(NUL.to_owned()),
    |args| args.input_payload = vec![b'x'; TOO_LONG],
    |args| required(args, BTreeSet::from(["a,b".to_owned()])),
    |args| required(args, BTreeSet::from([String::new()])),
    |args| required(args, (0..257).map(|n| n.to_string()).collect()),
    |args| required(args, BTreeSet::from(["x".repeat(4_097)])),
    |args| {
        changed_policy(args, |policy| {
            policy.retry_policy = Some(RetryPolicy {
                backoff: BackoffStrategy::Exponential {
                    initial_delay_ms: 1,
                    max_delay_ms: 1,
                    multiplier: -0.5,
                    jitter: false,
                },
                ..RetryPolicy::default()
            });
        });
    },
    |args| changed_policy(args, |policy| policy.dedup_window_ms = Some(TOO_LARGE)),
    |args| {
        changed_policy(args, |policy| {
            policy.stream_policy = Some(StreamPolicy {
                durability_mode: "sometimes".to_owned(),
                retention_maxlen: 1,
                retention_ttl_ms: None,
            });
        });
    },
    |args| {
        changed_policy(args, |policy| {
            policy.suspension_policy = Some(SuspensionPolicy {
                default_timeout_ms: None,
                timeout_behavior: "shrug".to_owned(),
            });
        });
    },
];

/// Mostly a lease that is held, sometimes one that is over, another deployment's or a bad handle.
pub(super) fn lease(reference: &Reference) -> BoxedStrategy<Handle> {
    let symbol = |name: String| lease_of(&name, Disguise::Lease, HandleKind::Fresh);
    if reference.holders().is_empty() {
        return Just(symbol(ELSEWHERE.to_owned())).boxed();
    }
    let any = select(reference.holders());
    let some_of = |names: Vec<String>| match names {
        none if none.is_empty() => any.clone().boxed(),
        names => select(names).boxed(),
    };
    let live = some_of(reference.live_holders());
    let superseded = reference.superseded_holders();
    // There are few of them, and much that only they can show.
    let by_superseded = if superseded.is_empty() { 1 } else { 12 };
    let superseded = some_of(superseded);
    let set_aside = some_of(reference.set_aside_holders());
    let bad = select(vec![
        (Disguise::CutLease, HandleKind::Fresh),
        (Disguise::PaddedLease, HandleKind::Fresh),
        (Disguise::ForeignLease, HandleKind::Fresh),
        (Disguise::Lease, HandleKind::Suspended),
        (Disguise::Lease, HandleKind::Resumed),
        (Disguise::Lease, HandleKind::Reclaimed),
    ]);
    prop_oneof![
        14 => live.clone().prop_map(symbol),
        3 => any.prop_map(symbol),
        4 => set_aside.prop_map(symbol),
        by_superseded => superseded.prop_map(symbol),
        5 => (live, bad).prop_map(|(name, (disguise, kind))| lease_of(&name, disguise, kind)),
        1 => Just(symbol(ELSEWHERE.to_owned())),
    ]
    .boxed()
}

fn renew(reference: &Reference) -> BoxedStrategy<Call> {
    lease(reference).prop_map(|handle| Call::Renew { handle }).boxed()
}

fn progress(reference: &Reference) -> BoxedStrategy<Call> {
    let good = (
        weighted(0.7, select(vec![50, 0, 100])),
        weighted(0.5, select(vec!["half", ""]).prop_map(str::to_owned)),
    );
    let said = spoilt(
        good,
        6,
        &[
            |(percent, _)| *percent = Some(101),
            |(_, message)| *message = Some(NUL.to_owned()),
            |(_, message)| *message = Some(too_long()),
        ],
    );
    (lease(reference), said)
        .prop_map(|(handle, (percent, message))| Call::Progress { handle, percent, message })
        .boxed()
}

fn complete(reference: &Reference) -> BoxedStrategy<Call> {
    let good = weighted(0.7, select(vec![&b"done"[..], b""]).prop_map(<[u8]>::to_vec));
    let payload = spoilt(good, 12, &[|payload| *payload = Some(vec![b'x'; TOO_LONG])]);
    (lease(reference), payload)
        .prop_map(|(handle, payload)| Call::Complete { handle, payload })
        .boxed()
}

fn fail(reference: &Reference) -> BoxedStrategy<Call> {
    let good = (
        select(vec!["boom", ""]).prop_map(FailureReason::new),
        prop_oneof![
            6 => Just(FailureClass::Transient),
            1 => Just(FailureClass::Timeout),
            1 => Just(FailureClass::InfraCrash),
            1 => Just(FailureClass::Permanent),
            1 => Just(FailureClass::Cancelled),
        ],
    );
    let how = spoilt(
        good,
        12,
        &[
            |(reason, _)| reason.message = NUL.to_owned(),
            |(reason, _)| reason.message = too_long(),
            |(reason, _)| reason.detail = Some(vec![b'x'; TOO_LONG]),
            |(reason, _)| reason.detail = Some(vec![1]),
        ],
    );
    (lease(reference), how)
        .prop_map(|(handle, (reason, classification))| Call::Fail {
            handle,
            reason,
            classification,
        })
        .boxed()
}

fn cancel(reference: &Reference) -> BoxedStrategy<Call> {
    let good = select(vec!["why", ""]).prop_map(str::to_owned);
    let reason =
        spoilt(good, 6, &[|reason| *reason = NUL.to_owned(), |reason| *reason = too_long()]);
    (lease(reference), reason).prop_map(|(handle, reason)| Call::Cancel { handle, reason }).boxed()
}

fn delay_attempt(reference: &Reference) -> BoxedStrategy<Call> {
    let now = reference.now.0;
    let good = select(vec![1, 1_000, 0, -1]).prop_map(move |millis| TimestampMs(now + millis));
    let until = spoilt(good, 8, &[|until| *until = TimestampMs(0), |until| *until = TOO_LATE]);
    (lease(reference), until)
        .prop_map(|(handle, delay_until)| Call::Delay { handle, delay_until })
        .boxed()
}

fn set_tag(reference: &Reference) -> BoxedStrategy<Call> {
    (execution(reference), tag())
        .prop_map(|(execution_id, (key, value))| Call::SetExecutionTag { execution_id, key, value })
        .boxed()
}

/// Mostly of an execution that has ended.
fn replay(reference: &Reference) -> BoxedStrategy<Call> {
    let executions = reference.snapshot.executions();
    let ended = executions.filter(|known| known.is_terminal());
    let ended = ended.map(|known| known.id.clone()).collect();
    let good = mostly(reference, ended)
        .prop_map(|execution_id| ReplayExecutionArgs { execution_id, now: CALLERS_NOW });
    spoilt(good, 30, &[|args| args.now = TOO_LATE])
        .prop_map(|args| Call::ReplayExecution { args })
        .boxed()
}

/// By an authority, or by a worker that names no lease, a part of one, or one of its own making.
fn cancel_execution(reference: &Reference) -> BoxedStrategy<Call> {
    let sources = vec![
        CancelSource::OperatorOverride,
        CancelSource::OperatorOverride,
        CancelSource::FlowCascade,
        CancelSource::SystemTimeout,
        CancelSource::LeaseHolder,
        CancelSource::LeaseHolder,
        CancelSource::Custom("tool".to_owned()),
    ];
    let leased = reference.snapshot.executions().filter(|known| known.lease.is_some());
    let leased = leased.map(|known| known.id.clone()).collect();
    let ended = reference.snapshot.executions().filter(|known| known.is_terminal());
    let ended = ended.map(|known| known.id.clone()).collect();
    let target = prop_oneof![
        2 => mostly(reference, leased),
        1 => execution(reference),
        1 => mostly(reference, ended),
    ];
    let good = (target, select(sources), 0..4_u8).prop_map(|(execution_id, source, named)| {
        let made_up = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, b"made up");
        CancelExecutionArgs {
            execution_id,
            attempt_id: (named > 1).then(|| AttemptId::from_uuid(made_up)),
            lease_epoch: (named > 1).then_some(LeaseEpoch(1)),
            lease_id: (named > 0).then(|| LeaseId::from_uuid(made_up)),
            reason: "why".to_owned(),
            source,
            now: CALLERS_NOW,
        }
    });
    let bad: Ways<CancelExecutionArgs> = &[
        |args| args.now = TOO_LATE,
        |args| args.lease_epoch = Some(LeaseEpoch(TOO_LARGE)),
        |args| args.reason = NUL.to_owned(),
        |args| args.reason = too_long(),
    ];
    spoilt(good, 12, bad).prop_map(|args| Call::CancelExecution { args }).boxed()
}
