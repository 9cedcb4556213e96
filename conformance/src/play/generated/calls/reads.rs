//! Calls that only look at executions and lanes.

use ff_core::call::{Call, Method};
use ff_core::partition::{Partition, PartitionFamily};
use ff_core::types::ExecutionId;
use proptest::prelude::*;
use proptest::sample::subsequence;

use super::arguments::{Ways, execution, spoilt, tag_key};
use super::offer::{Offer, offer};
use super::scheduling::placed;
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
