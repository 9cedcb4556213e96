//! Which rule answers which call.

use ff_core::backend::HandlePayload;
use ff_core::call::{Call, Reply};
use ff_core::engine_error::EngineError;

use super::{Rule, Settings};
use crate::records::Backlog;
use crate::session::Session;
use crate::store::Tx;
use crate::{executions, flows, metering, suspension};

/// The rule for each call, on arguments that `arguments::check` let through.
#[allow(clippy::too_many_lines)] // One arm a method.
pub(super) async fn answer<T: Tx>(
    tx: &mut Session<T>,
    settings: Settings,
    call: &Call,
) -> Rule<Reply> {
    Ok(match call {
        Call::CreateExecution { args } => {
            Reply::CreateExecution(executions::create(tx, args).await?)
        }
        Call::DescribeExecution { id } => {
            Reply::DescribeExecution(executions::describe(tx, id).await?)
        }
        Call::ReadExecutionContext { execution_id } => {
            Reply::ReadExecutionContext(executions::read_context(tx, execution_id).await?)
        }
        Call::ReadExecutionInfo { id } => {
            Reply::ReadExecutionInfo(executions::read_info(tx, id).await?)
        }
        Call::ReadExecutionState { id } => {
            Reply::ReadExecutionState(executions::read_state(tx, id).await?)
        }
        Call::ReadExecCoreFields { execution_id, fields, .. } => {
            Reply::ReadExecCoreFields(executions::read_core_fields(tx, execution_id, fields).await?)
        }
        Call::GetExecutionResult { id } => {
            Reply::GetExecutionResult(executions::get_result(tx, id).await?)
        }
        Call::GetExecutionNamespace { execution_id } => {
            Reply::GetExecutionNamespace(executions::get_namespace(tx, execution_id).await?)
        }
        Call::ReadCurrentAttemptIndex { execution_id } => {
            Reply::ReadCurrentAttemptIndex(executions::current_attempt(tx, execution_id).await?)
        }
        Call::ReadTotalAttemptCount { execution_id } => {
            Reply::ReadTotalAttemptCount(executions::total_attempts(tx, execution_id).await?)
        }
        Call::SetExecutionTag { execution_id, key, value } => {
            Reply::SetExecutionTag(executions::set_tag(tx, execution_id, key, value).await?)
        }
        Call::GetExecutionTag { execution_id, key } => {
            Reply::GetExecutionTag(executions::get_tag(tx, execution_id, key).await?)
        }
        Call::ListExecutions { partition, cursor, limit } => {
            Reply::ListExecutions(executions::list(tx, partition, cursor.as_ref(), *limit).await?)
        }
        Call::ListLanes { cursor, limit } => {
            Reply::ListLanes(executions::list_lanes(tx, cursor.as_ref(), *limit).await?)
        }
        Call::Claim { lane, capabilities, policy } => {
            Reply::Claim(executions::claim(tx, settings, lane, capabilities, policy).await?)
        }
        Call::IssueClaimGrant { args } => {
            Reply::IssueClaimGrant(executions::issue_claim_grant(tx, args).await?)
        }
        Call::ClaimForWorker { args } => {
            Reply::ClaimForWorker(executions::claim_for_worker(tx, settings, args).await?)
        }
        Call::ScanEligibleExecutions { args } => {
            Reply::ScanEligibleExecutions(executions::scan_eligible(tx, args).await?)
        }
        Call::ClaimResumedExecution { args } => {
            Reply::ClaimResumedExecution(suspension::claim_resumed(tx, settings.tag, args).await?)
        }
        Call::ClaimFromResumeGrant { token } => {
            Reply::ClaimFromResumeGrant(suspension::claim_by_token(tx, settings.tag, token).await?)
        }
        Call::PromoteDelayed { execution_id, .. } => {
            Reply::PromoteDelayed(executions::promote_delayed(tx, execution_id).await?)
        }
        Call::MarkLeaseExpiredIfDue { execution_id, .. } => Reply::MarkLeaseExpiredIfDue(
            executions::mark_lease_expired_if_due(tx, execution_id).await?,
        ),
        Call::Renew { handle } => Reply::Renew(executions::renew(tx, settings.tag, handle).await?),
        Call::Progress { handle, percent, message } => Reply::Progress(
            executions::progress(tx, settings.tag, handle, *percent, message.as_deref()).await?,
        ),
        Call::Complete { handle, payload } => Reply::Complete(
            executions::complete(tx, settings.tag, call, handle, payload.as_deref()).await?,
        ),
        Call::Fail { handle, reason, classification } => Reply::Fail(
            executions::fail(tx, settings.tag, call, handle, reason, *classification).await?,
        ),
        Call::Cancel { handle, reason } => {
            Reply::Cancel(executions::cancel(tx, settings.tag, call, handle, reason).await?)
        }
        Call::WaitChildren { handle } => {
            Reply::WaitChildren(executions::wait_children(tx, settings.tag, call, handle).await?)
        }
        Call::Delay { handle, delay_until } => {
            Reply::Delay(executions::delay(tx, settings.tag, call, handle, *delay_until).await?)
        }
        Call::RenewLease { args } => Reply::RenewLease(executions::renew_lease(tx, args).await?),
        Call::CompleteExecution { args } => {
            Reply::CompleteExecution(executions::complete_execution(tx, call, args).await?)
        }
        Call::FailExecution { args } => {
            Reply::FailExecution(executions::fail_execution(tx, call, args).await?)
        }
        Call::ClaimExecution { args } => {
            Reply::ClaimExecution(executions::claim_execution(tx, settings.tag, args).await?)
        }
        Call::IssueGrantAndClaim { args } => {
            Reply::IssueGrantAndClaim(executions::issue_grant_and_claim(tx, args).await?)
        }
        Call::RevokeLease { args } => Reply::RevokeLease(executions::revoke_lease(tx, args).await?),
        Call::IssueReclaimGrant { args } => {
            Reply::IssueReclaimGrant(executions::issue_reclaim_grant(tx, args).await?)
        }
        Call::ReclaimExecution { args } => {
            Reply::ReclaimExecution(executions::reclaim_execution(tx, settings.tag, args).await?)
        }
        Call::ListExpiredLeases { args } => {
            Reply::ListExpiredLeases(executions::list_expired(tx, args).await?)
        }
        Call::RegisterWorker { args } => {
            Reply::RegisterWorker(executions::register(tx, args).await?)
        }
        Call::HeartbeatWorker { args } => {
            Reply::HeartbeatWorker(executions::heartbeat(tx, args).await?)
        }
        Call::MarkWorkerDead { args } => {
            Reply::MarkWorkerDead(executions::mark_dead(tx, args).await?)
        }
        Call::ListWorkers { args } => Reply::ListWorkers(executions::list_workers(tx, args).await?),
        Call::BlockRoute { args } => Reply::BlockRoute(executions::block_route(tx, args).await?),
        Call::BlockExecutionForAdmission { args } => {
            Reply::BlockExecutionForAdmission(executions::block_for_admission(tx, args).await?)
        }
        Call::UnblockExecution { execution_id, expected_blocking_reason: expected, .. } => {
            Reply::UnblockExecution(executions::unblock(tx, execution_id, expected).await?)
        }
        Call::ExpireExecution { execution_id, phase, .. } => {
            Reply::ExpireExecution(executions::expire(tx, execution_id, *phase).await?)
        }
        Call::TrimRetention {
            partition, lane_id: lane, retention_ms, batch_size, filter, ..
        } => {
            let (partition, retention_ms, batch_size) = (*partition, *retention_ms, *batch_size);
            let asked = executions::Trim { partition, lane, retention_ms, batch_size, filter };
            Reply::TrimRetention(executions::trim(tx, asked).await?)
        }
        Call::ChangePriority { args } => {
            Reply::ChangePriority(executions::change_priority(tx, args).await?)
        }
        Call::ReplayExecution { args } => {
            Reply::ReplayExecution(executions::replay(tx, &args.execution_id).await?)
        }
        Call::CancelExecution { args } => {
            Reply::CancelExecution(executions::cancel_execution(tx, args).await?)
        }
        Call::CreateFlow { args } => {
            Reply::CreateFlow(flows::create(tx, &settings.partitions, args).await?)
        }
        Call::AddExecutionToFlow { args } => {
            Reply::AddExecutionToFlow(flows::add_execution(tx, args).await?)
        }
        Call::StageDependencyEdge { args } => {
            Reply::StageDependencyEdge(flows::stage_edge(tx, args).await?)
        }
        Call::ApplyDependencyToChild { args } => {
            Reply::ApplyDependencyToChild(flows::apply_dependency(tx, args).await?)
        }
        Call::ResolveDependency { args } => {
            Reply::ResolveDependency(flows::resolve(tx, args).await?)
        }
        Call::CascadeCompletion { payload } => {
            Reply::CascadeCompletion(flows::cascade(tx, payload).await?)
        }
        Call::EvaluateFlowEligibility { args } => Reply::EvaluateFlowEligibility(
            flows::evaluate_eligibility(tx, &args.execution_id).await?,
        ),
        Call::DrainSiblingCancelGroup { flow_id, downstream_eid, .. } => {
            Reply::DrainSiblingCancelGroup(flows::drain(tx, flow_id, downstream_eid).await?)
        }
        Call::ReconcileSiblingCancelGroup { flow_id, downstream_eid, .. } => {
            Reply::ReconcileSiblingCancelGroup(flows::reconcile(tx, flow_id, downstream_eid).await?)
        }
        Call::CancelFlowHeader { args } => {
            Reply::CancelFlowHeader(flows::cancel_header(tx, args).await?)
        }
        Call::ProjectFlowSummary { flow_id, .. } => {
            Reply::ProjectFlowSummary(flows::project(tx, flow_id).await?)
        }
        Call::AckCancelMember { flow_id, execution_id } => {
            tx.remove(Backlog::at(flow_id, execution_id));
            Reply::AckCancelMember(())
        }
        Call::CancelFlow { id, policy, .. } => {
            Reply::CancelFlow(flows::cancel(tx, id, *policy).await?)
        }
        Call::DescribeFlow { id } => Reply::DescribeFlow(flows::describe(tx, id).await?),
        Call::ListFlows { partition, cursor, limit } => {
            Reply::ListFlows(flows::list(tx, partition, cursor.as_ref(), *limit).await?)
        }
        Call::ResolveExecutionFlowId { execution_id } => {
            Reply::ResolveExecutionFlowId(flows::resolve_flow(tx, execution_id).await?)
        }
        Call::SetFlowTag { flow_id, key, value } => {
            Reply::SetFlowTag(flows::set_tag(tx, flow_id, key, value).await?)
        }
        Call::GetFlowTag { flow_id, key } => {
            Reply::GetFlowTag(flows::get_tag(tx, flow_id, key).await?)
        }
        Call::DescribeEdge { flow_id, edge_id } => {
            Reply::DescribeEdge(flows::describe_edge(tx, flow_id, edge_id).await?)
        }
        Call::ListEdges { flow_id, direction } => {
            Reply::ListEdges(flows::list_edges(tx, flow_id, direction).await?)
        }
        Call::SetEdgeGroupPolicy { flow_id, downstream_execution_id, policy } => {
            Reply::SetEdgeGroupPolicy(
                flows::set_policy(tx, flow_id, downstream_execution_id, *policy).await?,
            )
        }
        Call::RotateWaitpointHmacSecretAll { args } => {
            let partitions = settings.partitions.num_flow_partitions;
            Reply::RotateWaitpointHmacSecretAll(suspension::rotate(tx, partitions, args).await?)
        }
        Call::SeedWaitpointHmacSecret { args } => {
            let partitions = settings.partitions.num_flow_partitions;
            Reply::SeedWaitpointHmacSecret(suspension::seed(tx, partitions, args).await?)
        }
        Call::CreateWaitpoint { handle, waitpoint_key, expires_in } => {
            let tag = settings.tag;
            Reply::CreateWaitpoint(
                suspension::create_waitpoint(tx, tag, handle, waitpoint_key, *expires_in).await?,
            )
        }
        Call::ReadWaitpointToken { partition, waitpoint_id } => {
            Reply::ReadWaitpointToken(suspension::read_token(tx, partition, waitpoint_id).await?)
        }
        Call::ListPendingWaitpoints { args } => {
            Reply::ListPendingWaitpoints(suspension::list_waitpoints(tx, args).await?)
        }
        Call::CloseWaitpoint { execution_id, waitpoint_id, .. } => {
            Reply::CloseWaitpoint(suspension::close(tx, execution_id, waitpoint_id).await?)
        }
        Call::Suspend { handle, args } => {
            Reply::Suspend(suspension::suspend(tx, settings.tag, call, handle, args).await?)
        }
        Call::SuspendByTriple { exec_id, triple, args } => {
            let holder = (exec_id, triple);
            Reply::SuspendByTriple(
                suspension::suspend_by_triple(tx, settings.tag, call, holder, args).await?,
            )
        }
        Call::DeliverSignal { args } => Reply::DeliverSignal(suspension::deliver(tx, args).await?),
        Call::DeliverApprovalSignal { args } => {
            Reply::DeliverApprovalSignal(suspension::deliver_approval(tx, args).await?)
        }
        Call::ObserveSignals { handle } => {
            Reply::ObserveSignals(suspension::observe(tx, settings.tag, handle).await?)
        }
        Call::ResumeExecution { args } => {
            Reply::ResumeExecution(suspension::resume(tx, args).await?)
        }
        Call::ExpireSuspension { execution_id, .. } => {
            Reply::ExpireSuspension(suspension::expire(tx, execution_id).await?)
        }
        Call::ListSuspended { partition, cursor, limit } => Reply::ListSuspended(
            suspension::list_suspended(tx, partition, cursor.as_ref(), *limit).await?,
        ),
        Call::CreateBudget { args } => {
            Reply::CreateBudget(metering::create(tx, &settings.partitions, args).await?)
        }
        Call::ResetBudget { args } => {
            Reply::ResetBudget(metering::reset(tx, &settings.partitions, args).await?)
        }
        Call::GetBudgetStatus { id } => {
            Reply::GetBudgetStatus(metering::status(tx, &settings.partitions, id).await?)
        }
        Call::ReadBudgetUsageAndLimits { budget_id } => Reply::ReadBudgetUsageAndLimits(
            metering::limits(tx, &settings.partitions, budget_id).await?,
        ),
        Call::AppendFrame { handle, frame } => {
            Reply::AppendFrame(metering::append(tx, settings.tag, handle, frame).await?)
        }
        Call::ReadStream { .. } => Reply::ReadStream(metering::read_stream(tx, call).await?),
        Call::TailStream { .. } => Reply::TailStream(metering::read_stream(tx, call).await?),
        Call::ReadSummary { execution_id, attempt_index } => {
            Reply::ReadSummary(metering::read_summary(tx, execution_id, *attempt_index).await?)
        }
        Call::ReportUsage { handle, budget, dimensions } => {
            let held = HandlePayload::open(settings.tag, handle)?;
            let report = metering::Report::of_attempt(budget, dimensions, &held.execution_id);
            Reply::ReportUsage(metering::report(tx, &settings.partitions, report).await?)
        }
        Call::ReportUsageAdmin { budget, args } => {
            let report = metering::Report::of_operator(budget, args);
            Reply::ReportUsageAdmin(metering::report(tx, &settings.partitions, report).await?)
        }
        Call::RecordSpend { args } => {
            let report = metering::Report::of_spend(args);
            Reply::RecordSpend(metering::report(tx, &settings.partitions, report).await?)
        }
        Call::ReleaseBudget { args } => {
            Reply::ReleaseBudget(metering::release(tx, &settings.partitions, args).await?)
        }
        Call::CreateQuotaPolicy { args } => {
            Reply::CreateQuotaPolicy(metering::create_quota(tx, &settings.partitions, args).await?)
        }
        Call::ReadQuotaPolicyLimits { quota_policy_id } => Reply::ReadQuotaPolicyLimits(
            metering::quota_limits(tx, &settings.partitions, quota_policy_id).await?,
        ),
        Call::CheckAdmission { quota_policy_id, dimension, args } => {
            let asked = (quota_policy_id, dimension.as_str());
            Reply::CheckAdmission(
                metering::check_admission(tx, &settings.partitions, asked, args).await?,
            )
        }
        Call::ReleaseAdmission { args } => {
            Reply::ReleaseAdmission(metering::release_admission(tx, args).await?)
        }
        Call::ServerTimeMs {} => Reply::ServerTimeMs(tx.now().await?.0.unsigned_abs()),
        Call::Ping {} => Reply::Ping(tx.ping().await?),
        other => {
            return Err(EngineError::Unavailable { op: other.method().as_str() }.into());
        }
    })
}
