//! Tags of flows.

use ff_core::types::FlowId;

use super::known_flow;
use crate::engine::Rule;
use crate::store::Tx;

/// FLW-029.
pub(crate) async fn set_tag<T: Tx>(tx: &mut T, id: &FlowId, key: &str, value: &str) -> Rule<()> {
    let mut flow = known_flow(tx, id).await?;
    flow.touch(tx.now().await?);
    tx.put_flow(&flow).await?;
    Ok(tx.put_flow_tag(id, key, value).await?)
}

/// FLW-030.
pub(crate) async fn get_tag<T: Tx>(tx: &mut T, id: &FlowId, key: &str) -> Rule<Option<String>> {
    Ok(tx.flow_tags(id).await?.remove(key))
}
