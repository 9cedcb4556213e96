//! Comparing executions with their places in the indexes.

use ff_core::backend::ScannerFilter;
use ff_core::engine_backend::ReconcileCounts;
use ff_core::partition::Partition;
use uuid::Uuid;

use super::filter::passing;
use crate::engine::Rule;
use crate::records::{Execution, Part, Stored};
use crate::session::Session;
use crate::store::Tx;

/// How many executions one transaction looks at.
const MOST: usize = 128;

/// What was seen of a partition.
pub(crate) struct Looked {
    pub(crate) counts: ReconcileCounts,
    /// The last that was looked at, unless it was the last of all.
    pub(crate) last: Option<Uuid>,
}

/// Puts the next executions of a partition where the indexes should have them (SCH-020 to SCH-022).
pub(crate) async fn reconcile<T: Tx>(
    tx: &mut Session<T>,
    partition: Partition,
    filter: &ScannerFilter,
    after: Option<Uuid>,
) -> Rule<Looked> {
    let page = Execution::KEY.of(&partition.index).after(after.as_ref()).limit(MOST);
    let stored = tx.inspect(page).await?;
    let is_last = stored.len() < MOST;
    let last = match stored.last().and_then(|stored| stored.key.parts.last()) {
        Some(Part::Uuid(id)) if !is_last => Some(*id),
        _ => None,
    };
    let mut counts = ReconcileCounts::default();
    let mut displaced = Vec::new();
    for stored in stored {
        match &stored.record {
            None => counts.errors += 1,
            Some(record) if !stored.is_in_place => {
                displaced.extend(Execution::of(record).map(|execution| (**execution).clone()));
            }
            Some(_) => {}
        }
    }
    let displaced = passing(tx, filter, displaced).await?;
    let displaced = displaced.iter().map(|execution| Execution::at(&execution.id));
    for execution in tx.lock(displaced.collect::<Vec<_>>()).await?.into_iter().flatten() {
        tx.put(&execution);
        counts.processed += 1;
    }
    Ok(Looked { counts, last })
}
