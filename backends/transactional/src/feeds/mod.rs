//! Subscriptions: reading what is in the outboxes, and waiting for more.

mod bells;
mod cursor;
mod told;

pub use bells::Bells;

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;

use ff_core::Live;
use ff_core::backend::ScannerFilter;
use ff_core::call::{Call, Reply};
use ff_core::engine_error::{EngineError, ValidationKind};
use ff_core::stream_events::Subscription;
use ff_core::stream_subscribe::StreamCursor;
use futures_util::stream;
use uuid::Uuid;

use crate::records::{Event, Outbox};
use crate::store::StoreError;
use cursor::Position;
use told::Told;

/// How many events are read at once, and kept for a reader who does not take them.
const AT_ONCE: usize = 256;

/// A place in an outbox, in the storage's own terms.
pub type Place = Vec<u8>;

/// What was found in an outbox.
#[derive(Debug, Default)]
pub struct Events {
    /// Each event with the place behind it.
    pub found: Vec<(Place, Result<Event, StoreError>)>,
    /// The place behind all of them, and behind whatever else there is no need to look at again.
    pub end: Place,
}

/// A storage whose outboxes can be read.
pub trait Feed: Send + Sync + 'static {
    /// The events behind a place, in the order in which they committed as far as they are of one execution, at most so
    /// many; without a place none, but where the outbox ends now. What commits later is behind every place that was
    /// returned before.
    fn events(
        &self,
        outbox: Outbox,
        behind: Option<&Place>,
        limit: usize,
    ) -> impl Future<Output = Result<Events, StoreError>> + Send;
}

/// What every subscription of a backend needs.
pub struct Subscribing<F> {
    pub feed: Arc<F>,
    pub bells: Arc<Bells>,
    pub deployment: Uuid,
}

impl<F: Feed> Subscribing<F> {
    /// Opens the subscription that is asked for.
    pub async fn open(
        self,
        call: &Call,
        error_of: impl Fn(StoreError) -> EngineError,
    ) -> Result<Reply, EngineError> {
        let all = ScannerFilter::NOOP;
        let op = call.method().as_str();
        Ok(match call {
            Call::SubscribeLeaseHistory { cursor, filter } => Reply::SubscribeLeaseHistory(
                Live::new(self.subscription(op, cursor, filter, error_of).await?),
            ),
            Call::SubscribeCompletion { cursor, filter } => Reply::SubscribeCompletion(Live::new(
                self.subscription(op, cursor, filter, error_of).await?,
            )),
            Call::SubscribeSignalDelivery { cursor, filter } => Reply::SubscribeSignalDelivery(
                Live::new(self.subscription(op, cursor, filter, error_of).await?),
            ),
            Call::SubscribeInstanceTags { cursor } => Reply::SubscribeInstanceTags(Live::new(
                self.subscription(op, cursor, &all, error_of).await?,
            )),
            _ => return Err(EngineError::Unavailable { op }),
        })
    }

    async fn subscription<T: Told>(
        self,
        op: &'static str,
        cursor: &StreamCursor,
        filter: &ScannerFilter,
        error_of: impl Fn(StoreError) -> EngineError,
    ) -> Result<Subscription<T>, EngineError> {
        let Self { feed, bells, deployment } = self;
        let (outbox, place) = (T::OUTBOX, Position::open(cursor, T::OUTBOX, deployment)?);
        let place = match place {
            Some(place) => place,
            None => feed.events(outbox, None, 0).await.map_err(error_of)?.end,
        };
        let subscriber = Subscriber {
            feed,
            bells,
            deployment,
            op,
            filter: filter.clone(),
            place,
            found: VecDeque::new(),
            end: None,
            by_itself: false,
            is_over: false,
        };
        Ok(Box::pin(stream::unfold(subscriber, |mut subscriber| async {
            subscriber.next::<T>().await.map(|event| (event, subscriber))
        })))
    }
}

struct Subscriber<F> {
    feed: Arc<F>,
    bells: Arc<Bells>,
    deployment: Uuid,
    op: &'static str,
    filter: ScannerFilter,
    /// Behind all that was delivered or kept back.
    place: Place,
    found: VecDeque<(Place, Result<Event, StoreError>)>,
    /// The place behind all that was found.
    end: Option<Place>,
    /// It looks although it has heard nothing.
    by_itself: bool,
    is_over: bool,
}

impl<F: Feed> Subscriber<F> {
    /// What is delivered next, as soon as there is something.
    async fn next<T: Told>(&mut self) -> Option<Result<T, EngineError>> {
        loop {
            if self.is_over {
                return None;
            }
            while let Some((place, event)) = self.found.pop_front() {
                self.place = place;
                if let Some(told) = self.tell(event) {
                    return Some(told);
                }
            }
            if let Some(end) = self.end.take() {
                self.place = end;
            }
            // What commits from here on is heard.
            let heard = self.bells.listen(T::OUTBOX);
            if heard.is_over() {
                self.is_over = true;
                return Some(Err(EngineError::Unavailable { op: self.op }));
            }
            match self.feed.events(T::OUTBOX, Some(&self.place), AT_ONCE).await {
                Ok(Events { found, end }) => {
                    self.end = Some(end);
                    if found.is_empty() {
                        self.by_itself = heard.wait().await;
                    } else if std::mem::take(&mut self.by_itself) {
                        // The others have not heard of it either.
                        self.bells.ring(T::OUTBOX);
                    }
                    self.found.extend(found);
                }
                Err(StoreError::Conflict) => {}
                Err(_) => {
                    self.is_over = true;
                    return Some(Err(EngineError::StreamDisconnected {
                        cursor: self.cursor::<T>(),
                    }));
                }
            }
        }
    }

    fn tell<T: Told>(&self, event: Result<Event, StoreError>) -> Option<Result<T, EngineError>> {
        match event {
            Ok(event) => {
                let told = T::told(event, &self.filter, || self.cursor::<T>())?;
                Some(Ok(told))
            }
            Err(error) => {
                let detail = format!("an event: {error}");
                Some(Err(EngineError::validation(ValidationKind::Corruption, detail)))
            }
        }
    }

    fn cursor<T: Told>(&self) -> StreamCursor {
        Position { outbox: T::OUTBOX, deployment: self.deployment, place: &self.place }.seal()
    }
}
