//! What can be said of a call's arguments without looking into the store (SYS-015, step one and
//! two).

use std::collections::BTreeSet;
use std::fmt::Display;

use ff_core::backend::{
    CancelFlowPolicy, Handle, HandleKind, HandlePayload, IdempotencyKey, Namespace, ScannerFilter,
    SuspendArgs,
};
use ff_core::call::Call;
use ff_core::contracts::{
    BlockingReason as Denial, CancelFlowArgs, ClaimExecutionArgs, CreateExecutionArgs,
    DeliverApprovalSignalArgs, DeliverSignalArgs, EdgeDependencyPolicy, IssueClaimGrantArgs,
    IssueReclaimGrantArgs, MARK_WORKER_DEAD_REASON_MAX_BYTES, RegisterWorkerArgs,
    ResolveDependencyArgs, StageDependencyEdgeArgs,
};
use ff_core::engine_backend::validate_tag_key;
use ff_core::engine_error::{ConflictKind, EngineError, StateKind, ValidationKind};
use ff_core::partition::{Partition, PartitionFamily, PartitionKey, flow_partition};
use ff_core::policy::{
    BackoffStrategy, CAPS_MAX_BYTES, CAPS_MAX_TOKENS, ExecutionPolicy, RetryPolicy,
};
use ff_core::state::TerminalOutcome;
use ff_core::types::{
    CancelSource, ExecutionId, FlowId, LaneId, LeaseFence, MAX_INTEGER, TimestampMs, WorkerId,
    WorkerInstanceId,
};
use serde::Serialize;
use serde_json::Value;

use crate::engine::Settings;
use crate::executions::{parse_retry_policy, worker_after};
use crate::page::partition_of;
use crate::{suspension, tags};

/// The longest payload and the longest text, in bytes (SYS-031, SYS-032).
const MAX_BYTES: usize = 64 * 1024;

/// The most budgets that a policy names (EXE-043).
const MAX_BUDGETS: usize = 64;

/// The largest quorum (DEP-050).
const MAX_QUORUM: u32 = i32::MAX.unsigned_abs();

/// The most lanes of a worker, and the longest names in the registry in bytes (WRK-002, WRK-016).
const MAX_LANES: usize = 64;
const MAX_REGISTRY_NAME: usize = 1_024;

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
            same_partition(partition_of(&grant.partition_key)?, &grant.execution_id)
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

/// WRK-002.
fn register_worker(args: &RegisterWorkerArgs) -> Check {
    name("worker id", args.worker_id.as_str())?;
    registered(&args.namespace, &args.worker_instance_id)?;
    if args.lanes.is_empty() || args.lanes.len() > MAX_LANES {
        let detail = format!("a worker serves 1 to {MAX_LANES} lanes");
        return Err(EngineError::invalid_input(detail));
    }
    args.lanes.iter().try_for_each(lane)?;
    if args.liveness_ttl_ms == 0 {
        return Err(EngineError::invalid_input("a worker is not registered for 0 ms"));
    }
    integer("liveness_ttl_ms", args.liveness_ttl_ms)?;
    instant("now", args.now)?;
    requirements(&args.capabilities)
}

/// Names that the registry can have (WRK-016).
fn registered(namespace: &Namespace, instance: &WorkerInstanceId) -> Check {
    registry_name("namespace", namespace.as_str())?;
    registry_name("worker instance id", instance.as_str())
}

fn registry_name(what: &str, given: &str) -> Check {
    name(what, given)?;
    if given.len() > MAX_REGISTRY_NAME {
        let detail = format!("a {what} in the registry has at most {MAX_REGISTRY_NAME} bytes");
        return Err(EngineError::invalid_input(detail));
    }
    Ok(())
}

/// Only these reasons are what the call is for (SCH-011, SCH-014).
fn blocking_reason(given: &str, known: &[Denial]) -> Check {
    if known.iter().any(|reason| reason.reason_code() == given) {
        return Ok(());
    }
    let detail = format!("this call knows no reason {given:?}");
    Err(EngineError::validation(ValidationKind::InvalidBlockingReason, detail))
}

/// CLM-019.
fn issue_claim_grant(args: &IssueClaimGrantArgs) -> Check {
    worker(&args.lane_id, &args.worker_id, &args.worker_instance_id)?;
    same_partition(args.partition, &args.execution_id)?;
    instant("now", args.now)?;
    let kept = [&args.admission_summary, &args.capability_hash, &args.route_snapshot_json];
    grant(args.grant_ttl_ms, kept)?;
    requirements(&args.worker_capabilities)
}

/// LSE-032.
fn issue_reclaim_grant(args: &IssueReclaimGrantArgs) -> Check {
    worker(&args.lane_id, &args.worker_id, &args.worker_instance_id)?;
    instant("now", args.now)?;
    let kept = [&args.admission_summary, &args.capability_hash, &args.route_snapshot_json];
    grant(args.grant_ttl_ms, kept)?;
    requirements(&args.worker_capabilities)
}

/// How long a grant lasts, and the texts that are kept with it.
fn grant(millis: u64, kept: [&Option<String>; 3]) -> Check {
    if millis == 0 {
        return Err(EngineError::invalid_input("a grant of 0 ms grants nothing"));
    }
    integer("grant_ttl_ms", millis)?;
    kept.into_iter().try_for_each(|given| optional_text("text of the grant", given.as_deref()))
}

/// CLM-025.
fn claim_execution(args: &ClaimExecutionArgs) -> Check {
    worker(&args.lane_id, &args.worker_id, &args.worker_instance_id)?;
    lease_ttl(args.lease_ttl_ms)?;
    if args.attempt_timeout_ms == Some(0) {
        return Err(EngineError::invalid_input("an attempt cannot last for 0 ms"));
    }
    integer("attempt_timeout_ms", args.attempt_timeout_ms.unwrap_or(0))?;
    if let Some(deadline) = args.execution_deadline_at {
        positive("execution_deadline_at", TimestampMs(deadline))?;
    }
    json_object("attempt policy", &args.attempt_policy_json)?;
    instant("now", args.now)
}

/// The fence of a caller without a handle; only some calls of an operator need none (LSE-006, LSE-020).
fn fence(given: Option<&LeaseFence>, source: Option<&CancelSource>) -> Check {
    if let Some(source) = source {
        text("source", source.as_str())?;
    }
    match given {
        Some(fence) => integer("lease epoch", fence.lease_epoch.0),
        None if source == Some(&CancelSource::OperatorOverride) => Ok(()),
        None => Err(EngineError::invalid_input("fence_required")),
    }
}

/// Empty, or an object in JSON.
fn json_object(what: &str, given: &str) -> Check {
    text(what, given)?;
    if given.is_empty() {
        return Ok(());
    }
    let parsed = serde_json::from_str::<serde_json::Map<String, Value>>(given);
    parsed.map(drop).map_err(|error| not_understood(format!("the {what}: {error}")))
}

/// Who claims, and from which lane.
fn worker(lane_id: &LaneId, worker: &WorkerId, instance: &WorkerInstanceId) -> Check {
    lane(lane_id)?;
    name("worker id", worker.as_str())?;
    name("worker instance id", instance.as_str())
}

fn lease_ttl(millis: u64) -> Check {
    if millis == 0 {
        return Err(EngineError::invalid_input("a lease of 0 ms holds nothing"));
    }
    integer("lease_ttl_ms", millis)
}

fn create_execution(settings: &Settings, args: &CreateExecutionArgs) -> Check {
    lane(&args.lane_id)?;
    name("namespace", args.namespace.as_str())?;
    name("execution kind", &args.execution_kind)?;
    text("creator identity", &args.creator_identity)?;
    optional_text("payload encoding", args.payload_encoding.as_deref())?;
    optional_text("idempotency key", args.idempotency_key.as_deref())?;
    let partition = args.execution_id.partition();
    if args.partition_id != partition {
        return Err(EngineError::invalid_input(format!(
            "partition {} is not that of {}",
            args.partition_id, args.execution_id
        )));
    }
    if partition >= settings.partitions.num_flow_partitions {
        return Err(EngineError::invalid_input(format!(
            "partition {partition} does not exist, there are {}",
            settings.partitions.num_flow_partitions
        )));
    }
    instant("now", args.now)?;
    for (what, at) in
        [("delay_until", args.delay_until), ("execution_deadline_at", args.execution_deadline_at)]
    {
        at.map_or(Ok(()), |at| positive(what, at))?;
    }
    for (key, value) in &args.tags {
        validate_tag_key(key)?;
        text("tag value", value)?;
    }
    tags::check(&args.tags)?;
    args.policy.as_ref().map_or(Ok(()), policy)?;
    payload("payload", Some(&args.input_payload))
}

/// A policy that is stored takes effect, so every part of it must be understood (EXE-037).
fn policy(policy: &ExecutionPolicy) -> Check {
    policy.retry_policy.as_ref().map_or(Ok(()), retry_policy)?;
    if let Some(routing) = &policy.routing_requirements {
        requirements(&routing.required_capabilities)?;
    }
    if let Some(stream) = &policy.stream_policy {
        let modes = ["durable", "durable_summary", "best_effort_live"];
        one_of("durability_mode", &stream.durability_mode, &modes)?;
    }
    if let Some(suspension) = &policy.suspension_policy {
        let behaviors = ["fail", "cancel", "expire", "auto_resume_with_timeout_signal", "escalate"];
        one_of("timeout_behavior", &suspension.timeout_behavior, &behaviors)?;
    }
    let value = json_of(policy)?;
    every_leaf(&value)?;
    let (budgets, bytes) = (policy.budget_ids.len(), value.to_string().len());
    if budgets > MAX_BUDGETS || bytes > MAX_BYTES {
        return Err(not_understood(format!(
            "{budgets} budget ids, at most {MAX_BUDGETS}; {bytes} bytes, at most {MAX_BYTES}"
        )));
    }
    Ok(())
}

/// ATT-013, ATT-034.
fn retry_policy(policy: &RetryPolicy) -> Check {
    match policy.backoff {
        BackoffStrategy::Exponential { multiplier, .. }
            if !(multiplier.is_finite() && multiplier >= 0.0) =>
        {
            Err(not_understood(format!("a backoff cannot grow by {multiplier}")))
        }
        _ => Ok(()),
    }
}

fn json_of(policy: &impl Serialize) -> Result<Value, EngineError> {
    serde_json::to_value(policy).map_err(|error| not_understood(error.to_string()))
}

fn not_understood(detail: String) -> EngineError {
    EngineError::validation(ValidationKind::InvalidPolicyJson, detail)
}

/// Texts and numbers anywhere inside a policy.
fn every_leaf(value: &Value) -> Check {
    match value {
        Value::String(leaf) => text("policy", leaf),
        Value::Number(number) => {
            let magnitude = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            magnitude.map_or(Ok(()), |magnitude| integer("policy", magnitude))
        }
        Value::Array(items) => items.iter().try_for_each(every_leaf),
        Value::Object(fields) => fields.values().try_for_each(every_leaf),
        Value::Null | Value::Bool(_) => Ok(()),
    }
}

fn suspend(args: &SuspendArgs) -> Check {
    suspension::check_suspension(args)?;
    optional_text("continuation pointer", args.continuation_metadata_pointer.as_deref())?;
    optional_text("idempotency key", args.idempotency_key.as_ref().map(IdempotencyKey::as_str))?;
    let condition = serde_json::to_value(&args.resume_condition)
        .map_err(|error| EngineError::invalid_input(error.to_string()))?;
    let bytes = condition.to_string().len();
    if bytes > MAX_BYTES {
        let why = format!("the condition has {bytes} bytes in JSON, at most {MAX_BYTES}");
        return Err(EngineError::invalid_input(why));
    }
    integer("resume_delay_ms", args.resume_policy.resume_delay_ms.unwrap_or(0))?;
    args.timeout_at.map_or(Ok(()), |at| instant("timeout_at", at))?;
    instant("now", args.now)
}

/// SIG-001 to SIG-003.
fn deliver_signal(args: &DeliverSignalArgs) -> Check {
    suspension::check_signal_name(&args.signal_name)?;
    payload("signal's payload", args.payload.as_deref())?;
    text("signal category", &args.signal_category)?;
    text("source type", &args.source_type)?;
    text("source identity", &args.source_identity)?;
    text("target scope", &args.target_scope)?;
    optional_text("correlation id", args.correlation_id.as_deref())?;
    optional_text("idempotency key", args.idempotency_key.as_deref())?;
    optional_text("payload encoding", args.payload_encoding.as_deref())?;
    integers([
        ("dedup_ttl_ms", args.dedup_ttl_ms),
        ("max_signals_per_execution", args.max_signals_per_execution),
        ("resume_delay_ms", args.resume_delay_ms),
        ("signal_maxlen", args.signal_maxlen),
    ])?;
    args.created_at.map_or(Ok(()), |at| instant("created_at", at))?;
    instant("now", args.now)
}

/// SIG-017.
fn deliver_approval(args: &DeliverApprovalSignalArgs) -> Check {
    suspension::check_signal_name(&args.signal_name)?;
    text("idempotency suffix", &args.idempotency_suffix)?;
    lane(&args.lane_id)?;
    integers([
        ("signal_dedup_ttl_ms", Some(args.signal_dedup_ttl_ms)),
        ("max_signals_per_execution", args.max_signals_per_execution),
        ("maxlen", args.maxlen),
    ])
}

fn one_of(what: &str, given: &str, known: &[&str]) -> Check {
    if known.contains(&given) {
        return Ok(());
    }
    Err(EngineError::invalid_input(format!("{what} {given:?} is none of {}", known.join(", "))))
}

/// Capability tokens, required or offered (EXE-004, SCH-004).
fn requirements(tokens: &BTreeSet<String>) -> Check {
    let refuse =
        |detail: String| Err(EngineError::validation(ValidationKind::InvalidCapabilities, detail));
    if tokens.len() > CAPS_MAX_TOKENS {
        return refuse(format!("{} tokens, at most {CAPS_MAX_TOKENS}", tokens.len()));
    }
    let bad = |c: char| c == ',' || c.is_whitespace() || c.is_control();
    if let Some(token) = tokens.iter().find(|t| t.is_empty() || t.contains(bad)) {
        return refuse(format!(
            "token {token:?} is empty or has a comma, white space or a control character"
        ));
    }
    let commas = tokens.len().saturating_sub(1);
    let bytes = tokens.iter().map(String::len).sum::<usize>() + commas;
    if bytes > CAPS_MAX_BYTES {
        return refuse(format!("{bytes} bytes, at most {CAPS_MAX_BYTES}"));
    }
    Ok(())
}

fn stage_edge(args: &StageDependencyEdgeArgs) -> Check {
    if args.upstream_execution_id == args.downstream_execution_id {
        return Err(EngineError::Conflict(ConflictKind::SelfReferencingEdge));
    }
    name("dependency kind", &args.dependency_kind)?;
    optional_text("data reference", args.data_passing_ref.as_deref())?;
    integer("expected_graph_revision", args.expected_graph_revision)?;
    instant("now", args.now)
}

/// A handle of this backend that stands for a lease (SYS-025, SYS-026, SYS-030).
fn open(settings: &Settings, handle: &Handle) -> Check {
    HandlePayload::open(settings.tag, handle)?;
    match handle.kind {
        HandleKind::Suspended => Err(EngineError::State(StateKind::AlreadySuspended)),
        _ => Ok(()),
    }
}

/// A partition of this deployment that holds executions and flows.
fn partition_here(settings: &Settings, key: &PartitionKey) -> Result<Partition, EngineError> {
    let partition = partition_of(key)?;
    holds_executions(settings, partition).map(|()| partition)
}

/// Whether the partition is of this deployment, and of the family that flows and executions share.
fn holds_executions(settings: &Settings, partition: Partition) -> Check {
    let (tag, count) = (partition.hash_tag(), settings.partitions.num_flow_partitions);
    if !is_of_flows(partition) {
        return Err(EngineError::invalid_input(format!("{tag} holds no executions and no flows")));
    }
    if partition.index < count {
        return Ok(());
    }
    let detail = format!("{tag} is beyond the {count} partitions of this deployment");
    Err(EngineError::invalid_input(detail))
}

fn scanner_filter(filter: &ScannerFilter) -> Check {
    optional_text("namespace", filter.namespace.as_ref().map(Namespace::as_str))?;
    match &filter.instance_tag {
        Some((key, value)) => {
            validate_tag_key(key)?;
            text("tag value", value)
        }
        None => Ok(()),
    }
}

fn is_of_flows(partition: Partition) -> bool {
    matches!(partition.family, PartitionFamily::Flow | PartitionFamily::Execution)
}

/// The arguments of `Housekeeping::due` (HSK-001).
pub fn housekeeping(settings: &Settings, key: &PartitionKey, limit: usize) -> Check {
    partition_here(settings, key)?;
    integer("limit", limit as u64)
}

fn list_executions(settings: &Settings, key: &PartitionKey, cursor: Option<&ExecutionId>) -> Check {
    let partition = partition_here(settings, key)?;
    match cursor {
        Some(cursor) => same_partition(partition, cursor),
        None => Ok(()),
    }
}

fn list_flows(settings: &Settings, key: &PartitionKey, cursor: Option<&FlowId>) -> Check {
    let partition = partition_here(settings, key)?;
    let home = |flow: &FlowId| flow_partition(flow, &settings.partitions).index;
    match cursor {
        Some(cursor) if home(cursor) != partition.index => {
            Err(EngineError::invalid_input(format!("{cursor} does not live in {key}")))
        }
        _ => Ok(()),
    }
}

/// The policy that a header names (CAN-001).
pub(crate) fn cancellation_policy(args: &CancelFlowArgs) -> Result<CancelFlowPolicy, EngineError> {
    let given = args.cancellation_policy.as_str();
    given
        .parse()
        .map_err(|_| EngineError::invalid_input(format!("{given:?} is no cancellation policy")))
}

/// The outcome that an upstream's end is counted with (DEP-010).
pub(crate) fn upstream_outcome(
    args: &ResolveDependencyArgs,
) -> Result<TerminalOutcome, EngineError> {
    let given = args.upstream_outcome.as_str();
    match given.parse() {
        Ok(TerminalOutcome::None) | Err(_) => {
            Err(EngineError::invalid_input(format!("{given:?} is no outcome of an execution")))
        }
        Ok(outcome) => Ok(outcome),
    }
}

/// DEP-050.
fn group_policy(policy: EdgeDependencyPolicy) -> Check {
    match policy {
        EdgeDependencyPolicy::Quorum { k, .. } if k == 0 || k > MAX_QUORUM => {
            Err(EngineError::invalid_input(format!(
                "a quorum of {k} is not between 1 and {MAX_QUORUM}"
            )))
        }
        _ => Ok(()),
    }
}

/// SYS-020.
fn same_partition(partition: Partition, execution: &ExecutionId) -> Check {
    lives_in(partition, execution.partition(), execution)
}

/// FLW-007.
fn home_of(settings: &Settings, partition: Partition, flow: &FlowId) -> Check {
    let home = flow_partition(flow, &settings.partitions).index;
    lives_in(partition, home, flow)
}

fn lives_in(partition: Partition, home: u16, record: &impl Display) -> Check {
    if is_of_flows(partition) && partition.index == home {
        return Ok(());
    }
    Err(EngineError::invalid_input(format!("{record} does not live in {}", partition.hash_tag())))
}

fn lane(lane: &LaneId) -> Check {
    lane.check().map_err(|error| EngineError::invalid_input(error.to_string()))
}

fn name(what: &str, given: &str) -> Check {
    if given.is_empty() {
        return Err(EngineError::invalid_input(format!("the {what} is empty")));
    }
    text(what, given)
}

fn optional_text(what: &str, given: Option<&str>) -> Check {
    given.map_or(Ok(()), |given| text(what, given))
}

fn text(what: &str, given: &str) -> Check {
    if given.len() > MAX_BYTES {
        return Err(EngineError::invalid_input(format!(
            "the {what} has {} bytes, at most {MAX_BYTES}",
            given.len()
        )));
    }
    if given.contains('\0') {
        return Err(EngineError::invalid_input(format!("the {what} has U+0000")));
    }
    Ok(())
}

fn payload(what: &str, given: Option<&[u8]>) -> Check {
    match given {
        Some(bytes) if bytes.len() > MAX_BYTES => Err(EngineError::validation(
            ValidationKind::PayloadTooLarge,
            format!("the {what} has {} bytes, at most {MAX_BYTES}", bytes.len()),
        )),
        _ => Ok(()),
    }
}

fn integers<const N: usize>(given: [(&str, Option<u64>); N]) -> Check {
    given.into_iter().try_for_each(|(what, given)| integer(what, given.unwrap_or(0)))
}

fn positive(what: &str, at: TimestampMs) -> Check {
    instant(what, at)?;
    if at.0 > 0 {
        return Ok(());
    }
    Err(EngineError::invalid_input(format!("{what} is not positive")))
}

fn instant(what: &str, at: TimestampMs) -> Check {
    integer(what, at.0.unsigned_abs())
}

fn integer(what: &str, magnitude: u64) -> Check {
    if magnitude <= MAX_INTEGER {
        return Ok(());
    }
    Err(EngineError::invalid_input(format!("{what}: {magnitude} is beyond 2^53 - 1")))
}
