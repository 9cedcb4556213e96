//! Deviants that break the clauses under "Leases".

use ff_core::call::Call;
use ff_core::stream_events::{LeaseHistoryEvent, Subscription};
use futures_util::StreamExt;

use crate::deviants::declare::deviant;
use crate::deviants::fault::{Fault, answer};
use ff_core::Live;
use ff_core::call::Reply;

/// Changes the events of the history of leases, or leaves them out.
fn leases(
    change: impl Fn(LeaseHistoryEvent) -> Option<LeaseHistoryEvent> + Copy + Send + Sync + 'static,
) -> Fault {
    answer(move |_: &Call, answer| {
        if let Ok(Reply::SubscribeLeaseHistory(live)) = answer {
            let events: Subscription<LeaseHistoryEvent> = live.take();
            let changed =
                events.filter_map(move |event| std::future::ready(event.map(change).transpose()));
            *live = Live::new(Box::pin(changed));
        }
    })
}

deviant!("renewals-do-not-count", EVT_014, "Has no event for a renewal." =>
leases(|event| match event {
    LeaseHistoryEvent::Renewed { .. } => None,
    other => Some(other),
}));

deviant!("takeovers-are-claims", EVT_014, "Tells of a takeover as of any other lease." =>
leases(|event| Some(match event {
    LeaseHistoryEvent::Reclaimed { cursor, execution_id, new_lease_id, new_owner, at } => {
        LeaseHistoryEvent::Acquired {
            cursor,
            execution_id,
            lease_id: new_lease_id,
            worker_instance_id: new_owner,
            at,
        }
    }
    other => other,
})));

deviant!("released-is-revoked", EVT_025, "Tells of a lease that is given up as of one that is taken." =>
leases(|event| Some(match event {
    LeaseHistoryEvent::Released { cursor, execution_id, lease_id, at, .. } => {
        let revoked_by = "backend".to_owned();
        LeaseHistoryEvent::Revoked { cursor, execution_id, lease_id, revoked_by, at }
    }
    other => other,
})));

deviant!("nameless-leases", EVT_015, "Does not say which lease has begun." =>
leases(|event| Some(match event {
    LeaseHistoryEvent::Acquired { cursor, execution_id, worker_instance_id, at, .. } => {
        let lease_id = None;
        LeaseHistoryEvent::Acquired { cursor, execution_id, lease_id, worker_instance_id, at }
    }
    other => other,
})));
