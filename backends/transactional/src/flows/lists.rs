//! Listing flows.

use ff_core::contracts::{FlowSummary, ListFlowsPage};
use ff_core::partition::PartitionKey;
use ff_core::types::FlowId;

use crate::engine::Rule;
use crate::page::{Page, partition_of};
use crate::records::Flow;
use crate::session::Session;
use crate::store::Tx;

/// FLW-017 to FLW-020.
pub(crate) async fn list<T: Tx>(
    tx: &mut Session<T>,
    key: &PartitionKey,
    cursor: Option<&FlowId>,
    limit: usize,
) -> Rule<ListFlowsPage> {
    let partition = partition_of(key)?;
    let page = Page::of(limit);
    let listed = Flow::LISTED.of(&partition.index).after(cursor);
    let found = tx.get(listed.limit(page.wanted())).await?;
    let (flows, next) = page.cut(found);
    let summary = |flow: &Flow| FlowSummary::new(flow.id, flow.created_at, flow.status());
    Ok(ListFlowsPage::new(flows.iter().map(summary).collect(), next.map(|flow| flow.id)))
}
