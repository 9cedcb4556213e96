//! Deviants that break the clauses under "Signals".

use ff_core::Live;
use ff_core::call::{Call, Reply};
use ff_core::stream_events::{SignalDeliveryEffect, SignalDeliveryEvent};
use futures_util::StreamExt;

use crate::deviants::declare::deviant;
use crate::deviants::fault::{Fault, answer};

/// Changes the events of deliveries, or leaves them out.
fn deliveries(change: fn(SignalDeliveryEvent) -> Option<SignalDeliveryEvent>) -> Fault {
    answer(move |_: &Call, answer| {
        if let Ok(Reply::SubscribeSignalDelivery(live)) = answer {
            let changed = live
                .take()
                .filter_map(move |event| std::future::ready(event.map(change).transpose()));
            *live = Live::new(Box::pin(changed));
        }
    })
}

deviant!("duplicates-do-not-count", EVT_016, "Has no event for a duplicate." =>
    deliveries(|event| Some(event).filter(|event| event.effect != SignalDeliveryEffect::Deduped)));

deviant!("everything-satisfies", EVT_027, "Tells of every delivery that it satisfies." =>
deliveries(|mut event| {
    event.effect = SignalDeliveryEffect::Satisfied;
    Some(event)
}));
