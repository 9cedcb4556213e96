//! Grants, and attempts that go on by one.

use std::collections::BTreeSet;

use ff_core::backend::ResumeToken;
use ff_core::call::{Call, Method};
use ff_core::contracts::{
    ClaimExecutionArgs, ClaimResumedExecutionArgs, IssueClaimGrantArgs, IssueGrantAndClaimArgs,
    ResumeGrant,
};
use ff_core::partition::{PartitionFamily, PartitionKey};
use ff_core::types::{
    AttemptId, AttemptIndex, ExecutionId, LaneId, LeaseId, WorkerId, WorkerInstanceId,
};
use ff_mock::Execution;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::arguments::{NUL, TOO_LARGE, TOO_LATE, Ways, spoilt};
use super::executions::TOKENS;
use super::offer::{Offer, is_resumable, offer};
use super::scheduling::{execution_that, lane, placed};
use crate::play::generated::names::Thing;
use crate::play::generated::reference::Reference;
use crate::stage::CALLERS_NOW;

pub(super) const OFFERS: &[Offer] = &[
    offer(Method::IssueClaimGrant, 6, grant).when(|now| now.is_resumable, 200),
    offer(Method::ClaimExecution, 10, redeem).when(|now| !now.is_granted, 25),
    offer(Method::IssueGrantAndClaim, 4, by_operator).when(|now| now.is_resumable, 200),
    offer(Method::ClaimResumedExecution, 8, claim).when(|now| !now.is_resumable, 25),
    offer(Method::ClaimFromResumeGrant, 6, claim_by_token).when(|now| !now.is_resumable, 25),
];

/// Two, so that many ask by the grant of another.
pub(super) fn worker() -> impl Strategy<Value = WorkerId> + Clone {
    select(vec!["worker", "worker", "worker", "other"]).prop_map(WorkerId::new)
}

fn grant(reference: &Reference) -> BoxedStrategy<Call> {
    let waits = |execution: &Execution| execution.is_claimable() || is_resumable(execution);
    let seen = reference.clone();
    let laned = placed(execution_that(reference, waits)).prop_flat_map(move |(partition, id)| {
        let lane = lane(&seen, &id);
        (Just((partition, id)), lane)
    });
    let offered = prop_oneof![
        4 => Just(TOKENS.to_vec()),
        1 => subsequence(TOKENS.to_vec(), 0..=TOKENS.len()),
    ];
    let ttl = select(vec![60_000, 1_000, 1]);
    let good = (laned, worker(), offered, ttl).prop_map(
        |(((partition, id), lane), worker, offered, ttl)| {
            let offered: BTreeSet<String> = offered.into_iter().map(str::to_owned).collect();
            let instance = WorkerInstanceId::new("granted");
            IssueClaimGrantArgs::new(
                id,
                lane,
                worker,
                instance,
                partition,
                offered,
                ttl,
                CALLERS_NOW,
            )
        },
    );
    let bad: Ways<IssueClaimGrantArgs> = &[
        |args| args.partition.index ^= 1,
        |args| args.partition.family = PartitionFamily::Budget,
        |args| args.grant_ttl_ms = 0,
        |args| args.grant_ttl_ms = TOO_LARGE,
        |args| args.now = TOO_LATE,
        |args| args.worker_id = WorkerId::new(""),
        |args| args.admission_summary = Some(NUL.to_owned()),
        |args| {
            args.worker_capabilities.insert("a b".to_owned());
        },
    ];
    spoilt(good, 15, bad).prop_map(|args| Call::IssueClaimGrant { args }).boxed()
}

/// A number for the ids of the next claim, sometimes one that was used.
pub(super) fn number(reference: &Reference) -> BoxedStrategy<usize> {
    let next = 1 + reference.claims % 60;
    prop_oneof![
        6 => Just(next),
        1 => select((1..=60).collect::<Vec<usize>>()),
        1 => select((1..=next).collect::<Vec<usize>>()),
    ]
    .boxed()
}

/// What waits for a new attempt under a grant, mostly, with its lane and the attempts so far.
fn redeem(reference: &Reference) -> BoxedStrategy<Call> {
    let instance = WorkerInstanceId::new(format!("w{}", reference.claims + 1));
    let seen = reference.clone();
    let granted = execution_that(reference, |execution| execution.reservation().is_some());
    let target = granted.prop_flat_map(move |id| {
        let total = seen.snapshot.execution(&id).map_or(0, |execution| execution.total_attempts);
        let expected = prop_oneof![8 => Just(total), 1 => Just(total + 1)];
        let lane = lane(&seen, &id);
        (Just(id), lane, expected.prop_map(AttemptIndex::new))
    });
    let (ids, ttl) = ((number(reference), number(reference)), select(vec![30_000, 1_000]));
    let limits = (weighted(0.2, select(vec![1, 5_000])), weighted(0.2, select(vec![1, 1 << 50])));
    let good = (target, worker(), ids, ttl, limits).prop_map(
        move |((id, lane, expected), worker, (lease, attempt), ttl, (timeout, deadline))| {
            ClaimExecutionArgs::new(
                id,
                worker,
                instance.clone(),
                lane,
                LeaseId::from_uuid(Thing::Lease.uuid(lease)),
                ttl,
                AttemptId::from_uuid(Thing::Attempt.uuid(attempt)),
                expected,
                String::new(),
                timeout,
                deadline,
                CALLERS_NOW,
            )
        },
    );
    let bad: Ways<ClaimExecutionArgs> = &[
        |args| args.lease_ttl_ms = 0,
        |args| args.lease_ttl_ms = TOO_LARGE,
        |args| args.attempt_timeout_ms = Some(0),
        |args| args.execution_deadline_at = Some(0),
        |args| "7".clone_into(&mut args.attempt_policy_json),
        |args| args.worker_id = WorkerId::new(""),
        |args| args.lane_id = LaneId::new(""),
        |args| args.now = TOO_LATE,
    ];
    spoilt(good, 12, bad).prop_map(|args| Call::ClaimExecution { args }).boxed()
}

fn by_operator(reference: &Reference) -> BoxedStrategy<Call> {
    let seen = reference.clone();
    let waits = |execution: &Execution| execution.is_claimable() || is_resumable(execution);
    let target = execution_that(reference, waits).prop_flat_map(move |id| {
        let lane = lane(&seen, &id);
        (Just(id), lane)
    });
    let good = (target, select(vec![30_000, 1_000]))
        .prop_map(|((id, lane), ttl)| IssueGrantAndClaimArgs::new(id, lane, ttl));
    let bad: Ways<IssueGrantAndClaimArgs> = &[
        |args| args.lease_duration_ms = 0,
        |args| args.lease_duration_ms = TOO_LARGE,
        |args| args.lane_id = LaneId::new(""),
    ];
    spoilt(good, 12, bad).prop_map(|args| Call::IssueGrantAndClaim { args }).boxed()
}

/// One that can go on, with its attempt and its lane, mostly.
fn resumable(
    reference: &Reference,
) -> impl Strategy<Value = (ExecutionId, AttemptIndex, LaneId)> + Clone + use<> {
    let seen = reference.clone();
    execution_that(reference, is_resumable).prop_flat_map(move |id| {
        let attempt = seen.snapshot.execution(&id).and_then(|execution| execution.attempt);
        let index = attempt.map_or(AttemptIndex::new(0), |attempt| attempt.index);
        let other = AttemptIndex::new(index.0 + 1);
        let index = prop_oneof![8 => Just(index), 1 => Just(other)];
        let lane = lane(&seen, &id);
        (Just(id), index, lane).boxed()
    })
}

fn claim(reference: &Reference) -> BoxedStrategy<Call> {
    let instance = WorkerInstanceId::new(format!("w{}", reference.claims + 1));
    let lease = number(reference);
    let left = weighted(0.3, select(vec![1, 60_000]));
    let good = (resumable(reference), worker(), lease, select(vec![30_000, 1_000]), left).prop_map(
        move |((execution_id, current_attempt_index, lane_id), worker_id, lease, ttl, left)| {
            ClaimResumedExecutionArgs {
                execution_id,
                current_attempt_index,
                lane_id,
                lease_id: LeaseId::from_uuid(Thing::Lease.uuid(lease)),
                lease_ttl_ms: ttl,
                remaining_attempt_timeout_ms: left,
                worker_id,
                worker_instance_id: instance.clone(),
                now: CALLERS_NOW,
            }
        },
    );
    let bad: Ways<ClaimResumedExecutionArgs> = &[
        |args| args.lease_ttl_ms = 0,
        |args| args.lease_ttl_ms = TOO_LARGE,
        |args| args.remaining_attempt_timeout_ms = Some(0),
        |args| args.worker_id = WorkerId::new(""),
        |args| args.worker_instance_id = WorkerInstanceId::new(""),
        |args| args.lane_id = LaneId::new(""),
        |args| args.now = TOO_LATE,
    ];
    spoilt(good, 15, bad).prop_map(|args| Call::ClaimResumedExecution { args }).boxed()
}

fn claim_by_token(reference: &Reference) -> BoxedStrategy<Call> {
    let instance = WorkerInstanceId::new(format!("w{}", reference.claims + 1));
    let until = select(vec![0, 1 << 50]);
    let good = (resumable(reference), worker(), select(vec![30_000, 1_000]), until).prop_map(
        move |((id, _, lane), worker, ttl, until)| {
            let (family, index) = (PartitionFamily::Flow, id.partition());
            let key = PartitionKey::from(&ff_core::partition::Partition { family, index });
            let grant = ResumeGrant::new(id, key, "grant".to_owned(), until, lane);
            ResumeToken::new(grant, worker, instance.clone(), ttl)
        },
    );
    let bad: Ways<ResumeToken> = &[
        |token| token.lease_ttl_ms = 0,
        |token| token.grant.expires_at_ms = TOO_LARGE,
        |token| token.grant.partition_key = PartitionKey::new("nowhere"),
        |token| token.grant.grant_key = NUL.to_owned(),
        |token| token.worker_id = WorkerId::new(""),
        |token| token.worker_instance_id = WorkerInstanceId::new(""),
        |token| token.grant.lane_id = LaneId::new(""),
    ];
    spoilt(good, 15, bad).prop_map(|token| Call::ClaimFromResumeGrant { token }).boxed()
}
