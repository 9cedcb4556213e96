//! Calls that list page by page.

use ff_core::call::{Call, Method};
use ff_core::partition::flow_partition;
use proptest::prelude::*;
use proptest::sample::select;

use super::arguments::{TOO_LARGE, Ways, any_execution, spoilt};
use super::flows::any_flow;
use super::offer::{Offer, offer};
use crate::play::generated::observed::page_of;
use crate::play::listing::page_call;

pub(super) const OFFERS: &[Offer] = &[
    offer(Method::ListExecutions, 3, |reference| {
        let ids = any_execution(reference);
        pages(Method::ListExecutions, ids.prop_map(|id| (id.partition(), id.to_string())))
    }),
    offer(Method::ListLanes, 2, |reference| {
        let lanes = select(reference.universe.lanes());
        pages(Method::ListLanes, lanes.prop_map(|lane| (0, lane.to_string())))
    }),
    offer(Method::ListFlows, 3, |reference| {
        let partitions = reference.universe.partitions;
        let place = move |id| (flow_partition(&id, &partitions).index, id.to_string());
        pages(Method::ListFlows, any_flow(reference).prop_map(place))
    }),
];

/// The arguments of a page: the partition's key, the cursor and the limit.
type Page = (String, Option<String>, usize);

/// Pages of a list, from its beginning or from something that is listed or could be.
pub(super) fn pages(
    method: Method,
    listed: impl Strategy<Value = (u16, String)> + Clone + 'static,
) -> BoxedStrategy<Call> {
    let good = (listed, any::<bool>(), select(vec![1_000, 1, 2, 0])).prop_map(
        |((partition, id), after, limit)| {
            (page_of(partition).as_str().to_owned(), after.then_some(id), limit)
        },
    );
    let bad: Ways<Page> = &[
        |(key, ..)| *key = "{fp:x}".to_owned(),
        |(key, ..)| *key = "{b:0}".to_owned(),
        |(.., limit)| *limit = usize::try_from(TOO_LARGE).unwrap_or(usize::MAX),
    ];
    spoilt(good, 6, bad)
        .prop_filter_map("a list has a partition, a cursor and a limit", move |page| {
            let (key, cursor, limit) = page;
            page_call(method, &key, cursor.as_deref(), limit)
        })
        .boxed()
}
