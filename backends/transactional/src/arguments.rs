//! What can be said of a call's arguments without looking into the store (SYS-015, step one and
//! two).

mod executions;
mod flows;
mod metering;
mod places;
mod streams;
mod suspensions;
mod values;

pub(crate) use flows::{cancellation_policy, upstream_outcome};
pub use places::housekeeping;

use ff_core::backend::{HandlePayload, Namespace};
use ff_core::call::Call;
use ff_core::contracts::{BlockingReason as Denial, MARK_WORKER_DEAD_REASON_MAX_BYTES};
use ff_core::engine_backend::validate_tag_key;
use ff_core::engine_error::EngineError;
use ff_core::partition::{PartitionFamily, flow_partition};
use ff_core::types::WorkerInstanceId;

use crate::engine::Settings;
use crate::executions::{parse_retry_policy, worker_after};
use crate::suspension;
use executions::{
    claim_execution, create_execution, every_leaf, fence, issue_claim_grant, issue_reclaim_grant,
    json_of, register_worker, registered, registry_name, retry_policy,
};
use flows::{group_policy, stage_edge};
use metering::{create_budget, deltas, quota, report_usage, report_usage_admin, window};
use places::{
    holds_executions, home_of, is_of, list_executions, list_flows, open, partition_here,
    same_partition, scanner_filter,
};
use suspensions::{deliver_approval, deliver_signal, suspend};
use values::{
    blocking_reason, instant, integer, integers, json_object, lane, lease_ttl, name, optional_text,
    payload, positive, requirements, text, worker,
};

type Check = Result<(), EngineError>;

/// Refuses arguments that no state of the store could make acceptable.
#[allow(clippy::too_many_lines)] // One arm a method.
pub(crate) fn check(settings: &Settings, call: &Call) -> Check {
    match call {
        Call::CreateExecution { args } => create_execution(settings, args),
        Call::SetExecutionTag { key, value, .. } | Call::SetFlowTag { key, value, .. } => {
            validate_tag_key(key)?;
            text("tag value", value)
        }
        Call::GetExecutionTag { key, .. } | Call::GetFlowTag { key, .. } => validate_tag_key(key),
        Call::ListExecutions { partition, cursor, limit }
        | Call::ListSuspended { partition, cursor, limit } => {
            list_executions(settings, partition, cursor.as_ref())?;
            integer("limit", *limit as u64)
        }
        Call::ListLanes { cursor, limit } => {
            cursor.as_ref().map_or(Ok(()), lane)?;
            integer("limit", *limit as u64)
        }
        Call::Claim { lane: lane_id, capabilities, policy } => {
            worker(lane_id, &policy.worker_id, &policy.worker_instance_id)?;
            lease_ttl(policy.lease_ttl_ms.into())?;
            requirements(&capabilities.tokens.iter().cloned().collect())
        }
        Call::IssueClaimGrant { args } => issue_claim_grant(args),
        Call::ClaimForWorker { args } => {
            worker(&args.lane_id, &args.worker_id, &args.worker_instance_id)?;
            lease_ttl(args.grant_ttl_ms)?;
            requirements(&args.worker_capabilities)
        }
        Call::TrimRetention { partition, lane_id, retention_ms, now_ms, filter, .. } => {
            holds_executions(settings, *partition)?;
            lane(lane_id)?;
            integer("retention_ms", *retention_ms)?;
            instant("now_ms", *now_ms)?;
            scanner_filter(filter)
        }
        Call::AppendFrame { handle, frame } => {
            open(settings, handle)?;
            streams::append_frame(frame)
        }
        Call::ReadStream { .. } | Call::TailStream { .. } => streams::read(call),
        Call::SubscribeLeaseHistory { filter, .. }
        | Call::SubscribeCompletion { filter, .. }
        | Call::SubscribeSignalDelivery { filter, .. } => scanner_filter(filter),
        Call::CreateBudget { args } => create_budget(args),
        Call::ResetBudget { args } => instant("now", args.now),
        Call::ReportUsage { handle, dimensions, .. } => {
            HandlePayload::open(settings.tag, handle)?;
            report_usage(dimensions)
        }
        Call::ReportUsageAdmin { args, .. } => report_usage_admin(args),
        Call::RecordSpend { args } => {
            text("idempotency key", &args.idempotency_key)?;
            deltas(args.deltas.iter().map(|(name, delta)| (name.as_str(), *delta)))
        }
        Call::CreateQuotaPolicy { args } => {
            window(args.max_requests_per_window, args.window_seconds)?;
            quota("max_concurrent", args.max_concurrent)?;
            instant("now", args.now)
        }
        Call::CheckAdmission { dimension, args, .. } => {
            text("dimension", dimension)?;
            window(args.rate_limit, args.window_seconds)?;
            quota("concurrency_cap", args.concurrency_cap)?;
            quota("jitter_ms", args.jitter_ms.unwrap_or(0))?;
            instant("now", args.now)
        }
        Call::ReconcileBudgetCounters { partition, now_ms } => {
            is_of(settings, *partition, PartitionFamily::Budget)?;
            instant("now_ms", *now_ms)
        }
        Call::ReconcileQuotaCounters { partition, now_ms } => {
            is_of(settings, *partition, PartitionFamily::Quota)?;
            instant("now_ms", *now_ms)
        }
        Call::ReconcileExecutionIndex { partition, lanes, filter } => {
            holds_executions(settings, *partition)?;
            lanes.iter().try_for_each(lane)?;
            scanner_filter(filter)
        }
        Call::ScanEligibleExecutions { args } => {
            lane(&args.lane_id)?;
            holds_executions(settings, args.partition)
        }
        Call::ClaimResumedExecution { args } => {
            worker(&args.lane_id, &args.worker_id, &args.worker_instance_id)?;
            lease_ttl(args.lease_ttl_ms)?;
            if args.remaining_attempt_timeout_ms == Some(0) {
                return Err(EngineError::invalid_input("an attempt cannot go on for 0 ms"));
            }
            integers([
                ("remaining_attempt_timeout_ms", args.remaining_attempt_timeout_ms),
                ("current_attempt_index", Some(args.current_attempt_index.0.into())),
            ])?;
            instant("now", args.now)
        }
        Call::ClaimFromResumeGrant { token } => {
            let grant = &token.grant;
            worker(&grant.lane_id, &token.worker_id, &token.worker_instance_id)?;
            lease_ttl(token.lease_ttl_ms.into())?;
            text("grant key", &grant.grant_key)?;
            integer("expires_at_ms", grant.expires_at_ms)?;
            same_partition(partition_here(settings, &grant.partition_key)?, &grant.execution_id)
        }
        Call::ClaimExecution { args } => claim_execution(args),
        Call::RevokeLease { args } => {
            optional_text("expected lease id", args.expected_lease_id.as_deref())?;
            text("worker instance id", args.worker_instance_id.as_str())?;
            text("reason", &args.reason)
        }
        Call::IssueReclaimGrant { args } => issue_reclaim_grant(args),
        Call::ReclaimExecution { args } => {
            worker(&args.lane_id, &args.worker_id, &args.worker_instance_id)?;
            lease_ttl(args.lease_ttl_ms)?;
            text("old worker instance id", args.old_worker_instance_id.as_str())?;
            optional_text("capability hash", args.capability_hash.as_deref())?;
            json_object("attempt policy", &args.attempt_policy_json)
        }
        Call::IssueGrantAndClaim { args } => {
            lane(&args.lane_id)?;
            lease_ttl(args.lease_duration_ms)
        }
        Call::ChangePriority { args } => {
            if !args.lane_id.as_str().is_empty() {
                lane(&args.lane_id)?;
            }
            instant("now", args.now)
        }
        Call::Renew { handle } | Call::WaitChildren { handle } => open(settings, handle),
        Call::RenewLease { args } => {
            fence(args.fence.as_ref(), None)?;
            lease_ttl(args.lease_ttl_ms)?;
            integer("lease_history_grace_ms", args.lease_history_grace_ms)
        }
        Call::Delay { handle, delay_until } => {
            open(settings, handle)?;
            positive("delay_until", *delay_until)
        }
        Call::CompleteExecution { args } => {
            fence(args.fence.as_ref(), Some(&args.source))?;
            optional_text("result encoding", args.result_encoding.as_deref())?;
            payload("result", args.result_payload.as_deref())?;
            instant("now", args.now)
        }
        Call::FailExecution { args } => {
            fence(args.fence.as_ref(), Some(&args.source))?;
            text("failure category", &args.failure_category)?;
            text("failure reason", &args.failure_reason)?;
            text("retry policy", &args.retry_policy_json)?;
            if let Some(policy) = parse_retry_policy(&args.retry_policy_json)? {
                retry_policy(&policy)?;
                every_leaf(&json_of(&policy)?)?;
            }
            json_object("next attempt policy", &args.next_attempt_policy_json)
        }
        Call::Progress { handle, percent, message } => {
            open(settings, handle)?;
            if percent.is_some_and(|percent| percent > 100) {
                return Err(EngineError::invalid_input("progress goes up to 100 percent"));
            }
            optional_text("progress message", message.as_deref())
        }
        Call::Complete { handle, payload: result } => {
            open(settings, handle)?;
            payload("result", result.as_deref())
        }
        Call::Fail { handle, reason, .. } => {
            open(settings, handle)?;
            text("failure reason", &reason.message)?;
            payload("failure detail", reason.detail.as_deref())
        }
        Call::Cancel { handle, reason } => {
            open(settings, handle)?;
            text("cancellation reason", reason)
        }
        Call::ReplayExecution { args } => instant("now", args.now),
        Call::CancelExecution { args } => {
            instant("now", args.now)?;
            text("cancellation reason", &args.reason)?;
            text("source", args.source.as_str())?;
            integer("lease epoch", args.lease_epoch.map_or(0, |epoch| epoch.0))
        }
        Call::RegisterWorker { args } => register_worker(args),
        Call::HeartbeatWorker { args } => {
            registered(&args.namespace, &args.worker_instance_id)?;
            instant("now", args.now)
        }
        Call::MarkWorkerDead { args } => {
            registered(&args.namespace, &args.worker_instance_id)?;
            let reason = &args.reason;
            if reason.len() > MARK_WORKER_DEAD_REASON_MAX_BYTES || reason.contains(char::is_control)
            {
                return Err(EngineError::invalid_input("reason: at most 256 bytes of text"));
            }
            instant("now", args.now)
        }
        Call::ListWorkers { args } => match (&args.namespace, &args.after) {
            (Some(namespace), after) => {
                registry_name("namespace", namespace.as_str())?;
                optional_text("cursor", after.as_ref().map(WorkerInstanceId::as_str))
            }
            (None, Some(cursor)) => {
                text("cursor", cursor.as_str())?;
                worker_after(cursor).map(drop)
            }
            (None, None) => Ok(()),
        },
        Call::ListExpiredLeases { args } => {
            instant("as_of", args.as_of)?;
            if let Some(after) = &args.after {
                instant("expires_at_ms", after.expires_at_ms)?;
            }
            if args.max_partitions_per_call == Some(0) {
                return Err(EngineError::invalid_input("no list comes of 0 partitions"));
            }
            optional_text("namespace", args.namespace.as_ref().map(Namespace::as_str))
        }
        Call::BlockRoute { args } => {
            lane(&args.lane_id)?;
            same_partition(args.partition, &args.execution_id)?;
            text("reason detail", &args.reason_detail)?;
            instant("now", args.now)?;
            blocking_reason(&args.reason_code, &[Denial::WaitingForCapableWorker])
        }
        Call::BlockExecutionForAdmission { args } => {
            lane(&args.lane_id)?;
            same_partition(args.partition, &args.execution_id)?;
            optional_text("reason detail", args.reason_detail.as_deref())?;
            instant("now", args.now)
        }
        Call::UnblockExecution {
            partition,
            execution_id,
            expected_blocking_reason,
            now_ms,
            ..
        } => {
            same_partition(*partition, execution_id)?;
            instant("now_ms", *now_ms)?;
            blocking_reason(
                expected_blocking_reason,
                &[
                    Denial::WaitingForBudget,
                    Denial::WaitingForCapableWorker,
                    Denial::WaitingForQuota,
                ],
            )
        }
        Call::PromoteDelayed { partition, execution_id, now_ms, .. }
        | Call::ExpireExecution { partition, execution_id, now_ms, .. }
        | Call::ExpireSuspension { partition, execution_id, now_ms } => {
            same_partition(*partition, execution_id)?;
            instant("now_ms", *now_ms)
        }
        Call::MarkLeaseExpiredIfDue { partition, execution_id }
        | Call::ReadExecCoreFields { partition, execution_id, .. } => {
            same_partition(*partition, execution_id)
        }
        Call::CreateFlow { args } => {
            name("flow kind", &args.flow_kind)?;
            name("namespace", args.namespace.as_str())?;
            instant("now", args.now)
        }
        Call::AddExecutionToFlow { args } => {
            instant("now", args.now)?;
            let flow = flow_partition(&args.flow_id, &settings.partitions).index;
            let execution = args.execution_id.partition();
            if flow == execution {
                return Ok(());
            }
            Err(EngineError::invalid_input(format!(
                "the flow is in partition {flow}, the execution in {execution}"
            )))
        }
        Call::ListFlows { partition, cursor, limit } => {
            list_flows(settings, partition, cursor.as_ref())?;
            integer("limit", *limit as u64)
        }
        Call::RotateWaitpointHmacSecretAll { args } => suspension::check_rotation(args),
        Call::SeedWaitpointHmacSecret { args } => suspension::check_seed(args),
        Call::CreateWaitpoint { handle, waitpoint_key, expires_in } => {
            open(settings, handle)?;
            suspension::check_waitpoint(waitpoint_key, *expires_in)
        }
        Call::ReadWaitpointToken { partition, .. } => partition_here(settings, partition).map(drop),
        Call::CloseWaitpoint { partition, execution_id, waitpoint_id, now_ms } => {
            same_partition(*partition, execution_id)?;
            suspension::parsed_waitpoint(waitpoint_id)?;
            instant("now_ms", *now_ms)
        }
        Call::Suspend { handle, args } => {
            open(settings, handle)?;
            suspend(args)
        }
        Call::SuspendByTriple { triple, args, .. } => {
            integer("lease epoch", triple.lease_epoch.0)?;
            suspend(args)
        }
        Call::DeliverSignal { args } => deliver_signal(args),
        Call::DeliverApprovalSignal { args } => deliver_approval(args),
        Call::ObserveSignals { handle } => HandlePayload::open(settings.tag, handle).map(drop),
        Call::ResumeExecution { args } => {
            suspension::check_trigger(&args.trigger_type)?;
            integer("resume_delay_ms", args.resume_delay_ms)
        }
        Call::SetEdgeGroupPolicy { policy, .. } => group_policy(*policy),
        Call::StageDependencyEdge { args } => stage_edge(args),
        Call::ApplyDependencyToChild { args } => {
            instant("now", args.now)?;
            integer("graph_revision", args.graph_revision)
        }
        Call::CancelFlowHeader { args } => {
            cancellation_policy(args)?;
            text("cancellation reason", &args.reason)?;
            instant("now", args.now)
        }
        Call::ResolveDependency { args } => {
            home_of(settings, args.partition, &args.flow_id)?;
            upstream_outcome(args)?;
            instant("now", args.now)
        }
        Call::CascadeCompletion { payload: completion } => {
            text("outcome", &completion.outcome)?;
            payload("result", completion.payload_bytes.as_deref())?;
            instant("produced_at_ms", completion.produced_at_ms)
        }
        Call::DrainSiblingCancelGroup { flow_partition, flow_id, .. }
        | Call::ReconcileSiblingCancelGroup { flow_partition, flow_id, .. } => {
            home_of(settings, *flow_partition, flow_id)
        }
        Call::ProjectFlowSummary { partition, flow_id, now_ms } => {
            home_of(settings, *partition, flow_id)?;
            instant("now_ms", *now_ms)
        }
        _ => Ok(()),
    }
}
