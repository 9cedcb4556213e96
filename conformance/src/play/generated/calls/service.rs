//! Calls under a lease that name it instead of showing its handle.

use ff_core::call::{Call, Method};
use ff_core::contracts::{CompleteExecutionArgs, FailExecutionArgs, RenewLeaseArgs};
use ff_core::types::{
    AttemptId, AttemptIndex, CancelSource, ExecutionId, LeaseEpoch, LeaseFence, LeaseId,
};
use ff_mock::Execution;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

use super::arguments::{
    NUL, TOO_LARGE, TOO_LATE, TOO_LONG, Ways, execution, mostly, spoilt, too_long,
};
use super::offer::{Offer, offer};
use crate::play::generated::names::{Thing, name_of};
use crate::play::generated::reference::Reference;
use crate::stage::CALLERS_NOW;

pub(super) const OFFERS: &[Offer] = &[
    offer(Method::RenewLease, 5, renew).when(|now| !now.is_held, 25),
    offer(Method::CompleteExecution, 5, complete).when(|now| !now.is_held, 25),
    offer(Method::FailExecution, 8, fail).when(|now| !now.is_held, 25),
];

/// What names a lease: its execution, its fence or none, and its attempt.
type Named = (ExecutionId, Option<LeaseFence>, AttemptIndex);

/// Mostly a lease that is held; its fence if its caller chose the ids, as nobody knows those that a backend has
/// minted; sometimes with a part of another.
fn named(reference: &Reference) -> BoxedStrategy<Named> {
    let is_chosen = |fence: &LeaseFence| {
        name_of(fence.lease_id.0).is_some() && name_of(fence.attempt_id.0).is_some()
    };
    let executions = || reference.snapshot.executions();
    let chosen = |known: &&Execution| known.fence().is_some_and(|fence| is_chosen(&fence));
    let chosen: Vec<_> = executions().filter(chosen).map(|known| known.id.clone()).collect();
    let held = executions().filter(|known| known.lease.is_some()).map(|known| known.id.clone());
    let target = prop_oneof![
        4 => mostly(reference, chosen),
        2 => mostly(reference, held.collect()),
        1 => execution(reference),
    ];
    let nobodys = LeaseFence {
        lease_id: LeaseId::from_uuid(Thing::Edge.uuid(1)),
        lease_epoch: LeaseEpoch::new(1),
        attempt_id: AttemptId::from_uuid(Thing::Edge.uuid(1)),
    };
    let of = reference.clone();
    let good = target.prop_flat_map(move |id| {
        let known = of.snapshot.execution(&id);
        let index = known.and_then(|known| known.attempt).map_or(0, |attempt| attempt.index.0);
        let fence = known.and_then(Execution::fence).filter(is_chosen);
        let fence = fence.unwrap_or_else(|| nobodys.clone());
        let fence = prop_oneof![4 => Just(Some(fence)), 1 => Just(None)];
        let index = prop_oneof![8 => Just(index), 1 => Just(index + 1)];
        (Just(id), fence, index.prop_map(AttemptIndex::new))
    });
    let bad: Ways<Named> = &[
        |(_, fence, _)| change(fence, |fence| fence.lease_epoch = fence.lease_epoch.next()),
        |(_, fence, _)| change(fence, |fence| fence.lease_epoch = LeaseEpoch::new(TOO_LARGE)),
        |(_, fence, _)| change(fence, |fence| fence.lease_id = LeaseId::from_uuid(other())),
        |(_, fence, _)| change(fence, |fence| fence.attempt_id = AttemptId::from_uuid(other())),
    ];
    spoilt(good, 6, bad)
}

fn other() -> uuid::Uuid {
    Thing::Edge.uuid(2)
}

fn change(fence: &mut Option<LeaseFence>, how: impl FnOnce(&mut LeaseFence)) {
    if let Some(fence) = fence {
        how(fence);
    }
}

fn source() -> impl Strategy<Value = CancelSource> + Clone {
    select(vec![
        CancelSource::LeaseHolder,
        CancelSource::OperatorOverride,
        CancelSource::OperatorOverride,
        CancelSource::SystemTimeout,
    ])
}

fn renew(reference: &Reference) -> BoxedStrategy<Call> {
    let good = (named(reference), select(vec![30_000, 1_000]), select(vec![0, 60_000])).prop_map(
        |((execution_id, fence, attempt_index), lease_ttl_ms, lease_history_grace_ms)| {
            RenewLeaseArgs {
                execution_id,
                attempt_index,
                fence,
                lease_history_grace_ms,
                lease_ttl_ms,
            }
        },
    );
    let bad: Ways<RenewLeaseArgs> = &[
        |args| args.lease_ttl_ms = 0,
        |args| args.lease_ttl_ms = TOO_LARGE,
        |args| args.lease_history_grace_ms = TOO_LARGE,
    ];
    spoilt(good, 12, bad).prop_map(|args| Call::RenewLease { args }).boxed()
}

fn complete(reference: &Reference) -> BoxedStrategy<Call> {
    let result = weighted(0.7, select(vec![&b"done"[..], b""]).prop_map(<[u8]>::to_vec));
    let encoding = weighted(0.2, Just("json".to_owned()));
    let good = (named(reference), result, encoding, source()).prop_map(
        |((execution_id, fence, attempt_index), result_payload, result_encoding, source)| {
            CompleteExecutionArgs {
                execution_id,
                attempt_index,
                fence,
                result_encoding,
                result_payload,
                source,
                now: CALLERS_NOW,
            }
        },
    );
    let bad: Ways<CompleteExecutionArgs> = &[
        |args| args.now = TOO_LATE,
        |args| args.result_payload = Some(vec![b'x'; TOO_LONG]),
        |args| args.result_encoding = Some(NUL.to_owned()),
        |args| args.source = CancelSource::Custom(NUL.to_owned()),
    ];
    spoilt(good, 12, bad).prop_map(|args| Call::CompleteExecution { args }).boxed()
}

fn fail(reference: &Reference) -> BoxedStrategy<Call> {
    let policies = select(vec![
        "",
        "",
        r#"{"max_retries":9,"backoff":{"type":"fixed","delay_ms":100}}"#,
        r#"{"max_retries":9,"backoff":{"type":"exponential","initial_delay_ms":7,"multiplier":1.5}}"#,
        r#"{"retryable_categories":["odd"]}"#,
        "{}",
    ]);
    let categories = select(vec!["transient", "odd", "permanent", "cancelled", ""]);
    let good = (named(reference), policies, categories, source()).prop_map(
        |((execution_id, fence, attempt_index), policy, category, source)| FailExecutionArgs {
            execution_id,
            attempt_index,
            failure_category: category.to_owned(),
            failure_reason: "boom".to_owned(),
            fence,
            next_attempt_policy_json: String::new(),
            retry_policy_json: policy.to_owned(),
            source,
        },
    );
    let bad: Ways<FailExecutionArgs> = &[
        |args| "[]".clone_into(&mut args.retry_policy_json),
        |args| r#"{"max_retries":-1}"#.clone_into(&mut args.retry_policy_json),
        |args| {
            let policy = r#"{"backoff":{"type":"exponential","multiplier":-1.0}}"#;
            policy.clone_into(&mut args.retry_policy_json);
        },
        |args| {
            let policy = r#"{"backoff":{"type":"fixed","delay_ms":9007199254740992}}"#;
            policy.clone_into(&mut args.retry_policy_json);
        },
        |args| args.next_attempt_policy_json = "not an object".to_owned(),
        |args| args.failure_reason = too_long(),
        |args| args.failure_category = NUL.to_owned(),
    ];
    spoilt(good, 8, bad).prop_map(|args| Call::FailExecution { args }).boxed()
}
