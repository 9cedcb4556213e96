//! Removing executions that have ended.

use ff_core::backend::{Namespace, ScannerFilter};
use ff_core::call::{Call, Method};
use ff_core::partition::{Partition, PartitionFamily};
use ff_core::types::{LaneId, TimestampMs};
use ff_mock::Execution;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

use super::arguments::{NUL, TOO_LARGE, TOO_LATE, Ways, spoilt};
use super::offer::{Offer, offer};
use super::scheduling::{execution_that, lane, placed};
use crate::play::generated::reference::Reference;
use crate::stage::CALLERS_NOW;

pub(super) const OFFERS: &[Offer] = &[offer(Method::TrimRetention, 4, trim)];

type Trim = (Partition, LaneId, u64, TimestampMs, ScannerFilter);

/// What a scanner looks at: mostly everything.
pub(super) fn filter() -> BoxedStrategy<ScannerFilter> {
    let namespace = weighted(0.3, select(vec!["tenant", "other"]));
    let tag = weighted(0.1, select(vec![("app.key", "value"), ("app.key", "other")]));
    let filter = |(namespace, tag): (Option<&str>, Option<(&str, &str)>)| {
        let mut filter = ScannerFilter::new();
        filter.namespace = namespace.map(Namespace::new);
        filter.instance_tag = tag.map(|(key, value)| (key.to_owned(), value.to_owned()));
        filter
    };
    (namespace, tag).prop_map(filter).boxed()
}

/// Mostly where something has ended.
fn trim(reference: &Reference) -> BoxedStrategy<Call> {
    let ended = execution_that(reference, Execution::is_terminal);
    let seen = reference.clone();
    let place =
        placed(ended).prop_flat_map(move |(partition, id)| (Just(partition), lane(&seen, &id)));
    let retention = select(vec![0, 0, 1_000, 1 << 50]);
    let batch = select(vec![0, 1, 2, 100]);
    let good = (place, retention, filter()).prop_map(|((partition, lane), retention, filter)| {
        (partition, lane, retention, CALLERS_NOW, filter)
    });
    let bad: Ways<Trim> = &[
        |(partition, ..)| partition.index = u16::MAX,
        |(partition, ..)| partition.family = PartitionFamily::Quota,
        |(_, lane, ..)| *lane = LaneId::new(""),
        |(_, _, retention, ..)| *retention = TOO_LARGE,
        |(.., now, _)| *now = TOO_LATE,
        |(.., filter)| filter.namespace = Some(Namespace::new(NUL)),
    ];
    (spoilt(good, 8, bad), batch)
        .prop_map(|((partition, lane_id, retention_ms, now_ms, filter), batch_size)| {
            Call::TrimRetention { partition, lane_id, retention_ms, now_ms, batch_size, filter }
        })
        .boxed()
}
