//! Word of new work from other instances of the deployment.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use ferriskey::value::ProtocolVersion;
use ferriskey::{ClientBuilder, PushInfo, PushKind, Value};
use ff_core::types::LaneId;
use ff_transactional::{Bells, WaitingClaims};
use tokio::sync::mpsc::unbounded_channel;

use crate::claims::Claims;
use crate::events;

/// How long a connection that could not be had is left alone.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// A connection of its own that listens, from the first claim on that waits.
pub(crate) struct Hints {
    /// None, if the server is not known by its address.
    url: Option<String>,
    listens: AtomicBool,
}

impl Hints {
    pub(crate) fn from(url: Option<String>) -> Self {
        Self { url, listens: AtomicBool::new(false) }
    }

    /// Subscribes to the channel of `announce` in `lua/partition.lua`, once. Without it, claims that
    /// wait look by themselves.
    pub(crate) fn listen(
        &self,
        prefix: &str,
        claims: &Arc<Claims>,
        waiting: &Arc<WaitingClaims>,
        bells: &Arc<Bells>,
    ) {
        let Some(url) = &self.url else {
            return;
        };
        if self.listens.swap(true, Ordering::SeqCst) {
            return;
        }
        let (url, channels) =
            (url.clone(), ["work", "events"].map(|name| format!("{prefix}{name}")));
        let told = (Arc::downgrade(claims), Arc::downgrade(waiting), Arc::downgrade(bells));
        tokio::spawn(async move {
            while told.0.strong_count() > 0 {
                // That there is no connection is no harm.
                let _ = hear(&url, &channels, &told).await;
                tokio::time::sleep(TRY_AGAIN).await;
            }
        });
    }
}

/// Passes on what is published, until the backend is gone. The client connects anew by itself.
async fn hear(
    url: &str,
    channels: &[String],
    (claims, waiting, bells): &(Weak<Claims>, Weak<WaitingClaims>, Weak<Bells>),
) -> ferriskey::Result<()> {
    let (pushed, mut pushes) = unbounded_channel();
    let builder = ClientBuilder::new().url(url)?.protocol(ProtocolVersion::RESP3);
    let client = builder.push_sender(pushed).build().await?;
    for channel in channels {
        client.cmd("SUBSCRIBE").arg(channel).execute::<()>().await?;
    }
    loop {
        // Looks now and then whether there is still somebody to tell.
        let push = tokio::time::timeout(TRY_AGAIN, pushes.recv()).await;
        let told = (claims.upgrade(), waiting.upgrade(), bells.upgrade());
        let (Some(claims), Some(waiting), Some(bells)) = told else {
            return Ok(());
        };
        let push = match push {
            Ok(Some(push)) => push,
            Ok(None) => return Ok(()),
            Err(_) => continue,
        };
        if let Some(outbox) = message_of(&push).and_then(events::named) {
            bells.ring(outbox);
        } else if let Some((partition, lane)) = message_of(&push).and_then(work_of) {
            claims.remember(&lane, partition);
            waiting.wake(&lane);
        }
    }
}

/// What was published.
fn message_of(push: &PushInfo) -> Option<&str> {
    let (PushKind::Message, Some(Value::BulkString(message))) = (&push.kind, push.data.last())
    else {
        return None;
    };
    std::str::from_utf8(message).ok()
}

/// The partition and the lane that a message tells of; an outbox has no number before its name.
fn work_of(message: &str) -> Option<(u16, LaneId)> {
    let (partition, lane) = message.split_once(' ')?;
    Some((partition.parse().ok()?, LaneId::new(lane)))
}
