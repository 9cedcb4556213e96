//! Executions as rows.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::LazyLock;

use ff_core::backend::Namespace;
use ff_core::state::{AttemptState, LifecyclePhase, TerminalOutcome};
use ff_core::types::{
    AttemptId, AttemptIndex, ExecutionId, FlowId, LaneId, LeaseEpoch, LeaseId, TimestampMs,
    WorkerId, WorkerInstanceId,
};
use ff_transactional::{Closing, CurrentAttempt, Execution, Lease, StoreError, requirements};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row, Sqlite};
use uuid::Uuid;

/// The columns in the order in which [`bind`] fills them.
const COLUMNS: [&str; 47] = [
    "partition_key",
    "execution_id",
    "namespace",
    "lane_id",
    "execution_kind",
    "creator_identity",
    "payload_encoding",
    "priority",
    "requirements",
    "policy",
    "flow_id",
    "lifecycle_phase",
    "ownership_state",
    "eligibility_state",
    "blocking_reason",
    "blocking_detail",
    "attempt_state",
    "public_state",
    "total_attempt_count",
    "retry_count",
    "replay_count",
    "lease_reclaim_count",
    "current_attempt_index",
    "current_attempt_id",
    "lease_id",
    "lease_epoch",
    "worker_id",
    "worker_instance_id",
    "lease_acquired_at",
    "lease_renewed_at",
    "lease_expires_at",
    "lease_expired_at",
    "closing_digest",
    "closing_retry_at",
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
];

/// Stores a record, replacing the one with its id.
pub(crate) fn upsert() -> &'static str {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        let set: Vec<_> = COLUMNS[2..]
            .iter()
            .map(|column| format!("{column} = excluded.{column}"))
            .collect();
        format!(
            "INSERT INTO ff_exec_core ({}) VALUES ({}) \
             ON CONFLICT (partition_key, execution_id) DO UPDATE SET {}",
            COLUMNS.join(", "),
            vec!["?"; COLUMNS.len()].join(", "),
            set.join(", ")
        )
    });
    &SQL
}

type Statement = Query<'static, Sqlite, SqliteArguments>;

/// Fills [`upsert`].
pub(crate) fn bind(statement: Statement, record: &Execution) -> Result<Statement, StoreError> {
    let policy = record.policy.as_ref().map(text_of).transpose()?;
    let lease = record.lease.as_ref();
    let closing = record.closing.as_ref();
    let at = |time: TimestampMs| time.0;
    Ok(statement
        .bind(record.id.partition())
        .bind(record.id.uuid())
        .bind(record.namespace.0.clone())
        .bind(record.lane.0.clone())
        .bind(record.kind.clone())
        .bind(record.creator_identity.clone())
        .bind(record.payload_encoding.clone())
        .bind(record.priority)
        .bind(requirements::join(&record.requirements))
        .bind(policy)
        .bind(record.flow.map(|flow| flow.0))
        .bind(phase(record))
        .bind(record.ownership.as_str())
        .bind(record.eligibility.as_str())
        .bind(record.blocking_reason.as_str())
        .bind(record.blocking_detail.clone())
        .bind(attempt_state(record.attempt_state))
        .bind(record.public_state().as_str())
        .bind(record.total_attempts)
        .bind(record.retry_count)
        .bind(record.replay_count)
        .bind(record.reclaim_count)
        .bind(record.attempt.map(|attempt| attempt.index.0))
        .bind(record.attempt.map(|attempt| attempt.id.0))
        .bind(lease.map(|lease| lease.id.0))
        .bind(record.epoch.0.cast_signed())
        .bind(lease.map(|lease| lease.worker.0.clone()))
        .bind(lease.map(|lease| lease.worker_instance.0.clone()))
        .bind(lease.map(|lease| lease.acquired_at.0))
        .bind(lease.and_then(|lease| lease.renewed_at.map(at)))
        .bind(lease.map(|lease| lease.expires_at.0))
        .bind(record.lease_expired_at.map(at))
        .bind(closing.map(|closing| closing.digest.clone()))
        .bind(closing.and_then(|closing| closing.retry_at.map(at)))
        .bind(record.created_at.0)
        .bind(record.started_at.map(at))
        .bind(record.completed_at.map(at))
        .bind(record.last_transition_at.0)
        .bind(record.last_mutation_at.0)
        .bind(record.delay_until.map(at))
        .bind(record.deadline_at.map(at))
        .bind(record.failure_reason.clone())
        .bind(record.failure_category.clone())
        .bind(record.cancellation_reason.clone())
        .bind(record.cancelled_by.clone())
        .bind(record.progress_percent)
        .bind(record.progress_message.clone()))
}

/// Reads a record; whatever does not decode is corruption, never a default.
pub(crate) fn decode(row: &SqliteRow) -> Result<Execution, StoreError> {
    let time = |name: &str| optional::<i64>(row, name).map(|at| at.map(TimestampMs));
    let (phase, outcome) = phase_and_outcome(&get::<String>(row, "lifecycle_phase")?)?;
    let policy = optional_json(row, "policy")?;
    let lease = match optional::<Uuid>(row, "lease_id")? {
        Some(id) => Some(Lease {
            id: LeaseId(id),
            worker: WorkerId(get(row, "worker_id")?),
            worker_instance: WorkerInstanceId(get(row, "worker_instance_id")?),
            acquired_at: TimestampMs(get(row, "lease_acquired_at")?),
            renewed_at: time("lease_renewed_at")?,
            expires_at: TimestampMs(get(row, "lease_expires_at")?),
        }),
        None => None,
    };
    let attempt = match optional::<Uuid>(row, "current_attempt_id")? {
        Some(id) => Some(CurrentAttempt {
            id: AttemptId(id),
            index: AttemptIndex(get(row, "current_attempt_index")?),
        }),
        None => None,
    };
    let closing = match optional::<String>(row, "closing_digest")? {
        Some(digest) => Some(Closing {
            digest,
            retry_at: time("closing_retry_at")?,
        }),
        None => None,
    };
    let required: String = get(row, "requirements")?;
    Ok(Execution {
        id: execution_id(row)?,
        namespace: Namespace(get(row, "namespace")?),
        lane: LaneId(get(row, "lane_id")?),
        kind: get(row, "execution_kind")?,
        creator_identity: get(row, "creator_identity")?,
        payload_encoding: optional(row, "payload_encoding")?,
        priority: get(row, "priority")?,
        requirements: requirements::split(&required),
        policy,
        flow: optional::<Uuid>(row, "flow_id")?.map(FlowId),
        phase,
        ownership: literal(row, "ownership_state")?,
        eligibility: literal(row, "eligibility_state")?,
        blocking_reason: literal(row, "blocking_reason")?,
        blocking_detail: get(row, "blocking_detail")?,
        outcome,
        attempt_state: match get::<String>(row, "attempt_state")?.as_str() {
            INITIAL => AttemptState::PendingFirstAttempt,
            _ => literal(row, "attempt_state")?,
        },
        total_attempts: get(row, "total_attempt_count")?,
        retry_count: get(row, "retry_count")?,
        replay_count: get(row, "replay_count")?,
        reclaim_count: get(row, "lease_reclaim_count")?,
        attempt,
        lease,
        epoch: LeaseEpoch(get::<i64>(row, "lease_epoch")?.cast_unsigned()),
        lease_expired_at: time("lease_expired_at")?,
        closing,
        created_at: TimestampMs(get(row, "created_at")?),
        started_at: time("started_at")?,
        completed_at: time("completed_at")?,
        last_transition_at: TimestampMs(get(row, "last_transition_at")?),
        last_mutation_at: TimestampMs(get(row, "last_mutation_at")?),
        delay_until: time("delay_until")?,
        deadline_at: time("execution_deadline_at")?,
        failure_reason: optional(row, "failure_reason")?,
        failure_category: optional(row, "failure_category")?,
        cancellation_reason: optional(row, "cancellation_reason")?,
        cancelled_by: optional(row, "cancelled_by")?,
        progress_percent: optional(row, "progress_percent")?,
        progress_message: optional(row, "progress_message")?,
    })
}

/// The id from its two columns.
pub(crate) fn execution_id(row: &SqliteRow) -> Result<ExecutionId, StoreError> {
    let uuid: Uuid = get(row, "execution_id")?;
    Ok(ExecutionId::from_parts(get(row, "partition_key")?, uuid))
}

const INITIAL: &str = "initial";

fn attempt_state(state: AttemptState) -> &'static str {
    match state {
        AttemptState::PendingFirstAttempt => INITIAL,
        other => other.as_str(),
    }
}

/// One column for both: the phase, or once it is terminal the outcome.
fn phase(record: &Execution) -> &'static str {
    match record.phase {
        LifecyclePhase::Terminal => record.outcome.as_str(),
        other => other.as_str(),
    }
}

/// What [`phase`] wrote.
fn phase_and_outcome(text: &str) -> Result<(LifecyclePhase, TerminalOutcome), StoreError> {
    match (text.parse(), text.parse()) {
        (Ok(phase), _) if phase != LifecyclePhase::Terminal => Ok((phase, TerminalOutcome::None)),
        (_, Ok(outcome)) if outcome != TerminalOutcome::None => {
            Ok((LifecyclePhase::Terminal, outcome))
        }
        _ => Err(corrupt(
            "lifecycle_phase",
            &format!("{text:?} is not known"),
        )),
    }
}

pub(crate) fn get<'r, T>(row: &'r SqliteRow, name: &str) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>,
{
    row.try_get(name).map_err(|error| corrupt(name, &error))
}

pub(crate) fn optional<'r, T>(row: &'r SqliteRow, name: &str) -> Result<Option<T>, StoreError>
where
    T: sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>,
{
    get(row, name)
}

/// A state by its name.
pub(crate) fn literal<T: FromStr>(row: &SqliteRow, name: &str) -> Result<T, StoreError> {
    let text: String = get(row, name)?;
    T::from_str(&text).map_err(|_| corrupt(name, &format!("{text:?} is not known")))
}

/// A value as it is stored as JSON.
pub(crate) fn text_of(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Failed(error.into()))
}

/// A value that is stored as JSON.
pub(crate) fn json<T: DeserializeOwned>(row: &SqliteRow, name: &str) -> Result<T, StoreError> {
    from_json(name, &get::<String>(row, name)?)
}

pub(crate) fn optional_json<T: DeserializeOwned>(
    row: &SqliteRow,
    name: &str,
) -> Result<Option<T>, StoreError> {
    let text = optional::<String>(row, name)?;
    text.map(|text| from_json(name, &text)).transpose()
}

fn from_json<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| corrupt(name, &error))
}

/// The tags in rows of keys and values.
pub(crate) fn tags(rows: &[SqliteRow]) -> Result<BTreeMap<String, String>, StoreError> {
    let tag = |row| Ok((get(row, "tag_key")?, get(row, "tag_value")?));
    rows.iter().map(tag).collect()
}

fn corrupt(name: &str, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Corrupt {
        record: "row",
        detail: format!("{name}: {error}"),
    }
}
