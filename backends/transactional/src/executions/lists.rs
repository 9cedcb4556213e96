//! Listing executions and lanes, a page at a time.

use ff_core::contracts::{ListExecutionsPage, ListLanesPage};
use ff_core::partition::PartitionKey;
use ff_core::types::{ExecutionId, LaneId};

use crate::engine::Rule;
use crate::page::{Page, partition_of};
use crate::records::{Execution, Lane};
use crate::session::Session;
use crate::store::Tx;

pub(crate) async fn list<T: Tx>(
    tx: &mut Session<T>,
    key: &PartitionKey,
    cursor: Option<&ExecutionId>,
    limit: usize,
) -> Rule<ListExecutionsPage> {
    let partition = partition_of(key)?;
    let page = Page::of(limit);
    let cursor = cursor.map(ExecutionId::uuid);
    let listed = Execution::KEY.of(&partition.index).after(cursor.as_ref());
    let found = tx.get(listed.limit(page.wanted())).await?;
    let ids = found.into_iter().map(|execution| execution.id).collect();
    let (executions, next_cursor) = page.cut(ids);
    Ok(ListExecutionsPage::new(executions, next_cursor))
}

pub(crate) async fn list_lanes<T: Tx>(
    tx: &mut Session<T>,
    cursor: Option<&LaneId>,
    limit: usize,
) -> Rule<ListLanesPage> {
    let page = Page::of(limit);
    let known = Lane::KEY.all().after(cursor).limit(page.wanted());
    let found = tx.get(known).await?;
    let names = found.into_iter().map(|lane| lane.name).collect();
    let (lanes, next_cursor) = page.cut(names);
    Ok(ListLanesPage::new(lanes, next_cursor))
}
