//! Which executions a scanner's filter lets through.

use ff_core::backend::ScannerFilter;

use crate::engine::Rule;
use crate::records::{Execution, Tags};
use crate::session::Session;
use crate::store::Tx;

/// Those of its namespace that have exactly its value under its tag (OPS-026, SCH-022).
pub(super) async fn passing<T: Tx>(
    tx: &mut Session<T>,
    filter: &ScannerFilter,
    mut executions: Vec<Execution>,
) -> Rule<Vec<Execution>> {
    if let Some(namespace) = &filter.namespace {
        executions.retain(|execution| execution.namespace == *namespace);
    }
    if let Some((key, value)) = &filter.instance_tag {
        let tags = executions.iter().map(|execution| Tags::at(&execution.id)).collect::<Vec<_>>();
        let mut tags = tx.get(tags).await?.into_iter();
        executions.retain(|_| {
            let tags = tags.next().flatten();
            tags.is_some_and(|tags| tags.tags.get(key) == Some(value))
        });
    }
    Ok(executions)
}
