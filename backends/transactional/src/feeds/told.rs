//! Events in the form in which subscribers get them.

use std::collections::BTreeMap;

use ff_core::backend::{Namespace, ScannerFilter};
use ff_core::stream_events::{
    CompletionEvent, CompletionOutcome, InstanceTagEvent, LeaseHistoryEvent, SignalDeliveryEffect,
    SignalDeliveryEvent,
};
use ff_core::stream_subscribe::StreamCursor;

use crate::records::{Event, LeaseEventKind, Outbox, TagEventKind};

/// A family of events.
pub(super) trait Told: Sized + Send + 'static {
    const OUTBOX: Outbox;

    /// The event, if it passes.
    fn told(
        event: Event,
        filter: &ScannerFilter,
        cursor: impl FnOnce() -> StreamCursor,
    ) -> Option<Self>;
}

/// EVT-010, EVT-011.
fn passes(filter: &ScannerFilter, namespace: &Namespace, tags: &BTreeMap<String, String>) -> bool {
    let is_named = filter.namespace.as_ref().is_none_or(|wanted| wanted == namespace);
    let tag = filter.instance_tag.as_ref();
    is_named && tag.is_none_or(|(key, value)| tags.get(key) == Some(value))
}

impl Told for CompletionEvent {
    const OUTBOX: Outbox = Outbox::CompletionRecord;

    fn told(
        event: Event,
        filter: &ScannerFilter,
        cursor: impl FnOnce() -> StreamCursor,
    ) -> Option<Self> {
        let Event::CompletionRecord(event) = event else { return None };
        let outcome = CompletionOutcome::from_wire(event.outcome.as_str());
        passes(filter, &event.namespace, &event.tags)
            .then(|| Self::new(cursor(), event.execution, outcome, event.at))
    }
}

impl Told for LeaseHistoryEvent {
    const OUTBOX: Outbox = Outbox::LeaseRecord;

    fn told(
        event: Event,
        filter: &ScannerFilter,
        cursor: impl FnOnce() -> StreamCursor,
    ) -> Option<Self> {
        let Event::LeaseRecord(event) = event else { return None };
        if !passes(filter, &event.namespace, &event.tags) {
            return None;
        }
        let (cursor, execution_id, at) = (cursor(), event.execution, event.at);
        let (lease_id, worker) = (event.lease, event.worker_instance);
        Some(match event.kind {
            LeaseEventKind::Acquired => {
                Self::Acquired { cursor, execution_id, lease_id, worker_instance_id: worker, at }
            }
            LeaseEventKind::Renewed => {
                Self::Renewed { cursor, execution_id, lease_id, worker_instance_id: worker, at }
            }
            LeaseEventKind::Expired => {
                Self::Expired { cursor, execution_id, lease_id, prev_owner: worker, at }
            }
            LeaseEventKind::Reclaimed => Self::Reclaimed {
                cursor,
                execution_id,
                new_lease_id: lease_id,
                new_owner: worker,
                at,
            },
            LeaseEventKind::Revoked => {
                let revoked_by = event.revoked_by.unwrap_or_default();
                Self::Revoked { cursor, execution_id, lease_id, revoked_by, at }
            }
            LeaseEventKind::Released => {
                Self::Released { cursor, execution_id, lease_id, prev_owner: worker, at }
            }
        })
    }
}

impl Told for SignalDeliveryEvent {
    const OUTBOX: Outbox = Outbox::SignalRecord;

    fn told(
        event: Event,
        filter: &ScannerFilter,
        cursor: impl FnOnce() -> StreamCursor,
    ) -> Option<Self> {
        let Event::SignalRecord(event) = event else { return None };
        if !passes(filter, &event.namespace, &event.tags) {
            return None;
        }
        // EVT-027.
        let effect = match event.effect.as_deref() {
            None => SignalDeliveryEffect::Deduped,
            Some("resume_condition_satisfied") => SignalDeliveryEffect::Satisfied,
            Some("buffered_for_pending_waitpoint") => SignalDeliveryEffect::Buffered,
            Some(other) => SignalDeliveryEffect::Other(other.to_owned()),
        };
        let source = Some(event.source_identity).filter(|source| !source.is_empty());
        let waitpoint = Some(event.waitpoint);
        let (execution, signal) = (event.execution, event.signal);
        Some(Self::new(cursor(), execution, signal, waitpoint, source, effect, event.at))
    }
}

impl Told for InstanceTagEvent {
    const OUTBOX: Outbox = Outbox::TagRecord;

    fn told(
        event: Event,
        _: &ScannerFilter,
        cursor: impl FnOnce() -> StreamCursor,
    ) -> Option<Self> {
        let Event::TagRecord(event) = event else { return None };
        let (cursor, execution_id, tag, at) = (cursor(), event.execution, event.tag, event.at);
        Some(match event.kind {
            TagEventKind::Attached => Self::Attached { cursor, execution_id, tag, at },
            TagEventKind::Cleared => Self::Cleared { cursor, execution_id, tag, at },
        })
    }
}
