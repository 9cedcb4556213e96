//! Subscriptions inside replies.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_core::Stream;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::engine_error::EngineError;
use crate::stream_events::Subscription;

/// An open subscription on its way to whoever asked for it. Clones share the one stream; a
/// recorded reply keeps only that there was one.
pub struct Live<T>(Arc<Mutex<Option<Subscription<T>>>>);

impl<T: Send + 'static> Live<T> {
    pub fn new(stream: Subscription<T>) -> Self {
        Self(Arc::new(Mutex::new(Some(stream))))
    }

    /// A subscription that delivers these events and ends.
    pub fn of(events: Vec<Result<T, EngineError>>) -> Self {
        Self::new(Box::pin(Listed(events.into_iter())))
    }

    /// The stream; one that has ended if it was taken before or only recorded.
    pub fn take(&self) -> Subscription<T> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        taken.unwrap_or_else(|| Box::pin(Listed(Vec::new().into_iter())))
    }
}

struct Listed<T>(std::vec::IntoIter<Result<T, EngineError>>);

impl<T> Unpin for Listed<T> {}

impl<T> Stream for Listed<T> {
    type Item = Result<T, EngineError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.next())
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Live<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Live(..)")
    }
}

/// One subscription equals another: streams have no value to compare.
impl<T> PartialEq for Live<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Serialize for Live<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl<'de, T> Deserialize<'de> for Live<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <()>::deserialize(deserializer).map(|()| Self(Arc::default()))
    }
}
