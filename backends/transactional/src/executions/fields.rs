//! Fields of an execution by name.

use std::collections::HashMap;

use ff_core::types::ExecutionId;

use super::reads::blocking_reason;
use crate::engine::Rule;
use crate::records::Execution;
use crate::requirements;
use crate::session::Session;
use crate::store::Tx;

/// One entry for each distinct name; `None` for what is unknown, unset or not there (EXE-025).
pub(crate) async fn read_core_fields<T: Tx>(
    tx: &mut Session<T>,
    id: &ExecutionId,
    names: &[String],
) -> Rule<HashMap<String, Option<String>>> {
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let execution = tx.get(Execution::at(id)).await?;
    let value = |name: &str| field(execution.as_ref()?, name).filter(|text| !text.is_empty());
    Ok(names.iter().map(|name| (name.clone(), value(name))).collect())
}

/// The field's text (EXE-027), under its name or an alias (EXE-026).
fn field(execution: &Execution, name: &str) -> Option<String> {
    let lease = execution.lease.as_ref();
    let suspended = execution.suspended();
    let policy = execution.policy.as_ref();
    let text = |value: &dyn ToString| Some(value.to_string());
    match name {
        "execution_id" => text(&execution.id),
        "namespace" => text(&execution.namespace),
        "lane_id" => text(&execution.lane),
        "execution_kind" => text(&execution.kind),
        "partition_id" => text(&execution.id.partition()),
        "creator_identity" => text(&execution.creator_identity),
        "payload_encoding" => execution.payload_encoding.clone(),
        "flow_id" => Some(execution.flow?.to_string()),
        "priority" => text(&execution.priority),
        "required_capabilities" => Some(requirements::join(&execution.requirements)),
        "budget_ids" => {
            let mut ids: Vec<_> = policy?.budget_ids.iter().map(ToString::to_string).collect();
            ids.sort();
            Some(ids.join(","))
        }
        "lifecycle_phase" => text(&execution.phase.as_str()),
        "ownership_state" => text(&execution.ownership.as_str()),
        "eligibility_state" => text(&execution.eligibility.as_str()),
        "blocking_reason" => blocking_reason(execution),
        "blocking_detail" => text(&execution.blocking_detail),
        "terminal_outcome" => text(&execution.outcome.as_str()),
        "attempt_state" => text(&execution.attempt_state.as_str()),
        "public_state" => text(&execution.public_state().as_str()),
        "total_attempt_count" => text(&execution.total_attempts),
        "current_attempt_index" | "attempt_index" => text(&execution.attempt?.index),
        "current_attempt_id" => text(&execution.attempt?.id),
        "retry_count" => text(&execution.retry_count),
        "replay_count" => text(&execution.replay_count),
        "lease_reclaim_count" => text(&execution.reclaim_count),
        "current_lease_id" => text(&lease?.id),
        "current_lease_epoch" => text(&execution.epoch),
        "current_worker_id" => text(&lease?.worker),
        "current_worker_instance_id" => text(&lease?.worker_instance),
        "lease_acquired_at" => text(&lease?.acquired_at),
        "lease_expires_at" => text(&lease?.expires_at),
        "lease_last_renewed_at" => text(&lease?.renewed_at?),
        "lease_expired_at" => text(&execution.lease_expired_at?),
        "lease_revoked_at" => text(&execution.lease_revoked_at?),
        "lease_revoke_reason" => execution.lease_revoke_reason.clone(),
        "created_at" | "created_at_ms" => text(&execution.created_at),
        "started_at" => text(&execution.started_at?),
        "completed_at" | "completed_at_ms" | "terminal_at_ms" => text(&execution.completed_at?),
        "last_transition_at" => text(&execution.last_transition_at),
        "last_mutation_at" => text(&execution.last_mutation_at),
        "delay_until" => text(&execution.delay_until?),
        "execution_deadline_at" | "deadline_at_ms" => text(&execution.deadline_at?),
        "failure_reason" => execution.failure_reason.clone(),
        "failure_category" => execution.failure_category.clone(),
        "cancellation_reason" | "cancel_reason" => execution.cancellation_reason.clone(),
        "cancelled_by" => execution.cancelled_by.clone(),
        "progress_percent" | "progress_pct" => text(&execution.progress_percent?),
        "progress_message" => execution.progress_message.clone(),
        "current_waitpoint_id" => text(&suspended?.waitpoint),
        "current_suspension_id" => text(&suspended?.id),
        _ => None,
    }
}
