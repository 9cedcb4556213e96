//! Tags of executions.

use ff_core::types::ExecutionId;

use super::existing;
use crate::engine::Rule;
use crate::store::Tx;

/// EXE-029.
pub(crate) async fn set_tag<T: Tx>(
    tx: &mut T,
    id: &ExecutionId,
    key: &str,
    value: &str,
) -> Rule<()> {
    let mut execution = existing(tx, id).await?;
    execution.touch(tx.now().await?);
    tx.update_execution(&execution).await?;
    Ok(tx.put_tag(id, key, value).await?)
}

/// EXE-030.
pub(crate) async fn get_tag<T: Tx>(
    tx: &mut T,
    id: &ExecutionId,
    key: &str,
) -> Rule<Option<String>> {
    Ok(tx.tags(id).await?.remove(key))
}
