//! Leases that are taken from their holders, and executions that are taken over.

use ff_core::call::{Call, Method};
use ff_core::contracts::{IssueReclaimGrantArgs, ReclaimExecutionArgs, RevokeLeaseArgs};
use ff_core::types::{AttemptId, AttemptIndex, LaneId, LeaseId, WorkerId, WorkerInstanceId};
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::arguments::{NUL, TOO_LARGE, TOO_LATE, Ways, spoilt, too_long};
use super::executions::TOKENS;
use super::grants::{number, worker};
use super::offer::{Offer, is_left_behind, offer};
use super::scheduling::{execution_that, lane};
use crate::play::generated::names::Thing;
use crate::play::generated::reference::Reference;
use crate::stage::CALLERS_NOW;

pub(super) const OFFERS: &[Offer] = &[
    offer(Method::RevokeLease, 4, revoke).when(|now| !now.is_held, 25),
    offer(Method::IssueReclaimGrant, 6, grant).when(|now| now.is_left_behind, 200),
    offer(Method::ReclaimExecution, 8, reclaim).when(|now| !now.is_left_behind, 25),
];

fn revoke(reference: &Reference) -> BoxedStrategy<Call> {
    let held = execution_that(reference, |execution| execution.lease.is_some());
    let seen = reference.clone();
    let good = held.prop_flat_map(move |id| {
        let lease = seen.snapshot.execution(&id).and_then(|execution| execution.lease.as_ref());
        let holder = lease.map_or_else(String::new, |lease| lease.worker_instance.to_string());
        let instance = prop_oneof![4 => Just(String::new()), 2 => Just(holder), 1 => Just("nobody".to_owned())];
        let other = Thing::Edge.uuid(1).to_string();
        let expected = weighted(0.3, select(vec![String::new(), other, "nonsense".to_owned()]));
        (Just(id), instance, expected)
    });
    let good = good.prop_map(|(execution_id, instance, expected_lease_id)| RevokeLeaseArgs {
        execution_id,
        expected_lease_id,
        reason: "why".to_owned(),
        worker_instance_id: WorkerInstanceId::new(instance),
    });
    let bad: Ways<RevokeLeaseArgs> = &[
        |args| args.reason = NUL.to_owned(),
        |args| args.reason = too_long(),
        |args| args.expected_lease_id = Some(NUL.to_owned()),
        |args| args.worker_instance_id = WorkerInstanceId::new(NUL),
    ];
    spoilt(good, 12, bad).prop_map(|args| Call::RevokeLease { args }).boxed()
}

fn grant(reference: &Reference) -> BoxedStrategy<Call> {
    let seen = reference.clone();
    let laned = execution_that(reference, is_left_behind).prop_flat_map(move |id| {
        let lane = lane(&seen, &id);
        (Just(id), lane)
    });
    let offered = prop_oneof![
        4 => Just(TOKENS.to_vec()),
        1 => subsequence(TOKENS.to_vec(), 0..=TOKENS.len()),
    ];
    let good = (laned, worker(), offered, select(vec![60_000, 1_000, 1])).prop_map(
        |((id, lane), worker, offered, ttl)| {
            let offered = offered.into_iter().map(str::to_owned).collect();
            let instance = WorkerInstanceId::new("granted");
            IssueReclaimGrantArgs::new(
                id,
                worker,
                instance,
                lane,
                None,
                ttl,
                None,
                None,
                offered,
                CALLERS_NOW,
            )
        },
    );
    let bad: Ways<IssueReclaimGrantArgs> = &[
        |args| args.grant_ttl_ms = 0,
        |args| args.grant_ttl_ms = TOO_LARGE,
        |args| args.now = TOO_LATE,
        |args| args.worker_id = WorkerId::new(""),
        |args| args.lane_id = LaneId::new(""),
        |args| args.capability_hash = Some(NUL.to_owned()),
        |args| {
            args.worker_capabilities.insert("a b".to_owned());
        },
    ];
    spoilt(good, 15, bad).prop_map(|args| Call::IssueReclaimGrant { args }).boxed()
}

fn reclaim(reference: &Reference) -> BoxedStrategy<Call> {
    let instance = WorkerInstanceId::new(format!("w{}", reference.claims + 1));
    let seen = reference.clone();
    let laned = execution_that(reference, is_left_behind).prop_flat_map(move |id| {
        let lane = lane(&seen, &id);
        (Just(id), lane)
    });
    let ids = (number(reference), number(reference));
    let cap = weighted(0.3, select(vec![0, 1, 5]));
    let good = (laned, worker(), ids, select(vec![30_000, 1_000]), cap).prop_map(
        move |((id, lane), worker, (lease, attempt), ttl, cap)| {
            ReclaimExecutionArgs::new(
                id,
                worker,
                instance.clone(),
                lane,
                None,
                LeaseId::from_uuid(Thing::Lease.uuid(lease)),
                ttl,
                AttemptId::from_uuid(Thing::Attempt.uuid(attempt)),
                String::new(),
                cap,
                WorkerInstanceId::new("somebody"),
                AttemptIndex::new(9),
            )
        },
    );
    let bad: Ways<ReclaimExecutionArgs> = &[
        |args| args.lease_ttl_ms = 0,
        |args| args.lease_ttl_ms = TOO_LARGE,
        |args| args.worker_id = WorkerId::new(""),
        |args| args.worker_instance_id = WorkerInstanceId::new(""),
        |args| args.lane_id = LaneId::new(""),
        |args| "[]".clone_into(&mut args.attempt_policy_json),
        |args| args.old_worker_instance_id = WorkerInstanceId::new(NUL),
    ];
    spoilt(good, 15, bad).prop_map(|args| Call::ReclaimExecution { args }).boxed()
}
