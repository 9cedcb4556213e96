//! Tags of executions.

use std::collections::BTreeMap;

use ff_core::types::{ExecutionId, TimestampMs};

use super::found;
use crate::engine::Rule;
use crate::records::{Execution, TagEventKind, TagRecord, Tags};
use crate::session::Session;
use crate::store::Tx;
use crate::tags;

/// EXE-029.
pub(crate) async fn set_tag<T: Tx>(
    tx: &mut Session<T>,
    id: &ExecutionId,
    key: &str,
    value: &str,
) -> Rule<()> {
    let (execution, tags) = tx.lock((Execution::at(id), Tags::at(id))).await?;
    let mut execution = found(execution)?;
    let now = tx.now().await?;
    execution.touch(now);
    tx.put(&execution);
    let mut tags = tags.unwrap_or_else(|| Tags { execution: id.clone(), tags: BTreeMap::new() });
    let before = tags.tags.get(key).cloned();
    tags::set(&mut tags.tags, key, value)?;
    tx.put(&tags);
    if before.as_deref() != Some(value) {
        let cleared = before.map(|before| (TagEventKind::Cleared, before));
        let events = cleared.into_iter().chain([(TagEventKind::Attached, value.to_owned())]);
        for (kind, value) in events {
            tell(tx, id, kind, (key, &value), now);
        }
    }
    Ok(())
}

/// Tells the outbox what happened to a tag (EVT-019, EVT-020).
pub(super) fn tell<T: Tx>(
    tx: &mut Session<T>,
    id: &ExecutionId,
    kind: TagEventKind,
    (key, value): (&str, &str),
    at: TimestampMs,
) {
    tx.append(TagRecord { execution: id.clone(), kind, tag: format!("{key}={value}"), at });
}

/// EXE-030.
pub(crate) async fn get_tag<T: Tx>(
    tx: &mut Session<T>,
    id: &ExecutionId,
    key: &str,
) -> Rule<Option<String>> {
    let found = tx.get(Tags::at(id)).await?;
    Ok(found.and_then(|mut found| found.tags.remove(key)))
}
