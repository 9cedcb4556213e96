//! Deviants that break the clauses under "Lists".

use ff_core::contracts::FlowStatus;
use ff_core::partition::PartitionConfig;
use ff_core::types::FlowId;

use crate::deviants::declare::{list, reply, request};

list!("flows", ListFlows, flows, |flow| flow.flow_id, [FLW_018, FLW_020, FLW_036, FLW_034]);

reply!("flow-always-active", FLW_017,
    "Lists cancelled flows as active.", ListFlows(page) => for flow in &mut page.flows {
    flow.status = FlowStatus::Active;
});

reply!("cancelled-flows-unlisted", FLW_019, "Lists open flows only.",
    ListFlows(page) => page.flows.retain(|flow| flow.status == FlowStatus::Active));

request!("cursor-from-anywhere", FLW_036, "Ignores a cursor that is of another partition.",
    ListFlows { cursor, partition, .. } if !lives_in(cursor.as_ref(), partition.as_str()) =>
        *cursor = None);

/// Whether the flow, if there is one, is in the partition of this key.
fn lives_in(flow: Option<&FlowId>, key: &str) -> bool {
    flow.is_none_or(|flow| {
        let home = ff_core::partition::flow_partition(flow, &PartitionConfig::default());
        key == home.hash_tag()
    })
}
