//! Deviants that break the clauses under "Lists".

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use ff_core::call::{Call, Reply};
use ff_core::contracts::FlowStatus;
use ff_core::partition::PartitionConfig;
use ff_core::types::FlowId;

use crate::deviants::declare::{deviant, reply, request};
use crate::deviants::fault::{Fault, around, lock};

deviant!("pages-by-number", FLW_034, "Takes a cursor for the number of flows before it." =>
    pages_by_number());

reply!("flow-always-active", FLW_017, "Lists cancelled flows as active.",
ListFlows(page) => for flow in &mut page.flows {
    flow.status = FlowStatus::Active;
});

reply!("flows-always-more", FLW_018, "Gives a cursor with every page.",
    ListFlows(page) => page.next_cursor = page.flows.last().map(|flow| flow.flow_id));

reply!("gaps-between-pages", FLW_018, "Leaves out the last flow of a page that another follows.",
    ListFlows(page) if page.next_cursor.is_some() => page.flows.pop());

reply!("cancelled-flows-unlisted", FLW_019, "Lists open flows only.",
    ListFlows(page) => page.flows.retain(|flow| flow.status == FlowStatus::Active));

request!("no-limit-of-flows", FLW_020, "Takes a limit of 0 for none.",
    ListFlows { limit, .. } if *limit == 0 => *limit = 1_000);

request!("cursor-from-anywhere", FLW_020, "Ignores a cursor that is of another partition.",
    ListFlows { cursor, partition, .. } if !lives_in(cursor.as_ref(), partition.as_str()) =>
        *cursor = None);

fn pages_by_number() -> Fault {
    let places: Arc<Mutex<HashMap<FlowId, usize>>> = Arc::default();
    around(move |subject, call| {
        let places = Arc::clone(&places);
        Box::pin(async move {
            let Call::ListFlows { partition, cursor, limit } = call else {
                return subject.ask(call).await;
            };
            let place = cursor.and_then(|cursor| lock(&places).get(&cursor).copied());
            let Some(place) = place.or_else(|| cursor.is_none().then_some(0)) else {
                let call = Call::ListFlows { partition, cursor, limit };
                return subject.ask(call).await;
            };
            let from_the_first =
                Call::ListFlows { partition, cursor: None, limit: limit.saturating_add(place) };
            let mut answer = subject.ask(from_the_first).await;
            if let Ok(Reply::ListFlows(page)) = &mut answer {
                page.flows.drain(..place.min(page.flows.len()));
                if let Some(next) = page.next_cursor {
                    lock(&places).insert(next, place + limit);
                }
            }
            answer
        })
    })
}

/// Whether the flow, if there is one, is in the partition of this key.
fn lives_in(flow: Option<&FlowId>, key: &str) -> bool {
    flow.is_none_or(|flow| {
        let home = ff_core::partition::flow_partition(flow, &PartitionConfig::default());
        key == home.hash_tag()
    })
}
