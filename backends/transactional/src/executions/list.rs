//! Listing executions and lanes, a page at a time.

use ff_core::contracts::{ListExecutionsPage, ListLanesPage};
use ff_core::engine_error::EngineError;
use ff_core::partition::PartitionKey;
use ff_core::types::{ExecutionId, LaneId};

use crate::engine::Rule;
use crate::store::Tx;

/// The longest page (EXE-034, EXE-036).
pub const MAX_PAGE: usize = 1_000;

pub(crate) async fn list<T: Tx>(
    tx: &mut T,
    key: &PartitionKey,
    cursor: Option<&ExecutionId>,
    limit: usize,
) -> Rule<ListExecutionsPage> {
    let partition = key
        .parse()
        .map_err(|error| EngineError::invalid_input(error.to_string()))?;
    let size = limit.min(MAX_PAGE);
    let found = tx
        .executions_after(partition.index, cursor, one_more(size))
        .await?;
    let (executions, next_cursor) = page(found, size);
    Ok(ListExecutionsPage::new(executions, next_cursor))
}

pub(crate) async fn list_lanes<T: Tx>(
    tx: &mut T,
    cursor: Option<&LaneId>,
    limit: usize,
) -> Rule<ListLanesPage> {
    let size = limit.min(MAX_PAGE);
    let found = tx.lanes_after(cursor, one_more(size)).await?;
    let (lanes, next_cursor) = page(found, size);
    Ok(ListLanesPage::new(lanes, next_cursor))
}

/// One entry beyond the page tells whether another page follows; an empty page asks for nothing.
fn one_more(size: usize) -> usize {
    if size == 0 { 0 } else { size + 1 }
}

fn page<I: Clone>(mut found: Vec<I>, size: usize) -> (Vec<I>, Option<I>) {
    let more = found.len() > size;
    found.truncate(size);
    let next = found.last().filter(|_| more).cloned();
    (found, next)
}
