//! Finding work for a worker.

use std::collections::BTreeSet;

use ff_core::call::{Call, Method};
use ff_core::contracts::{ClaimForWorkerArgs, ScanEligibleArgs};
use ff_core::partition::PartitionFamily;
use ff_core::types::{LaneId, WorkerId, WorkerInstanceId};
use ff_mock::Queues;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::arguments::{TOO_LARGE, Ways, any_execution, spoilt};
use super::executions::TOKENS;
use super::grants::worker;
use super::offer::{Offer, offer};
use super::scheduling::{lane_with_work, placed};
use crate::play::generated::reference::Reference;

pub(super) const OFFERS: &[Offer] =
    &[offer(Method::ClaimForWorker, 6, claim), offer(Method::ScanEligibleExecutions, 4, scan)];

fn claim(reference: &Reference) -> BoxedStrategy<Call> {
    let offered = prop_oneof![
        3 => Just(TOKENS.to_vec()),
        1 => subsequence(TOKENS.to_vec(), 0..=TOKENS.len()),
    ];
    let ttl = select(vec![60_000, 1_000, 1]);
    let lane = lane_with_work(reference, Queues::All);
    let good = (lane, worker(), offered, ttl).prop_map(|(lane, worker, offered, ttl)| {
        let offered: BTreeSet<String> = offered.into_iter().map(str::to_owned).collect();
        ClaimForWorkerArgs::new(lane, worker, WorkerInstanceId::new("granted"), offered, ttl)
    });
    let bad: Ways<ClaimForWorkerArgs> = &[
        |args| args.grant_ttl_ms = 0,
        |args| args.grant_ttl_ms = TOO_LARGE,
        |args| args.worker_id = WorkerId::new(""),
        |args| args.worker_instance_id = WorkerInstanceId::new(""),
        |args| args.lane_id = LaneId::new(""),
        |args| {
            args.worker_capabilities.insert("a b".to_owned());
        },
    ];
    spoilt(good, 12, bad).prop_map(|args| Call::ClaimForWorker { args }).boxed()
}

/// Where something is, or could be.
fn scan(reference: &Reference) -> BoxedStrategy<Call> {
    let place = placed(any_execution(reference).boxed());
    let lane = select(reference.universe.lanes());
    let good = (place, lane, select(vec![0, 1, 2, 20_000]))
        .prop_map(|((partition, _), lane, limit)| ScanEligibleArgs::new(lane, partition, limit));
    let bad: Ways<ScanEligibleArgs> = &[
        |args| args.partition.index = u16::MAX,
        |args| args.partition.family = PartitionFamily::Budget,
        |args| args.lane_id = LaneId::new(""),
    ];
    spoilt(good, 8, bad).prop_map(|args| Call::ScanEligibleExecutions { args }).boxed()
}
