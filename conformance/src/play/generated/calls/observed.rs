//! All that can be seen.

use std::collections::BTreeSet;

use ff_core::call::Call;
use ff_core::contracts::EdgeDirection;
use ff_core::partition::{Partition, PartitionConfig, PartitionFamily, flow_partition};
use ff_core::types::{ExecutionId, FlowId};

use super::reads::page_of;
use crate::stage::CORE_FIELDS;

/// What there is to look at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) executions: BTreeSet<ExecutionId>,
    pub(crate) flows: BTreeSet<FlowId>,
    /// Executions with flows that they may be members of.
    pub(crate) members: BTreeSet<(FlowId, ExecutionId)>,
}

impl Known {
    /// Every read of these, of their partitions, and of what a deployment has one of.
    pub(crate) fn reads(&self, partitions: &PartitionConfig) -> Vec<Call> {
        let mut calls: Vec<Call> = self.executions.iter().flat_map(reads_of).collect();
        let mut indexes: BTreeSet<u16> = BTreeSet::new();
        indexes.extend(self.executions.iter().map(ExecutionId::partition));
        for id in &self.flows {
            calls.push(Call::DescribeFlow { id: *id });
            indexes.insert(flow_partition(id, partitions).index);
        }
        // Every edge leaves some member.
        calls.extend(self.members.iter().map(|(flow_id, member)| Call::ListEdges {
            flow_id: *flow_id,
            direction: EdgeDirection::Outgoing { from_node: member.clone() },
        }));
        for index in indexes {
            calls.push(Call::ListExecutions {
                partition: page_of(index),
                cursor: None,
                limit: 1_000,
            });
            calls.push(Call::ListFlows { partition: page_of(index), cursor: None, limit: 1_000 });
        }
        calls.push(Call::ListLanes { cursor: None, limit: 1_000 });
        calls
    }
}

fn reads_of(id: &ExecutionId) -> Vec<Call> {
    let execution_id = || id.clone();
    vec![
        Call::DescribeExecution { id: id.clone() },
        Call::ReadExecutionInfo { id: id.clone() },
        Call::ReadExecutionState { id: id.clone() },
        Call::GetExecutionResult { id: id.clone() },
        Call::ReadExecutionContext { execution_id: execution_id() },
        Call::GetExecutionNamespace { execution_id: execution_id() },
        Call::ReadCurrentAttemptIndex { execution_id: execution_id() },
        Call::ReadTotalAttemptCount { execution_id: execution_id() },
        Call::ResolveExecutionFlowId { execution_id: execution_id() },
        Call::ReadExecCoreFields {
            partition: Partition { family: PartitionFamily::Execution, index: id.partition() },
            execution_id: execution_id(),
            fields: CORE_FIELDS.iter().map(|name| (*name).to_owned()).collect(),
        },
    ]
}
