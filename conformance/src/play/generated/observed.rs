//! All that can be seen.

use std::collections::BTreeSet;

use ff_core::call::Call;
use ff_core::capability::Supports;
use ff_core::contracts::EdgeDirection;
use ff_core::partition::{
    Partition, PartitionConfig, PartitionFamily, PartitionKey, flow_partition,
};
use ff_core::types::{BudgetId, ExecutionId, FlowId, QuotaPolicyId};

use crate::stage::CORE_FIELDS;

/// What there is to look at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) executions: BTreeSet<ExecutionId>,
    pub(crate) flows: BTreeSet<FlowId>,
    /// Executions with flows that they may be members of.
    pub(crate) members: BTreeSet<(FlowId, ExecutionId)>,
    pub(crate) budgets: BTreeSet<BudgetId>,
    pub(crate) quotas: BTreeSet<QuotaPolicyId>,
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
        for id in &self.budgets {
            calls.push(Call::GetBudgetStatus { id: *id });
            calls.push(Call::ReadBudgetUsageAndLimits { budget_id: *id });
        }
        let quotas = self.quotas.iter();
        calls.extend(quotas.map(|id| Call::ReadQuotaPolicyLimits { quota_policy_id: *id }));
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

/// The partition with this number, as lists name it.
pub(crate) fn page_of(index: u16) -> PartitionKey {
    let family = PartitionFamily::Flow;
    PartitionKey::from(&Partition { family, index })
}

/// The reads that show all that the trait shows of these.
pub(crate) fn observables(
    known: &Known,
    partitions: &PartitionConfig,
    supports: &Supports,
) -> Vec<Call> {
    let mut calls = known.reads(partitions);
    calls.retain(|call| supports.claims(call.method()));
    calls
}
