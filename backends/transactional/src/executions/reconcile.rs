//! Comparing executions with their places in the indexes.

use ff_core::backend::ScannerFilter;
use uuid::Uuid;

use super::filter::passing;
use crate::engine::Rule;
use crate::page::{LOOKED_AT, Looked};
use crate::records::{Execution, Stored};
use crate::session::Session;
use crate::store::Tx;

/// Puts the next executions of a partition where the indexes should have them (SCH-020 to SCH-022).
pub(crate) async fn reconcile<T: Tx>(
    tx: &mut Session<T>,
    partition: u16,
    filter: &ScannerFilter,
    after: Option<Uuid>,
) -> Rule<Looked> {
    let page = Execution::KEY.of(&partition).after(after.as_ref()).limit(LOOKED_AT);
    let stored = tx.inspect(page).await?;
    let mut looked = Looked::at(&stored);
    let displaced = stored.iter().filter(|stored| !stored.is_in_place);
    let displaced = displaced.filter_map(|stored| Execution::of(stored.record.as_ref()?));
    let displaced = displaced.map(|execution| Execution::clone(execution)).collect();
    let displaced = passing(tx, filter, displaced).await?;
    let displaced = displaced.iter().map(|execution| Execution::at(&execution.id));
    for execution in tx.lock(displaced.collect::<Vec<_>>()).await?.into_iter().flatten() {
        tx.put(&execution);
        looked.processed.push(execution.id.uuid());
    }
    Ok(looked)
}
