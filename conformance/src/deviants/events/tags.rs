//! Deviants that break the clauses under "Tags".

use ff_core::Live;
use ff_core::call::{Call, Reply};
use ff_core::stream_events::InstanceTagEvent;
use futures_util::StreamExt;

use crate::deviants::declare::deviant;
use crate::deviants::fault::{Fault, answer};

/// Changes the events of tags, or leaves them out.
fn tags(change: fn(InstanceTagEvent) -> Option<InstanceTagEvent>) -> Fault {
    answer(move |_: &Call, answer| {
        if let Ok(Reply::SubscribeInstanceTags(live)) = answer {
            let changed = live
                .take()
                .filter_map(move |event| std::future::ready(event.map(change).transpose()));
            *live = Live::new(Box::pin(changed));
        }
    })
}

deviant!("nothing-is-cleared", EVT_019, "Has no event for a value that is replaced." =>
tags(|event| match event {
    InstanceTagEvent::Cleared { .. } => None,
    other => Some(other),
}));

deviant!("keys-only", EVT_020, "Tells the key of a tag." =>
tags(|mut event| {
    if let InstanceTagEvent::Attached { tag, .. } | InstanceTagEvent::Cleared { tag, .. } = &mut event
        && let Some((key, _)) = tag.split_once('=')
    {
        *tag = key.to_owned();
    }
    Some(event)
}));
