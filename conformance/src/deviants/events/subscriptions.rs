//! Deviants that break the clauses under "Subscriptions".

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ff_core::Live;
use ff_core::backend::ScannerFilter;
use ff_core::call::{Call, Method, Reply};
use ff_core::engine_error::EngineError;
use ff_core::partition::PartitionConfig;
use ff_core::stream_events::Subscription;
use ff_core::stream_subscribe::StreamCursor;
use futures_util::StreamExt;

use super::{Delivering, begins_with, delivering};
use crate::deviants::declare::{around, deviant, request};
use crate::stage::Told;

/// Leaves out the first events, where the subscription begins or goes on.
struct Skips {
    now: usize,
    later: usize,
}

impl Delivering for Skips {
    fn change<T: Told>(&self, call: &Call, events: Subscription<T>) -> Subscription<T> {
        let is_now = begins_with(call).is_empty();
        Box::pin(events.skip(if is_now { self.now } else { self.later }))
    }
}

deviant!("misses-the-first", EVT_003, "Misses the first event." =>
    delivering(Skips { now: 1, later: 0 }));

deviant!("goes-on-too-late", EVT_006, "Goes on behind the next event." =>
    delivering(Skips { now: 0, later: 1 }));

deviant!("loses-its-place", EVT_012, "Begins anew one event later." =>
    delivering(Skips { now: 0, later: 1 }));

/// Leaves out the events of the last partition.
struct NotTheLast;

impl Delivering for NotTheLast {
    fn change<T: Told>(&self, _: &Call, events: Subscription<T>) -> Subscription<T> {
        let last = PartitionConfig::default().num_flow_partitions - 1;
        Box::pin(events.filter(move |event| {
            let is_last = event.as_ref().is_ok_and(|event| event.execution().partition() == last);
            std::future::ready(!is_last)
        }))
    }
}

deviant!("one-partition-less", EVT_002, "Leaves out the last partition." => delivering(NotTheLast));

around!(
    "events-from-elsewhere",
    EVT_002,
    "Delivers an event that nobody knows of.",
    |subject, call| {
        let answer = subject.ask(call.clone()).await?;
        Ok(match (begins_with(&call), answer) {
            ([], Reply::SubscribeCompletion(live)) => {
                let id = ff_core::types::ExecutionId::from_parts(1, uuid::Uuid::new_v4());
                let (cursor, now) = (StreamCursor::new(vec![1]), subject.clock.now());
                let outcome = ff_core::stream_events::CompletionOutcome::Success;
                let event = ff_core::stream_events::CompletionEvent::new(cursor, id, outcome, now);
                let first = futures_util::stream::once(std::future::ready(Ok(event)));
                Reply::SubscribeCompletion(Live::new(Box::pin(first.chain(live.take()))))
            }
            (_, answer) => answer,
        })
    }
);

/// Delivers everything twice.
struct Twice;

impl Delivering for Twice {
    fn change<T: Told>(&self, _: &Call, events: Subscription<T>) -> Subscription<T> {
        Box::pin(events.flat_map(|event| futures_util::stream::iter([event.clone(), event])))
    }
}

deviant!("everything-twice", EVT_007, "Delivers every event twice." => delivering(Twice));

/// Leaves out one event in so many.
struct OneIn(usize);

impl Delivering for OneIn {
    fn change<T: Told>(&self, _: &Call, events: Subscription<T>) -> Subscription<T> {
        let one_in = self.0;
        let counted = events
            .enumerate()
            .filter(move |(number, _)| std::future::ready(number % one_in != one_in - 1));
        Box::pin(counted.map(|(_, event)| event))
    }
}

deviant!("one-in-fifty", EVT_008, "Misses one event in fifty." => delivering(OneIn(50)));

deviant!("full-buffers", EVT_013, "Misses what comes after a thousand events." => delivering(OneIn(1_000)));

around!(
    "refusals-have-events",
    EVT_009,
    "Begins a lease where a renewal is refused.",
    |subject, call| {
        let is_renewal = call.method() == Method::Renew;
        let answer = subject.ask(call).await;
        if is_renewal && answer.is_err() {
            let id = ff_core::types::ExecutionId::from_parts(1, uuid::Uuid::new_v4());
            let lane = ff_core::types::LaneId::new("deviant");
            let args = crate::stage::plain_execution(id.clone(), lane.clone());
            subject.ask(Call::CreateExecution { args }).await?;
            let args = ff_core::contracts::IssueGrantAndClaimArgs::new(id, lane, 1_000);
            subject.ask(Call::IssueGrantAndClaim { args }).await?;
        }
        answer
    }
);

/// The same subscription from now on.
fn anew(mut call: Call) -> Call {
    match &mut call {
        Call::SubscribeLeaseHistory { cursor, .. }
        | Call::SubscribeCompletion { cursor, .. }
        | Call::SubscribeSignalDelivery { cursor, .. }
        | Call::SubscribeInstanceTags { cursor } => *cursor = StreamCursor::empty(),
        _ => {}
    }
    call
}

around!("any-place-to-begin", EVT_005, "Begins now where a cursor is none.", |subject, call| {
    let begins = !begins_with(&call).is_empty();
    match subject.ask(call.clone()).await {
        Err(EngineError::Validation { .. }) if begins => subject.ask(anew(call)).await,
        answer => answer,
    }
});

request!("no-filter-for-ends", EVT_010, "Delivers ends whatever the filter says.",
    SubscribeCompletion { filter, .. } if filter.instance_tag.as_ref().is_none_or(|(key, _)| key.contains('.')) =>
        *filter = ScannerFilter::NOOP);

around!("first-tags-stay", EVT_011, "Keeps the first value of a tag.", |subject, call| {
    if let Call::SetExecutionTag { execution_id, key, .. } = &call {
        let known = Call::GetExecutionTag { execution_id: execution_id.clone(), key: key.clone() };
        if let Ok(Reply::GetExecutionTag(Some(_))) = subject.ask(known).await {
            return Ok(Reply::SetExecutionTag(()));
        }
    }
    subject.ask(call).await
});

around!("any-filter", EVT_024, "Takes a filter that is none for no filter.", |subject, call| {
    let filters = matches!(
        call,
        Call::SubscribeLeaseHistory { .. }
            | Call::SubscribeCompletion { .. }
            | Call::SubscribeSignalDelivery { .. }
    );
    let mut again = call.clone();
    match subject.ask(call).await {
        Err(EngineError::Validation { .. }) if filters => {
            if let Call::SubscribeLeaseHistory { filter, .. }
            | Call::SubscribeCompletion { filter, .. }
            | Call::SubscribeSignalDelivery { filter, .. } = &mut again
            {
                *filter = ScannerFilter::NOOP;
            }
            subject.ask(again).await
        }
        answer => answer,
    }
});

/// Leaves out the first event for all but one.
struct OnlyOne(AtomicUsize);

impl Delivering for OnlyOne {
    fn change<T: Told>(&self, _: &Call, events: Subscription<T>) -> Subscription<T> {
        let others = self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(events.skip(others.min(1)))
    }
}

deviant!("one-subscriber", EVT_021, "Delivers the first event to the first subscriber." =>
    delivering(OnlyOne(AtomicUsize::new(0))));

/// Waits before each event.
struct Late;

impl Delivering for Late {
    fn change<T: Told>(&self, _: &Call, events: Subscription<T>) -> Subscription<T> {
        Box::pin(events.then(|event| async move {
            tokio::time::sleep(Duration::from_secs(8)).await;
            event
        }))
    }
}

deviant!("late-events", EVT_023, "Delivers events after eight seconds." => delivering(Late));
