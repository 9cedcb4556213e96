//! Where a call goes.

use ff_core::backend::{BackendTag, Handle, HandlePayload};
use ff_core::call::Call;
use ff_core::engine_error::EngineError;
use ff_core::partition::{
    Partition, PartitionConfig, PartitionFamily, budget_partition, flow_partition, quota_partition,
};
use ff_core::types::{BudgetId, FlowId, QuotaPolicyId};

/// The partition a call is about, and what its handle stands for. Calls that are about no single
/// partition have none.
pub(crate) struct Route {
    pub(crate) home: Partition,
    pub(crate) held: Option<HandlePayload>,
}

impl Route {
    #[allow(clippy::too_many_lines)] // One arm a method.
    pub(crate) fn of(call: &Call, config: &PartitionConfig) -> Result<Option<Self>, EngineError> {
        let at = |home: Partition| Self { home, held: None };
        let to = |index: u16| at(Partition { family: PartitionFamily::Execution, index });
        let budget = |id: &BudgetId| at(budget_partition(id, config));
        let quota = |id: &QuotaPolicyId| at(quota_partition(id, config));
        let flow = |id: &FlowId| to(flow_partition(id, config).index);
        Ok(Some(match call {
            Call::Delay { handle, .. }
            | Call::Renew { handle }
            | Call::Progress { handle, .. }
            | Call::AppendFrame { handle, .. }
            | Call::Complete { handle, .. }
            | Call::Fail { handle, .. }
            | Call::Cancel { handle, .. }
            | Call::WaitChildren { handle }
            | Call::CreateWaitpoint { handle, .. }
            | Call::Suspend { handle, .. }
            | Call::ObserveSignals { handle } => Self::under_lease(handle)?,
            Call::CreateExecution { args } => to(args.execution_id.partition()),
            Call::DescribeExecution { id }
            | Call::ReadExecutionInfo { id }
            | Call::ReadExecutionState { id }
            | Call::GetExecutionResult { id } => to(id.partition()),
            Call::ReadExecutionContext { execution_id }
            | Call::ReadExecCoreFields { execution_id, .. }
            | Call::GetExecutionNamespace { execution_id }
            | Call::ReadCurrentAttemptIndex { execution_id }
            | Call::ReadTotalAttemptCount { execution_id }
            | Call::ResolveExecutionFlowId { execution_id }
            | Call::SetExecutionTag { execution_id, .. }
            | Call::GetExecutionTag { execution_id, .. }
            | Call::PromoteDelayed { execution_id, .. }
            | Call::MarkLeaseExpiredIfDue { execution_id, .. }
            | Call::CloseWaitpoint { execution_id, .. }
            | Call::ExpireExecution { execution_id, .. }
            | Call::ExpireSuspension { execution_id, .. }
            | Call::ReadSummary { execution_id, .. }
            | Call::UnblockExecution { execution_id, .. } => to(execution_id.partition()),
            Call::SuspendByTriple { exec_id, .. } => to(exec_id.partition()),
            Call::DeliverSignal { args } => to(args.execution_id.partition()),
            Call::DeliverApprovalSignal { args } => to(args.execution_id.partition()),
            Call::ResumeExecution { args } => to(args.execution_id.partition()),
            Call::IssueClaimGrant { args } => to(args.execution_id.partition()),
            Call::ClaimExecution { args } => to(args.execution_id.partition()),
            Call::RevokeLease { args } => to(args.execution_id.partition()),
            Call::IssueReclaimGrant { args } => to(args.execution_id.partition()),
            Call::ReclaimExecution { args } => to(args.execution_id.partition()),
            Call::IssueGrantAndClaim { args } => to(args.execution_id.partition()),
            // The registry is in the first partition.
            Call::RegisterWorker { .. }
            | Call::HeartbeatWorker { .. }
            | Call::MarkWorkerDead { .. }
            | Call::ListWorkers { .. } => to(0),
            Call::BlockRoute { args } => to(args.execution_id.partition()),
            Call::BlockExecutionForAdmission { args } => to(args.execution_id.partition()),
            Call::ChangePriority { args } => to(args.execution_id.partition()),
            Call::RenewLease { args } => to(args.execution_id.partition()),
            Call::CompleteExecution { args } => to(args.execution_id.partition()),
            Call::FailExecution { args } => to(args.execution_id.partition()),
            Call::ClaimResumedExecution { args } => to(args.execution_id.partition()),
            Call::ClaimFromResumeGrant { token } => to(token.grant.execution_id.partition()),
            Call::ListPendingWaitpoints { args } => to(args.execution_id.partition()),
            Call::ListExecutions { partition, .. }
            | Call::ListFlows { partition, .. }
            | Call::ListSuspended { partition, .. }
            | Call::ReadWaitpointToken { partition, .. } => {
                let parsed = partition.parse();
                to(parsed.map_err(|error| EngineError::invalid_input(error.to_string()))?.index)
            }
            Call::ScanEligibleExecutions { args } => to(args.partition.index),
            Call::TrimRetention { partition, .. } => to(partition.index),
            Call::CreateFlow { args } => flow(&args.flow_id),
            Call::AddExecutionToFlow { args } => flow(&args.flow_id),
            Call::StageDependencyEdge { args } => flow(&args.flow_id),
            Call::ApplyDependencyToChild { args } => flow(&args.flow_id),
            Call::CancelFlowHeader { args } => flow(&args.flow_id),
            Call::ResolveDependency { args } => flow(&args.flow_id),
            // Without a flow nothing depends on it; any partition can say so.
            Call::CascadeCompletion { payload } => match &payload.flow_id {
                Some(id) => flow(id),
                None => to(payload.execution_id.partition()),
            },
            Call::ReplayExecution { args } => to(args.execution_id.partition()),
            Call::CancelExecution { args } => to(args.execution_id.partition()),
            Call::EvaluateFlowEligibility { args } => to(args.execution_id.partition()),
            Call::CancelFlow { id, .. } | Call::DescribeFlow { id } => flow(id),
            Call::SetFlowTag { flow_id, .. }
            | Call::GetFlowTag { flow_id, .. }
            | Call::DescribeEdge { flow_id, .. }
            | Call::ListEdges { flow_id, .. }
            | Call::SetEdgeGroupPolicy { flow_id, .. }
            | Call::AckCancelMember { flow_id, .. }
            | Call::DrainSiblingCancelGroup { flow_id, .. }
            | Call::ReconcileSiblingCancelGroup { flow_id, .. }
            | Call::ProjectFlowSummary { flow_id, .. } => flow(flow_id),
            Call::CreateBudget { args } => budget(&args.budget_id),
            Call::ResetBudget { args } => budget(&args.budget_id),
            Call::RecordSpend { args } => budget(&args.budget_id),
            Call::ReleaseBudget { args } => budget(&args.budget_id),
            Call::ReportUsage { handle, budget: id, .. } => {
                Self { home: budget_partition(id, config), ..Self::under_lease(handle)? }
            }
            Call::GetBudgetStatus { id }
            | Call::ReadBudgetUsageAndLimits { budget_id: id }
            | Call::ReportUsageAdmin { budget: id, .. } => budget(id),
            Call::CreateQuotaPolicy { args } => quota(&args.quota_policy_id),
            Call::ReleaseAdmission { args } => quota(&args.quota_policy_id),
            Call::ReadQuotaPolicyLimits { quota_policy_id: id }
            | Call::CheckAdmission { quota_policy_id: id, .. } => quota(id),
            _ => return Ok(None),
        }))
    }

    fn under_lease(handle: &Handle) -> Result<Self, EngineError> {
        let held = HandlePayload::open(BackendTag::Valkey, handle)?;
        let (family, index) = (PartitionFamily::Execution, held.execution_id.partition());
        Ok(Self { home: Partition { family, index }, held: Some(held) })
    }
}
