//! Calls that only look at executions and lanes.

use ff_core::call::{Call, Method};
use ff_core::partition::{Partition, PartitionFamily, PartitionKey};
use ff_core::types::{ExecutionId, LaneId};
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::arguments::{TOO_LARGE, Ways, any_execution, execution, spoilt, tag_key};
use super::offer::{Offer, offer};
use super::scheduling::placed;
use crate::play::generated::observed::page_of;
use crate::play::generated::reference::Reference;
use crate::stage::CORE_FIELDS;

pub(super) const OFFERS: &[Offer] = &[
    offer(Method::DescribeExecution, 2, |reference| {
        let id = execution(reference);
        id.prop_map(|id| Call::DescribeExecution { id }).boxed()
    }),
    offer(Method::ReadExecutionInfo, 1, |reference| {
        let id = execution(reference);
        id.prop_map(|id| Call::ReadExecutionInfo { id }).boxed()
    }),
    offer(Method::ReadExecutionState, 1, |reference| {
        let id = execution(reference);
        id.prop_map(|id| Call::ReadExecutionState { id }).boxed()
    }),
    offer(Method::GetExecutionResult, 1, |reference| {
        let id = execution(reference);
        id.prop_map(|id| Call::GetExecutionResult { id }).boxed()
    }),
    offer(Method::ReadExecutionContext, 2, |reference| {
        let id = execution(reference);
        id.prop_map(|execution_id| Call::ReadExecutionContext { execution_id }).boxed()
    }),
    offer(Method::GetExecutionNamespace, 1, |reference| {
        let id = execution(reference);
        id.prop_map(|execution_id| Call::GetExecutionNamespace { execution_id }).boxed()
    }),
    offer(Method::ReadCurrentAttemptIndex, 2, |reference| {
        let id = execution(reference);
        id.prop_map(|execution_id| Call::ReadCurrentAttemptIndex { execution_id }).boxed()
    }),
    offer(Method::ReadTotalAttemptCount, 2, |reference| {
        let id = execution(reference);
        id.prop_map(|execution_id| Call::ReadTotalAttemptCount { execution_id }).boxed()
    }),
    offer(Method::ReadExecCoreFields, 2, core_fields),
    offer(Method::GetExecutionTag, 2, get_tag),
    offer(Method::ListExecutions, 3, list_executions),
    offer(Method::ListLanes, 2, list_lanes),
];

fn core_fields(reference: &Reference) -> BoxedStrategy<Call> {
    let names = [&CORE_FIELDS[..], &["attempt_index", "cancel_reason", "no_such_field"]].concat();
    let bad: Ways<(Partition, ExecutionId)> = &[
        |(partition, _)| partition.index ^= 1,
        |(partition, _)| partition.family = PartitionFamily::Budget,
    ];
    let place = spoilt(placed(execution(reference)), 6, bad);
    (place, subsequence(names, 0..6))
        .prop_map(|((partition, execution_id), names)| Call::ReadExecCoreFields {
            partition,
            execution_id,
            fields: names.into_iter().map(str::to_owned).collect(),
        })
        .boxed()
}

fn get_tag(reference: &Reference) -> BoxedStrategy<Call> {
    (execution(reference), tag_key())
        .prop_map(|(execution_id, key)| Call::GetExecutionTag { execution_id, key })
        .boxed()
}

type Page = (PartitionKey, Option<ExecutionId>, usize);

fn list_executions(reference: &Reference) -> BoxedStrategy<Call> {
    let good = (any_execution(reference), any::<bool>(), select(vec![1_000, 1, 2, 0]))
        .prop_map(|(id, after, limit)| (page_of(id.partition()), after.then_some(id), limit));
    let bad: Ways<Page> = &[
        |(partition, ..)| *partition = PartitionKey::new("{fp:x}"),
        |(partition, ..)| *partition = PartitionKey::new("{b:0}"),
        |(.., limit)| *limit = usize::try_from(TOO_LARGE).unwrap_or(usize::MAX),
    ];
    spoilt(good, 6, bad)
        .prop_map(|(partition, cursor, limit)| Call::ListExecutions { partition, cursor, limit })
        .boxed()
}

fn list_lanes(reference: &Reference) -> BoxedStrategy<Call> {
    let good = (weighted(0.4, select(reference.universe.lanes())), select(vec![1_000, 1, 0]));
    let bad: Ways<(Option<LaneId>, usize)> =
        &[|(_, limit)| *limit = usize::try_from(TOO_LARGE).unwrap_or(usize::MAX)];
    spoilt(good, 8, bad).prop_map(|(cursor, limit)| Call::ListLanes { cursor, limit }).boxed()
}
