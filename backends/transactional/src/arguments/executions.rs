//! What executions, grants and workers are given.

use ff_core::backend::Namespace;
use ff_core::contracts::{
    ClaimExecutionArgs, CreateExecutionArgs, IssueClaimGrantArgs, IssueReclaimGrantArgs,
    RegisterWorkerArgs,
};
use ff_core::engine_backend::validate_tag_key;
use ff_core::engine_error::{EngineError, ValidationKind};
use ff_core::policy::{BackoffStrategy, ExecutionPolicy, RetryPolicy};
use ff_core::types::{CancelSource, LeaseFence, TimestampMs, WorkerInstanceId};
use serde::Serialize;
use serde_json::Value;

use super::Check;
use super::places::same_partition;
use super::values::{
    instant, integer, json_object, lane, lease_ttl, name, one_of, optional_text, payload, positive,
    requirements, text, worker,
};
use crate::engine::Settings;
use crate::tags;

/// The longest payload and the longest text, in bytes (SYS-031, SYS-032).
const MAX_BYTES: usize = 64 * 1024;

/// The most budgets that a policy names (EXE-043).
const MAX_BUDGETS: usize = 64;

/// The most lanes of a worker, and the longest names in the registry in bytes (WRK-002, WRK-016).
const MAX_LANES: usize = 64;
const MAX_REGISTRY_NAME: usize = 1_024;

pub(super) fn create_execution(settings: &Settings, args: &CreateExecutionArgs) -> Check {
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
pub(super) fn policy(policy: &ExecutionPolicy) -> Check {
    policy.retry_policy.as_ref().map_or(Ok(()), retry_policy)?;
    if let Some(routing) = &policy.routing_requirements {
        requirements(&routing.required_capabilities)?;
    }
    if let Some(stream) = &policy.stream_policy {
        let modes = ["durable", "durable_summary", "best_effort_live"];
        one_of("durability_mode", &stream.durability_mode, &modes)?;
        if stream.retention_maxlen == 0 {
            return Err(not_understood("a stream that keeps no frames".to_owned()));
        }
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
pub(super) fn retry_policy(policy: &RetryPolicy) -> Check {
    match policy.backoff {
        BackoffStrategy::Exponential { multiplier, .. }
            if !(multiplier.is_finite() && multiplier >= 0.0) =>
        {
            Err(not_understood(format!("a backoff cannot grow by {multiplier}")))
        }
        _ => Ok(()),
    }
}

pub(super) fn json_of(policy: &impl Serialize) -> Result<Value, EngineError> {
    serde_json::to_value(policy).map_err(|error| not_understood(error.to_string()))
}

pub(super) fn not_understood(detail: String) -> EngineError {
    EngineError::validation(ValidationKind::InvalidPolicyJson, detail)
}

/// Texts and numbers anywhere inside a policy.
pub(super) fn every_leaf(value: &Value) -> Check {
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

/// CLM-019.
pub(super) fn issue_claim_grant(args: &IssueClaimGrantArgs) -> Check {
    worker(&args.lane_id, &args.worker_id, &args.worker_instance_id)?;
    same_partition(args.partition, &args.execution_id)?;
    instant("now", args.now)?;
    let kept = [&args.admission_summary, &args.capability_hash, &args.route_snapshot_json];
    grant(args.grant_ttl_ms, kept)?;
    requirements(&args.worker_capabilities)
}

/// LSE-032.
pub(super) fn issue_reclaim_grant(args: &IssueReclaimGrantArgs) -> Check {
    worker(&args.lane_id, &args.worker_id, &args.worker_instance_id)?;
    instant("now", args.now)?;
    let kept = [&args.admission_summary, &args.capability_hash, &args.route_snapshot_json];
    grant(args.grant_ttl_ms, kept)?;
    requirements(&args.worker_capabilities)
}

/// How long a grant lasts, and the texts that are kept with it.
pub(super) fn grant(millis: u64, kept: [&Option<String>; 3]) -> Check {
    if millis == 0 {
        return Err(EngineError::invalid_input("a grant of 0 ms grants nothing"));
    }
    integer("grant_ttl_ms", millis)?;
    kept.into_iter().try_for_each(|given| optional_text("text of the grant", given.as_deref()))
}

/// CLM-025.
pub(super) fn claim_execution(args: &ClaimExecutionArgs) -> Check {
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
pub(super) fn fence(given: Option<&LeaseFence>, source: Option<&CancelSource>) -> Check {
    if let Some(source) = source {
        text("source", source.as_str())?;
    }
    match given {
        Some(fence) => integer("lease epoch", fence.lease_epoch.0),
        None if source == Some(&CancelSource::OperatorOverride) => Ok(()),
        None => Err(EngineError::invalid_input("fence_required")),
    }
}

/// WRK-002.
pub(super) fn register_worker(args: &RegisterWorkerArgs) -> Check {
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
pub(super) fn registered(namespace: &Namespace, instance: &WorkerInstanceId) -> Check {
    registry_name("namespace", namespace.as_str())?;
    registry_name("worker instance id", instance.as_str())
}

pub(super) fn registry_name(what: &str, given: &str) -> Check {
    name(what, given)?;
    if given.len() > MAX_REGISTRY_NAME {
        let detail = format!("a {what} in the registry has at most {MAX_REGISTRY_NAME} bytes");
        return Err(EngineError::invalid_input(detail));
    }
    Ok(())
}
