//! The registry of workers.

use std::collections::BTreeSet;

use ff_core::backend::Namespace;
use ff_core::call::{Call, Method};
use ff_core::contracts::{
    HeartbeatWorkerArgs, ListWorkersArgs, MarkWorkerDeadArgs, RegisterWorkerArgs,
};
use ff_core::types::{WorkerId, WorkerInstanceId};
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::arguments::{NUL, TOO_LARGE, TOO_LATE, Ways, spoilt, too_long};
use super::executions::TOKENS;
use super::offer::{Offer, offer};
use crate::play::generated::reference::Reference;
use crate::stage::CALLERS_NOW;

pub(super) const OFFERS: &[Offer] = &[
    offer(Method::RegisterWorker, 4, register),
    offer(Method::HeartbeatWorker, 4, beat),
    offer(Method::MarkWorkerDead, 2, die),
    offer(Method::ListWorkers, 3, list),
];

/// Few enough that they meet.
fn named() -> impl Strategy<Value = (Namespace, WorkerInstanceId)> + Clone {
    (select(vec!["tenant", "other"]), select(vec!["one", "two", "3"])).prop_map(
        |(namespace, instance)| (Namespace::new(namespace), WorkerInstanceId::new(instance)),
    )
}

fn register(reference: &Reference) -> BoxedStrategy<Call> {
    let lanes = reference.universe.lanes();
    let lanes = subsequence(lanes.clone(), 1..=lanes.len());
    let offered = subsequence(TOKENS.to_vec(), 0..=TOKENS.len());
    let worker = select(vec!["worker", "worker", "worker", "another"]);
    let good = (named(), worker, lanes, offered, select(vec![60_000, 1_000, 1])).prop_map(
        |((namespace, instance), worker, lanes, offered, ttl)| {
            let (worker, lanes) = (WorkerId::new(worker), lanes.into_iter().collect());
            let offered = offered.into_iter().map(str::to_owned).collect();
            RegisterWorkerArgs::new(worker, instance, lanes, offered, ttl, namespace, CALLERS_NOW)
        },
    );
    let bad: Ways<RegisterWorkerArgs> = &[
        |args| args.lanes.clear(),
        |args| args.worker_id = WorkerId::new(""),
        |args| args.namespace = Namespace::new("n".repeat(1_025)),
        |args| args.liveness_ttl_ms = 0,
        |args| args.liveness_ttl_ms = TOO_LARGE,
        |args| args.capabilities = BTreeSet::from(["a b".to_owned()]),
        |args| args.now = TOO_LATE,
    ];
    spoilt(good, 10, bad).prop_map(|args| Call::RegisterWorker { args }).boxed()
}

fn beat(_: &Reference) -> BoxedStrategy<Call> {
    let good = named().prop_map(|(namespace, instance)| {
        HeartbeatWorkerArgs::new(instance, namespace, CALLERS_NOW)
    });
    let bad: Ways<HeartbeatWorkerArgs> = &[
        |args| args.worker_instance_id = WorkerInstanceId::new(""),
        |args| args.namespace = Namespace::new(NUL),
        |args| args.now = TOO_LATE,
    ];
    spoilt(good, 10, bad).prop_map(|args| Call::HeartbeatWorker { args }).boxed()
}

fn die(_: &Reference) -> BoxedStrategy<Call> {
    let good = named().prop_map(|(namespace, instance)| {
        MarkWorkerDeadArgs::new(instance, namespace, "why".to_owned(), CALLERS_NOW)
    });
    let bad: Ways<MarkWorkerDeadArgs> = &[
        |args| args.reason = NUL.to_owned(),
        |args| args.reason = too_long(),
        |args| args.namespace = Namespace::new(""),
        |args| args.now = TOO_LATE,
    ];
    spoilt(good, 8, bad).prop_map(|args| Call::MarkWorkerDead { args }).boxed()
}

fn list(_: &Reference) -> BoxedStrategy<Call> {
    let namespace = weighted(0.6, select(vec!["tenant", "other"]));
    let limit = weighted(0.5, select(vec![0, 1, 2]));
    let good = (namespace, any::<bool>(), limit).prop_map(|(namespace, goes_on, limit)| {
        let mut args = ListWorkersArgs::new();
        let cursor = if namespace.is_some() { "one" } else { "5:otherone" };
        args.namespace = namespace.map(Namespace::new);
        args.after = goes_on.then(|| WorkerInstanceId::new(cursor));
        args.limit = limit;
        args
    });
    let bad: Ways<ListWorkersArgs> = &[
        |args| args.namespace = Some(Namespace::new("")),
        |args| {
            args.namespace = None;
            args.after = Some(WorkerInstanceId::new("one"));
        },
        |args| args.after = Some(WorkerInstanceId::new(NUL)),
    ];
    spoilt(good, 8, bad).prop_map(|args| Call::ListWorkers { args }).boxed()
}
