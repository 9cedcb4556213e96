//! Everything the trait shows of an execution, as one comparable value.

use std::collections::BTreeMap;
use std::fmt;

use ff_core::call::Method;
use ff_core::engine_backend::EngineBackend;
use ff_core::types::ExecutionId;
use serde::Serialize;
use serde_json::Value;

use super::failure::Failure;
use super::world::World;

/// What can be read of an execution, by the name of the read and the field.
#[derive(Clone, PartialEq, Eq)]
pub struct Observation(BTreeMap<String, String>);

impl Observation {
    /// One field of it.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let ends = format!(".{name}");
        let found = self.0.iter().find(|(known, _)| *known == name || known.ends_with(&ends));
        found.map(|(_, value)| value.as_str())
    }

    /// The observation without the fields whose name ends like this.
    #[must_use]
    pub fn without(mut self, endings: &[&str]) -> Self {
        self.0.retain(|name, _| !endings.iter().any(|ending| name.ends_with(ending)));
        self
    }
}

impl fmt::Debug for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.0).finish()
    }
}

/// Every field that `read_exec_core_fields` knows.
pub(crate) const CORE_FIELDS: [&str; 50] = [
    "execution_id",
    "namespace",
    "lane_id",
    "execution_kind",
    "partition_id",
    "creator_identity",
    "payload_encoding",
    "flow_id",
    "priority",
    "required_capabilities",
    "budget_ids",
    "lifecycle_phase",
    "ownership_state",
    "eligibility_state",
    "blocking_reason",
    "blocking_detail",
    "terminal_outcome",
    "attempt_state",
    "public_state",
    "total_attempt_count",
    "current_attempt_index",
    "current_attempt_id",
    "retry_count",
    "replay_count",
    "lease_reclaim_count",
    "current_lease_id",
    "current_lease_epoch",
    "current_worker_id",
    "current_worker_instance_id",
    "lease_acquired_at",
    "lease_expires_at",
    "lease_last_renewed_at",
    "lease_expired_at",
    "lease_revoked_at",
    "lease_revoke_reason",
    "created_at",
    "started_at",
    "completed_at",
    "last_transition_at",
    "last_mutation_at",
    "delay_until",
    "execution_deadline_at",
    "failure_reason",
    "failure_category",
    "cancellation_reason",
    "cancelled_by",
    "progress_percent",
    "progress_message",
    "current_waitpoint_id",
    "current_suspension_id",
];

impl World {
    /// Reads everything the backend claims to show of an execution, so that "changes nothing" is
    /// one comparison and stays true when a field is added.
    pub async fn observe(&self, id: &ExecutionId) -> Result<Observation, Failure> {
        let mut seen = BTreeMap::new();
        if self.claims(Method::DescribeExecution) {
            let snapshot = self.describe_execution(id).await?;
            flatten(&mut seen, "describe", &snapshot);
            if snapshot.is_none() {
                return Ok(Observation(seen));
            }
        }
        if self.claims(Method::ReadExecutionInfo) {
            flatten(&mut seen, "info", &self.read_execution_info(id).await?);
        }
        if self.claims(Method::ReadExecutionState) {
            flatten(&mut seen, "state", &self.read_execution_state(id).await?);
        }
        if self.claims(Method::ReadExecutionContext) {
            let context = self.read_execution_context(id).await?;
            seen.insert("payload".to_owned(), bytes(&context.input_payload));
            let tags: BTreeMap<_, _> = context.tags.into_iter().collect();
            flatten(&mut seen, "context.tags", &tags);
        }
        if self.claims(Method::GetExecutionResult) {
            let result = self.get_execution_result(id).await?;
            seen.insert(
                "result".to_owned(),
                result.map_or_else(|| "none".to_owned(), |result| bytes(&result)),
            );
        }
        if self.claims(Method::ReadExecCoreFields) {
            let partition = self.partition_of(id);
            let fields = self.read_exec_core_fields(partition, id, &CORE_FIELDS).await?;
            let fields: BTreeMap<_, _> = fields.into_iter().collect();
            flatten(&mut seen, "field", &fields);
        }
        Ok(Observation(seen))
    }
}

fn flatten(into: &mut BTreeMap<String, String>, name: &str, value: &impl Serialize) {
    match serde_json::to_value(value) {
        Ok(value) => leaves(into, name, &value),
        Err(error) => {
            into.insert(name.to_owned(), error.to_string());
        }
    }
}

fn leaves(into: &mut BTreeMap<String, String>, name: &str, value: &Value) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                leaves(into, &format!("{name}.{field}"), value);
            }
        }
        Value::String(text) => {
            into.insert(name.to_owned(), text.clone());
        }
        other => {
            into.insert(name.to_owned(), other.to_string());
        }
    }
}

/// Short payloads as text, long ones by length and checksum, so that a difference can be read.
pub(crate) fn bytes(bytes: &[u8]) -> String {
    if bytes.len() <= 64 {
        return format!("b\"{}\"", bytes.escape_ascii());
    }
    let sum =
        bytes.iter().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    format!("{} bytes, checksum {sum:016x}", bytes.len())
}
