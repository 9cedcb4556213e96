//! Deviants that break the clauses under "Ids".

use ff_core::call::{Call, Reply};
use ff_core::contracts::CreateExecutionResult;
use ff_core::partition::{PartitionConfig, flow_partition};
use ff_core::types::{ExecutionId, FlowId};

use crate::deviants::declare::{around, request};

around!(
    "one-of-twins",
    SYS_037,
    "Takes a creation for one of the execution with its UUID in the partition before.",
    |subject, call| {
        if let Call::CreateExecution { args } = &call
            && let Some(before) = args.execution_id.partition().checked_sub(1)
        {
            let known = ExecutionId::from_parts(before, args.execution_id.uuid());
            if subject.field(&known, "lane_id").await.is_some() {
                let execution_id = known;
                return Ok(Reply::CreateExecution(CreateExecutionResult::Duplicate {
                    execution_id,
                }));
            }
        }
        subject.ask(call).await
    }
);

request!("stages-for-namesakes", SYS_037,
    "Takes the ends of an edge for members by their UUIDs.", StageDependencyEdge { args } => {
    take_for_member(&args.flow_id, &mut args.upstream_execution_id);
    take_for_member(&args.flow_id, &mut args.downstream_execution_id);
});

request!("policies-for-namesakes", SYS_037, "Sets the policy of whichever member has the UUID.",
    SetEdgeGroupPolicy { flow_id, downstream_execution_id, .. } =>
        take_for_member(flow_id, downstream_execution_id));

request!("cascades-for-namesakes", SYS_037, "Counts the end of whichever member has the UUID.",
CascadeCompletion { payload } => if let Some(flow) = &payload.flow_id {
    take_for_member(flow, &mut payload.execution_id);
});

request!("drains-for-namesakes", SYS_037, "Forgets the note on whichever member has the UUID.",
    DrainSiblingCancelGroup { flow_id, downstream_eid, .. } =>
        take_for_member(flow_id, downstream_eid));

request!("acknowledges-namesakes", SYS_037, "Acknowledges whichever member has the UUID.",
    AckCancelMember { flow_id, execution_id } => take_for_member(flow_id, execution_id));

/// Makes an id that of the execution with its UUID which can be a member of the flow.
fn take_for_member(flow: &FlowId, id: &mut ExecutionId) {
    let home = flow_partition(flow, &PartitionConfig::default()).index;
    *id = ExecutionId::from_parts(home, id.uuid());
}
