//! What schedulers and scanners do: admission blocks, and limits of time.

use ff_core::call::{Call, Method};
use ff_core::contracts::{BlockExecutionForAdmissionArgs, BlockRouteArgs, BlockingReason};
use ff_core::engine_backend::ExpirePhase;
use ff_core::partition::{Partition, PartitionFamily};
use ff_core::types::{ExecutionId, LaneId, TimestampMs};
use ff_mock::{AttemptClock, Execution};
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

use super::arguments::{NUL, TOO_LATE, Ways, spoilt, too_long};
use super::offer::{Offer, is_blocked, offer};
use super::scheduling::{execution_that, lane, placed};
use crate::play::generated::reference::Reference;
use crate::stage::CALLERS_NOW;

pub(super) const OFFERS: &[Offer] = &[
    offer(Method::BlockExecutionForAdmission, 4, block),
    offer(Method::BlockRoute, 3, route),
    offer(Method::UnblockExecution, 5, unblock).when(|now| now.is_blocked, 300),
    offer(Method::ExpireExecution, 6, expire),
];

const REASONS: [BlockingReason; 3] = [
    BlockingReason::WaitingForBudget,
    BlockingReason::WaitingForQuota,
    BlockingReason::WaitingForCapableWorker,
];

/// Mostly one that waits or is blocked, with its partition and mostly its lane.
fn target(
    reference: &Reference,
) -> impl Strategy<Value = ((Partition, ExecutionId), LaneId)> + Clone + use<> {
    let waits = |execution: &Execution| execution.is_claimable() || is_blocked(execution);
    let seen = reference.clone();
    placed(execution_that(reference, waits)).prop_flat_map(move |(partition, id)| {
        let lane = lane(&seen, &id);
        (Just((partition, id)), lane).boxed()
    })
}

fn block(reference: &Reference) -> BoxedStrategy<Call> {
    let detail = weighted(0.5, select(vec!["spent", ""]).prop_map(str::to_owned));
    let good = (target(reference), select(REASONS.to_vec()), detail).prop_map(
        |(((partition, id), lane), reason, detail)| {
            BlockExecutionForAdmissionArgs::new(id, lane, partition, reason, detail, CALLERS_NOW)
        },
    );
    let bad: Ways<BlockExecutionForAdmissionArgs> = &[
        |args| args.partition.index ^= 1,
        |args| args.lane_id = LaneId::new(""),
        |args| args.reason_detail = Some(NUL.to_owned()),
        |args| args.reason_detail = Some(too_long()),
        |args| args.now = TOO_LATE,
    ];
    spoilt(good, 12, bad).prop_map(|args| Call::BlockExecutionForAdmission { args }).boxed()
}

fn route(reference: &Reference) -> BoxedStrategy<Call> {
    let detail = select(vec!["nobody", ""]).prop_map(str::to_owned);
    let good = (target(reference), detail).prop_map(|(((partition, id), lane), detail)| {
        let code = BlockingReason::WaitingForCapableWorker.reason_code().to_owned();
        BlockRouteArgs::new(id, lane, partition, code, detail, CALLERS_NOW)
    });
    let bad: Ways<BlockRouteArgs> = &[
        |args| args.partition.family = PartitionFamily::Budget,
        |args| args.lane_id = LaneId::new(""),
        |args| args.reason_detail = NUL.to_owned(),
        |args| args.reason_code = "waiting_for_budget".to_owned(),
        |args| args.now = TOO_LATE,
    ];
    spoilt(good, 10, bad).prop_map(|args| Call::BlockRoute { args }).boxed()
}

type Unblocking = ((Partition, ExecutionId), String, TimestampMs);

/// Mostly of what is blocked, mostly for the reason that it has.
fn unblock(reference: &Reference) -> BoxedStrategy<Call> {
    let seen = reference.clone();
    let one = placed(execution_that(reference, is_blocked));
    let good = one.prop_flat_map(move |(partition, id)| {
        let any = select(REASONS.map(|reason| reason.reason_code().to_owned()).to_vec());
        let reason = match seen.snapshot.execution(&id).filter(|known| is_blocked(known)) {
            Some(known) => {
                let own = known.blocking_reason.as_str().to_owned();
                prop_oneof![4 => Just(own), 1 => any].boxed()
            }
            None => any.boxed(),
        };
        (Just((partition, id)), reason, Just(CALLERS_NOW)).boxed()
    });
    let bad: Ways<Unblocking> = &[
        |((partition, _), ..)| partition.index ^= 1,
        |(_, reason, _)| "waiting_for_delay".clone_into(reason),
        |(_, reason, _)| NUL.clone_into(reason),
        |(.., now)| *now = TOO_LATE,
    ];
    let lanes = select(reference.universe.lanes());
    (spoilt(good, 8, bad), lanes)
        .prop_map(|(((partition, execution_id), expected, now_ms), lane_id)| {
            Call::UnblockExecution {
                partition,
                lane_id,
                execution_id,
                expected_blocking_reason: expected,
                now_ms,
            }
        })
        .boxed()
}

type Expiring = ((Partition, ExecutionId), ExpirePhase, TimestampMs);

/// Mostly of what has a limit.
fn expire(reference: &Reference) -> BoxedStrategy<Call> {
    let (now, phase) =
        (reference.now, select(vec![ExpirePhase::AttemptTimeout, ExpirePhase::ExecutionDeadline]));
    let is_over = move |execution: &Execution| {
        let attempt =
            matches!(execution.attempt_clock, Some(AttemptClock::Runs(until)) if until <= now);
        let deadline = execution.deadline_at.is_some_and(|deadline| deadline <= now);
        !execution.is_terminal() && (attempt || deadline)
    };
    let limited = |execution: &Execution| {
        execution.attempt_clock.is_some() || execution.deadline_at.is_some()
    };
    let one = prop_oneof![
        3 => execution_that(reference, is_over),
        2 => execution_that(reference, limited),
    ];
    let good = (placed(one.boxed()), phase, Just(CALLERS_NOW));
    let bad: Ways<Expiring> = &[
        |((partition, _), ..)| partition.index ^= 1,
        |((partition, _), ..)| partition.family = PartitionFamily::Quota,
        |(.., now)| *now = TOO_LATE,
    ];
    spoilt(good, 12, bad)
        .prop_map(|((partition, execution_id), phase, now_ms)| Call::ExpireExecution {
            partition,
            execution_id,
            phase,
            now_ms,
        })
        .boxed()
}
