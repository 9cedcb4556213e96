//! Deviants that break the chapter of events.

mod completions;
mod leases;
mod signals;
mod subscriptions;
mod tags;

use ff_core::Live;
use ff_core::call::{Call, Reply};
use ff_core::stream_events::Subscription;

use super::fault::{Fault, answer};
use crate::stage::Told;

/// What is done to every subscription.
trait Delivering: Send + Sync + 'static {
    fn change<T: Told>(&self, call: &Call, events: Subscription<T>) -> Subscription<T>;
}

fn delivering(how: impl Delivering) -> Fault {
    answer(move |call, answer| match answer {
        Ok(Reply::SubscribeLeaseHistory(live)) => *live = Live::new(how.change(call, live.take())),
        Ok(Reply::SubscribeCompletion(live)) => *live = Live::new(how.change(call, live.take())),
        Ok(Reply::SubscribeSignalDelivery(live)) => {
            *live = Live::new(how.change(call, live.take()));
        }
        Ok(Reply::SubscribeInstanceTags(live)) => *live = Live::new(how.change(call, live.take())),
        _ => {}
    })
}

/// Where the subscription begins; empty for now.
fn begins_with(call: &Call) -> &[u8] {
    match call {
        Call::SubscribeLeaseHistory { cursor, .. }
        | Call::SubscribeCompletion { cursor, .. }
        | Call::SubscribeSignalDelivery { cursor, .. }
        | Call::SubscribeInstanceTags { cursor } => cursor.as_bytes(),
        _ => &[],
    }
}
