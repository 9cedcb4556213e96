//! Listing executions and lanes, a page at a time.

use ff_core::contracts::{ListExecutionsPage, ListLanesPage};
use ff_core::partition::PartitionKey;
use ff_core::types::{ExecutionId, LaneId};

use crate::engine::Rule;
use crate::page::{Page, partition_of};
use crate::store::Tx;

pub(crate) async fn list<T: Tx>(
    tx: &mut T,
    key: &PartitionKey,
    cursor: Option<&ExecutionId>,
    limit: usize,
) -> Rule<ListExecutionsPage> {
    let partition = partition_of(key)?;
    let page = Page::of(limit);
    let found = tx
        .executions_after(partition.index, cursor, page.wanted())
        .await?;
    let (executions, next_cursor) = page.cut(found);
    Ok(ListExecutionsPage::new(executions, next_cursor))
}

pub(crate) async fn list_lanes<T: Tx>(
    tx: &mut T,
    cursor: Option<&LaneId>,
    limit: usize,
) -> Rule<ListLanesPage> {
    let page = Page::of(limit);
    let found = tx.lanes_after(cursor, page.wanted()).await?;
    let (lanes, next_cursor) = page.cut(found);
    Ok(ListLanesPage::new(lanes, next_cursor))
}
