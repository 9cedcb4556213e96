//! Tags of executions.

use std::collections::BTreeMap;

use ff_core::types::ExecutionId;

use super::found;
use crate::engine::Rule;
use crate::records::{Execution, Tags};
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
    execution.touch(tx.now().await?);
    tx.put(&execution);
    let mut tags = tags.unwrap_or_else(|| Tags { execution: id.clone(), tags: BTreeMap::new() });
    tags::set(&mut tags.tags, key, value)?;
    tx.put(&tags);
    Ok(())
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
