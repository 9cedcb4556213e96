//! Subscriptions, and what they deliver.

use std::collections::BTreeSet;

use ff_core::backend::ScannerFilter;
use ff_core::call::{Call, Method, Reply};
use ff_core::engine_error::EngineError;
use ff_core::stream_events::{
    CompletionEvent, InstanceTagEvent, LeaseHistoryEvent, SignalDeliveryEvent, Subscription,
};
use ff_core::stream_subscribe::StreamCursor;
use ff_core::types::ExecutionId;
use futures_util::StreamExt;

use super::failure::Failure;
use super::time::in_good_time;
use super::world::World;

/// How long an event is waited for, in seconds.
const PATIENCE: u32 = 20;

/// An event of a family that can be subscribed to.
pub(crate) trait Told: Clone + std::fmt::Debug + PartialEq + Send + Sized + 'static {
    const METHOD: Method;

    /// The subscription; families without a filter leave it out.
    fn subscribe(cursor: StreamCursor, filter: ScannerFilter) -> Call;

    fn opened(reply: Reply) -> Option<Subscription<Self>>;

    fn cursor(&self) -> &StreamCursor;

    fn execution(&self) -> &ExecutionId;
}

macro_rules! told {
    ($Event:ty, $Method:ident, { $($filter:ident)? }, $cursor:expr, $execution:expr) => {
        impl Told for $Event {
            const METHOD: Method = Method::$Method;

            fn subscribe(cursor: StreamCursor, _filter: ScannerFilter) -> Call {
                Call::$Method { cursor, $($filter: _filter)? }
            }

            fn opened(reply: Reply) -> Option<Subscription<Self>> {
                match reply {
                    Reply::$Method(live) => Some(live.take()),
                    _ => None,
                }
            }

            fn cursor(&self) -> &StreamCursor {
                let cursor: fn(&Self) -> &StreamCursor = $cursor;
                cursor(self)
            }

            fn execution(&self) -> &ExecutionId {
                let execution: fn(&Self) -> &ExecutionId = $execution;
                execution(self)
            }
        }
    };
}

told!(LeaseHistoryEvent, SubscribeLeaseHistory, { filter }, Self::cursor, Self::execution_id);
told!(CompletionEvent, SubscribeCompletion, { filter }, |event| &event.cursor, |event| &event
    .execution_id);
told!(SignalDeliveryEvent, SubscribeSignalDelivery, { filter }, |event| &event.cursor, |event| {
    &event.execution_id
});
told!(
    InstanceTagEvent,
    SubscribeInstanceTags,
    {},
    |event| match event {
        InstanceTagEvent::Attached { cursor, .. } | InstanceTagEvent::Cleared { cursor, .. } => {
            cursor
        }
        _ => unreachable!("there are two variants"),
    },
    |event| match event {
        InstanceTagEvent::Attached { execution_id, .. }
        | InstanceTagEvent::Cleared { execution_id, .. } => execution_id,
        _ => unreachable!("there are two variants"),
    }
);

/// A subscription of a case.
pub(crate) struct Following<T>(Subscription<T>);

impl<T: Told> Following<T> {
    /// The subscription that a reply opens.
    pub(crate) fn of(reply: Reply) -> Result<Self, EngineError> {
        let unavailable = EngineError::Unavailable { op: T::METHOD.as_str() };
        T::opened(reply).map(Self).ok_or(unavailable)
    }

    /// What comes next, or that it has ended.
    pub(crate) async fn item(&mut self) -> Result<Option<Result<T, EngineError>>, Failure> {
        let item = in_good_time(PATIENCE, self.0.next()).await;
        item.ok_or_else(|| Failure::new(format!("{} delivers nothing more", T::METHOD)))
    }

    /// The next event.
    pub(crate) async fn next(&mut self) -> Result<T, Failure> {
        match self.item().await? {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(error.into()),
            None => Err(Failure::new(format!("{} has ended", T::METHOD))),
        }
    }

    pub(crate) async fn take(&mut self, count: usize) -> Result<Vec<T>, Failure> {
        let mut events = Vec::new();
        for _ in 0..count {
            events.push(self.next().await?);
        }
        Ok(events)
    }

    /// Events until all of these executions have had one.
    pub(crate) async fn until(
        &mut self,
        executions: impl IntoIterator<Item = ExecutionId>,
    ) -> Result<Vec<T>, Failure> {
        let mut left: BTreeSet<ExecutionId> = executions.into_iter().collect();
        let mut events = Vec::new();
        while !left.is_empty() {
            let event = self.next().await?;
            left.remove(event.execution());
            events.push(event);
        }
        Ok(events)
    }
}

impl World {
    pub(crate) async fn subscribe<T: Told>(
        &self,
        cursor: StreamCursor,
        filter: ScannerFilter,
    ) -> Result<Following<T>, EngineError> {
        Following::of(T::subscribe(cursor, filter).send(&**self).await?)
    }

    /// From now on.
    pub(crate) async fn follow<T: Told>(&self) -> Result<Following<T>, EngineError> {
        self.subscribe(StreamCursor::empty(), ScannerFilter::NOOP).await
    }

    /// From where an event was delivered on.
    pub(crate) async fn follow_after<T: Told>(
        &self,
        event: &T,
    ) -> Result<Following<T>, EngineError> {
        self.subscribe(event.cursor().clone(), ScannerFilter::NOOP).await
    }
}
