//! Claims, and the hooks that scanners call.

use ff_core::backend::{CapabilitySet, ClaimPolicy};
use ff_core::call::{Call, Method};
use ff_core::contracts::ChangePriorityArgs;
use ff_core::partition::{Partition, PartitionFamily};
use ff_core::state::{EligibilityState, OwnershipState};
use ff_core::types::{ExecutionId, LaneId, TimestampMs, WorkerId, WorkerInstanceId};
use ff_mock::{Execution, Queues};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::arguments::{TOO_LATE, Ways, mostly, spoilt};
use super::executions::TOKENS;
use super::offer::{Offer, offer};
use crate::play::generated::reference::Reference;
use crate::stage::CALLERS_NOW;

pub(super) const OFFERS: &[Offer] = &[
    offer(Method::Claim, 20, claim).when(|now| now.is_retry_waiting, 300),
    offer(Method::ChangePriority, 4, change_priority),
    offer(Method::PromoteDelayed, 12, promote).when(|now| now.is_due, 300),
    offer(Method::MarkLeaseExpiredIfDue, 6, mark),
];

type Claim = (LaneId, CapabilitySet, ClaimPolicy);

/// Each claim is made under an instance name of its own, so that a lease tells whose it is.
fn claim(reference: &Reference) -> BoxedStrategy<Call> {
    let instance = format!("w{}", reference.claims + 1);
    let offered = subsequence(TOKENS.to_vec(), 0..=TOKENS.len());
    let offered = prop_oneof![3 => Just(TOKENS.to_vec()), 1 => offered];
    let lane = lane_with_work(reference, Queues::Fresh);
    let good = (lane, offered, select(vec![30_000, 20_000, 1_000])).prop_map(
        move |(lane, tokens, ttl)| {
            let instance = WorkerInstanceId::new(&instance);
            let policy = ClaimPolicy::new(WorkerId::new("worker"), instance, ttl, None);
            (lane, CapabilitySet::new(tokens), policy)
        },
    );
    let bad: Ways<Claim> = &[
        |(lane, ..)| *lane = LaneId::new(""),
        |(_, offered, _)| offered.tokens.push("a b".to_owned()),
        |(_, offered, _)| offered.tokens.push("x".repeat(4_097)),
        |(.., policy)| policy.lease_ttl_ms = 0,
        |(.., policy)| policy.worker_id = WorkerId::new(""),
        |(.., policy)| policy.worker_instance_id = WorkerInstanceId::new(""),
    ];
    spoilt(good, 15, bad)
        .prop_map(|(lane, capabilities, policy)| Call::Claim { lane, capabilities, policy })
        .boxed()
}

/// The execution's own lane, or any.
pub(super) fn lane(reference: &Reference, id: &ExecutionId) -> BoxedStrategy<LaneId> {
    let any = select(reference.universe.lanes());
    match reference.snapshot.execution(id) {
        Some(execution) => prop_oneof![8 => Just(execution.lane.clone()), 1 => any].boxed(),
        None => any.boxed(),
    }
}

/// Mostly a lane where a call that looks into these queues finds work.
pub(super) fn lane_with_work(reference: &Reference, queues: Queues) -> BoxedStrategy<LaneId> {
    let lanes = reference.universe.lanes();
    let all = TOKENS.iter().map(|token| (*token).to_owned()).collect();
    let found = |lane| reference.snapshot.claimable(queues, lane, &all, reference.now);
    let busy: Vec<LaneId> = lanes.iter().filter(|lane| !found(lane).is_empty()).cloned().collect();
    match busy {
        none if none.is_empty() => select(lanes).boxed(),
        busy => prop_oneof![4 => select(busy), 1 => select(lanes)].boxed(),
    }
}

/// Mostly an execution to which this applies.
pub(super) fn execution_that(
    reference: &Reference,
    applies: impl Fn(&Execution) -> bool,
) -> BoxedStrategy<ExecutionId> {
    let likely = reference.snapshot.executions().filter(|e| applies(e));
    mostly(reference, likely.map(|e| e.id.clone()).collect())
}

/// An execution with the partition that it is in.
pub(super) fn placed(
    execution: BoxedStrategy<ExecutionId>,
) -> impl Strategy<Value = (Partition, ExecutionId)> + Clone {
    let families = [PartitionFamily::Execution, PartitionFamily::Flow];
    let family = select(families.to_vec());
    (family, execution).prop_map(|(family, id)| {
        let index = id.partition();
        (Partition { family, index }, id)
    })
}

fn promote(reference: &Reference) -> BoxedStrategy<Call> {
    let delayed =
        |execution: &Execution| execution.eligibility == EligibilityState::NotEligibleUntilTime;
    let is_due = |execution: &Execution| {
        delayed(execution) && execution.delay_until.is_none_or(|until| until <= reference.now)
    };
    let one = prop_oneof![
        3 => execution_that(reference, is_due),
        1 => execution_that(reference, delayed),
    ];
    let good = (placed(one.boxed()), select(reference.universe.lanes()), Just(CALLERS_NOW));
    let bad: Ways<((Partition, ExecutionId), LaneId, TimestampMs)> = &[
        |((partition, _), ..)| partition.index ^= 1,
        |((partition, _), ..)| partition.family = PartitionFamily::Budget,
        |(.., now)| *now = TOO_LATE,
    ];
    spoilt(good, 12, bad)
        .prop_map(|((partition, execution_id), lane, now_ms)| Call::PromoteDelayed {
            partition,
            lane,
            execution_id,
            now_ms,
        })
        .boxed()
}

/// Mostly of what waits, of its own lane or of none.
fn change_priority(reference: &Reference) -> BoxedStrategy<Call> {
    let seen = reference.clone();
    let one = execution_that(reference, |execution| {
        execution.eligibility == EligibilityState::EligibleNow
    });
    let laned = one.prop_flat_map(move |id| {
        let lane = prop_oneof![3 => lane(&seen, &id), 1 => Just(LaneId::new(""))];
        (Just(id), lane)
    });
    let priorities = select(vec![0, 3, 9_000, -7, 9_999]);
    let good = (laned, priorities).prop_map(|((execution_id, lane_id), new_priority)| {
        ChangePriorityArgs { execution_id, lane_id, new_priority, now: CALLERS_NOW }
    });
    let bad: Ways<ChangePriorityArgs> =
        &[|args| args.now = TOO_LATE, |args| args.lane_id = LaneId::new("a\nb")];
    spoilt(good, 12, bad).prop_map(|args| Call::ChangePriority { args }).boxed()
}

fn mark(reference: &Reference) -> BoxedStrategy<Call> {
    let leased =
        execution_that(reference, |execution| execution.ownership == OwnershipState::Leased);
    let bad: Ways<(Partition, ExecutionId)> = &[
        |(partition, _)| partition.index ^= 1,
        |(partition, _)| partition.family = PartitionFamily::Quota,
    ];
    spoilt(placed(leased), 12, bad)
        .prop_map(|(partition, execution_id)| Call::MarkLeaseExpiredIfDue {
            partition,
            execution_id,
        })
        .boxed()
}
