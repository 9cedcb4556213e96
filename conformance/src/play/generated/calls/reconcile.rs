//! Putting executions back where the indexes should have them; nothing has taken them from there.

use ff_core::backend::{Namespace, ScannerFilter};
use ff_core::call::{Call, Method};
use ff_core::partition::{Partition, PartitionFamily};
use ff_core::types::LaneId;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::arguments::{NUL, Ways, any_execution, spoilt};
use super::offer::{Offer, offer};
use super::retention::filter;
use super::scheduling::placed;
use crate::play::generated::reference::Reference;

pub(super) const OFFERS: &[Offer] = &[offer(Method::ReconcileExecutionIndex, 2, reconcile)];

type Reconcile = (Partition, Vec<LaneId>, ScannerFilter);

fn reconcile(reference: &Reference) -> BoxedStrategy<Call> {
    let place = placed(any_execution(reference).boxed());
    let lanes = vec(select(reference.universe.lanes()), 0..3);
    let good = (place, lanes, filter())
        .prop_map(|((partition, _), lanes, filter)| (partition, lanes, filter));
    let bad: Ways<Reconcile> = &[
        |(partition, ..)| partition.index = u16::MAX,
        |(partition, ..)| partition.family = PartitionFamily::Quota,
        |(_, lanes, _)| lanes.push(LaneId::new("")),
        |(.., filter)| filter.namespace = Some(Namespace::new(NUL)),
    ];
    spoilt(good, 8, bad)
        .prop_map(|(partition, lanes, filter)| Call::ReconcileExecutionIndex {
            partition,
            lanes,
            filter,
        })
        .boxed()
}
