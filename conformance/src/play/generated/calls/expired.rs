//! Lists of leases that have run out.

use ff_core::backend::Namespace;
use ff_core::call::{Call, Method};
use ff_core::contracts::{ExpiredLeasesCursor, ListExpiredLeasesArgs};
use ff_core::types::TimestampMs;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

use super::arguments::{NUL, TOO_LATE, Ways, any_execution, spoilt};
use super::offer::{Offer, offer};
use crate::play::generated::reference::Reference;

pub(super) const OFFERS: &[Offer] = &[offer(Method::ListExpiredLeases, 4, list)];

/// As of now or later, from the beginning or from anything.
fn list(reference: &Reference) -> BoxedStrategy<Call> {
    let now = reference.now.0;
    let time = move || select(vec![0, 0, 1_000, 30_000]).prop_map(move |by| TimestampMs(now + by));
    let after = weighted(0.3, (time(), any_execution(reference)));
    let namespace = weighted(0.3, select(vec!["tenant", "other"]));
    let limit = weighted(0.5, select(vec![0, 1, 2, 20_000]));
    let hint = weighted(0.2, select(vec![1, 9]));
    let good = (time(), after, namespace, limit, hint).prop_map(
        |(as_of, after, namespace, limit, hint)| {
            let mut args = ListExpiredLeasesArgs::new(as_of);
            args.after = after.map(|(at, id)| ExpiredLeasesCursor::new(at, id));
            args.namespace = namespace.map(Namespace::new);
            args.limit = limit;
            args.max_partitions_per_call = hint;
            args
        },
    );
    let bad: Ways<ListExpiredLeasesArgs> = &[
        |args| args.as_of = TOO_LATE,
        |args| args.max_partitions_per_call = Some(0),
        |args| args.namespace = Some(Namespace::new(NUL)),
    ];
    spoilt(good, 8, bad).prop_map(|args| Call::ListExpiredLeases { args }).boxed()
}
