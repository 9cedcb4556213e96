//! Deviants that break the clauses under "Members".

use ff_core::call::{Call, Reply};
use ff_core::contracts::{AddExecutionToFlowResult, CreateFlowResult};
use ff_core::engine_error::{ConflictKind, EngineError};
use ff_core::partition::{
    Partition, PartitionConfig, PartitionFamily, PartitionKey, flow_partition,
    flow_partition as flow_partition_of,
};

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::answer;
use crate::deviants::flows::refuse_ended;

request!("lists-next-door", FLW_006,
    "Lists flows in the partition before theirs.", ListFlows { partition, .. } => {
    if let Ok(Partition { family: PartitionFamily::Flow, index }) = partition.parse() {
        let count = PartitionConfig::default().num_flow_partitions;
        *partition = PartitionKey::from(&Partition {
            family: PartitionFamily::Flow,
            index: (index + 1) % count,
        });
    }
});

request!("summaries-anywhere", FLW_007, "Takes any partition of a summary for the flow's.",
    ProjectFlowSummary { partition, flow_id, .. } =>
        *partition = flow_partition(flow_id, &PartitionConfig::default()));

around!(
    "flow-forgotten-at-the-end",
    FLW_027,
    "Does not say of which flow an ended execution was.",
    |subject, call| {
        if let Call::ResolveExecutionFlowId { execution_id } = &call
            && subject.field(execution_id, "completed_at").await.is_some()
        {
            return Ok(Reply::ResolveExecutionFlowId(None));
        }
        subject.ask(call).await
    }
);

request!("names-the-flow", FLW_008, "Puts a default where a kind is missing.",
    CreateFlow { args } if args.flow_kind.is_empty() => "dag".clone_into(&mut args.flow_kind));

request!("born-at-one", FLW_009, "Begins to count revisions at one.",
    StageDependencyEdge { args } =>
        args.expected_graph_revision = args.expected_graph_revision.wrapping_sub(1));

deviant!("always-created", FLW_010, "Says of a known flow that it is new." => answer(|_, answer| {
    if let Ok(Reply::CreateFlow(CreateFlowResult::AlreadySatisfied { flow_id })) = answer {
        *answer = Ok(Reply::CreateFlow(CreateFlowResult::Created { flow_id: *flow_id }));
    }
}));

around!("execution-first", FLW_037, "Looks for the execution before the flow.", |subject, call| {
    if let Call::AddExecutionToFlow { args } = &call
        && subject.field(&args.execution_id, "lane_id").await.is_none()
    {
        return Err(EngineError::NotFound { entity: "execution" });
    }
    subject.ask(call).await
});

deviant!("one-word-for-two-flows", FLW_021,
    "Says of an execution of another flow that it is unknown." => answer(|_, answer| {
    if let Err(EngineError::Conflict(ConflictKind::ExecutionAlreadyInFlow)) = answer {
        *answer = Err(EngineError::NotFound { entity: "execution" });
    }
}));

reply!("no-back-pointer", FLW_022, "Does not say what flow an execution is in.",
    DescribeExecution(Some(seen)) => seen.flow_id = None);

reply!("added-again", FLW_023, "Says of a member that it is new.", AddExecutionToFlow(result) => {
    if let AddExecutionToFlowResult::AlreadyMember { execution_id, node_count } = result.clone() {
        *result =
            AddExecutionToFlowResult::Added { execution_id, new_node_count: node_count };
    }
});

around!("only-the-living", FLW_024, "Does not let ended executions join.", |subject, call| {
    if let Call::AddExecutionToFlow { args } = &call {
        refuse_ended(subject, &args.execution_id).await?;
    }
    subject.ask(call).await
});

reply!("miscounts-members", FLW_025, "Tells everyone that it is the first.",
    AddExecutionToFlow(AddExecutionToFlowResult::Added { new_node_count, .. }) =>
        *new_node_count = 1);

request!("resolves-anywhere", FLW_007, "Takes any partition for the flow's.",
    ResolveDependency { args } =>
        args.partition = flow_partition(&args.flow_id, &PartitionConfig::default()));

request!("forgets-anywhere", FLW_007, "Takes any partition of a note for the flow's.",
    DrainSiblingCancelGroup { flow_partition, flow_id, .. }
    | ReconcileSiblingCancelGroup { flow_partition, flow_id, .. } =>
        *flow_partition = flow_partition_of(flow_id, &PartitionConfig::default()));
