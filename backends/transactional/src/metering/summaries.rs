//! The summary document of an attempt's stream.

use ff_core::backend::{PatchKind, SUMMARY_NULL_SENTINEL, SummaryDocument};
use ff_core::engine_error::EngineError;
use ff_core::types::{AttemptIndex, ExecutionId, MAX_INTEGER, TimestampMs};
use serde_json::Value;

use crate::engine::Rule;
use crate::records::Summary;
use crate::session::Session;
use crate::store::{StoreError, Tx};

/// How deep values are nested in the root of a patch, at most (STR-009).
const MAX_DEPTH: usize = 16;

/// STR-009.
pub(crate) fn patch_of(bytes: &[u8]) -> Result<Value, EngineError> {
    let patch: Value = serde_json::from_slice(bytes)
        .map_err(|error| EngineError::invalid_input(format!("the summary patch: {error}")))?;
    if !patch.is_object() {
        return Err(EngineError::invalid_input("a summary patch is an object"));
    }
    check(&patch, 0)?;
    Ok(patch)
}

fn check(value: &Value, depth: usize) -> Result<(), EngineError> {
    if depth > MAX_DEPTH && (value.is_object() || value.is_array()) {
        let detail = format!("values in a summary patch are nested {MAX_DEPTH} levels at most");
        return Err(EngineError::invalid_input(detail));
    }
    match value {
        Value::Object(fields) => fields.values().try_for_each(|inner| check(inner, depth + 1)),
        Value::Array(items) => items.iter().try_for_each(|inner| check(inner, depth + 1)),
        #[allow(clippy::cast_precision_loss)] // 2^53 - 1 is exact.
        Value::Number(number)
            if number.as_f64().is_none_or(|number| number.abs() > MAX_INTEGER as f64) =>
        {
            Err(EngineError::invalid_input(format!("{number} is beyond 2^53 - 1")))
        }
        _ => Ok(()),
    }
}

/// The document after one more patch (STR-010 to STR-012).
pub(super) fn merge(
    before: Option<Summary>,
    (execution, attempt): (&ExecutionId, AttemptIndex),
    patch: &Value,
    now: TimestampMs,
) -> Rule<Summary> {
    let mut summary = before.unwrap_or_else(|| Summary {
        execution: execution.clone(),
        attempt,
        document: "{}".to_owned(),
        version: 0,
        first_applied_at: now,
        last_applied_at: now,
    });
    let mut document = serde_json::from_str(&summary.document)
        .map_err(|error| StoreError::Corrupt { record: "Summary", detail: error.to_string() })?;
    json_patch::merge(&mut document, patch);
    set_nulls(&mut document);
    summary.document = document.to_string();
    summary.version += 1;
    summary.last_applied_at = now;
    Ok(summary)
}

/// What stands for null becomes null (STR-011).
pub fn set_nulls(value: &mut Value) {
    match value {
        Value::String(text) if text == SUMMARY_NULL_SENTINEL => *value = Value::Null,
        Value::Array(items) => items.iter_mut().for_each(set_nulls),
        Value::Object(fields) => fields.values_mut().for_each(set_nulls),
        _ => {}
    }
}

/// STR-025.
pub(crate) async fn read<T: Tx>(
    tx: &mut Session<T>,
    id: &ExecutionId,
    attempt: AttemptIndex,
) -> Rule<Option<SummaryDocument>> {
    let summary = tx.get(Summary::at(id, &attempt)).await?;
    Ok(summary.map(|summary| {
        SummaryDocument::new(
            summary.document.into_bytes(),
            summary.version,
            PatchKind::JsonMergePatch,
            summary.last_applied_at.0.unsigned_abs(),
            summary.first_applied_at.0.unsigned_abs(),
        )
    }))
}
