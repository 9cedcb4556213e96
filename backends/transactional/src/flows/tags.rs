//! Tags of flows.

use std::collections::BTreeMap;

use ff_core::types::FlowId;

use super::found;
use crate::engine::Rule;
use crate::records::{Flow, FlowTags};
use crate::session::Session;
use crate::store::Tx;
use crate::tags;

/// FLW-029.
pub(crate) async fn set_tag<T: Tx>(
    tx: &mut Session<T>,
    id: &FlowId,
    key: &str,
    value: &str,
) -> Rule<()> {
    let (flow, tags) = tx.lock((Flow::at(id), FlowTags::at(id))).await?;
    let mut flow = found(flow)?;
    flow.touch(tx.now().await?);
    tx.put(&flow);
    let mut tags = tags.unwrap_or_else(|| FlowTags { flow: *id, tags: BTreeMap::new() });
    tags::set(&mut tags.tags, key, value)?;
    tx.put(&tags);
    Ok(())
}

/// FLW-030.
pub(crate) async fn get_tag<T: Tx>(
    tx: &mut Session<T>,
    id: &FlowId,
    key: &str,
) -> Rule<Option<String>> {
    let found = tx.get(FlowTags::at(id)).await?;
    Ok(found.and_then(|mut found| found.tags.remove(key)))
}
