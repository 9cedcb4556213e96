//! What any text, number or name has to be.

use std::collections::BTreeSet;

use ff_core::contracts::BlockingReason as Denial;
use ff_core::engine_error::{EngineError, ValidationKind};
use ff_core::policy::{CAPS_MAX_BYTES, CAPS_MAX_TOKENS};
use ff_core::types::{LaneId, MAX_INTEGER, TimestampMs, WorkerId, WorkerInstanceId};
use serde_json::Value;

use super::Check;
use super::executions::not_understood;

/// The longest payload and the longest text, in bytes (SYS-031, SYS-032).
const MAX_BYTES: usize = 64 * 1024;

/// Only these reasons are what the call is for (SCH-011, SCH-014).
pub(super) fn blocking_reason(given: &str, known: &[Denial]) -> Check {
    if known.iter().any(|reason| reason.reason_code() == given) {
        return Ok(());
    }
    let detail = format!("this call knows no reason {given:?}");
    Err(EngineError::validation(ValidationKind::InvalidBlockingReason, detail))
}

/// Empty, or an object in JSON.
pub(super) fn json_object(what: &str, given: &str) -> Check {
    text(what, given)?;
    if given.is_empty() {
        return Ok(());
    }
    let parsed = serde_json::from_str::<serde_json::Map<String, Value>>(given);
    parsed.map(drop).map_err(|error| not_understood(format!("the {what}: {error}")))
}

/// Who claims, and from which lane.
pub(super) fn worker(lane_id: &LaneId, worker: &WorkerId, instance: &WorkerInstanceId) -> Check {
    lane(lane_id)?;
    name("worker id", worker.as_str())?;
    name("worker instance id", instance.as_str())
}

pub(super) fn lease_ttl(millis: u64) -> Check {
    if millis == 0 {
        return Err(EngineError::invalid_input("a lease of 0 ms holds nothing"));
    }
    integer("lease_ttl_ms", millis)
}

pub(super) fn one_of(what: &str, given: &str, known: &[&str]) -> Check {
    if known.contains(&given) {
        return Ok(());
    }
    Err(EngineError::invalid_input(format!("{what} {given:?} is none of {}", known.join(", "))))
}

/// Capability tokens, required or offered (EXE-004, SCH-004).
pub(super) fn requirements(tokens: &BTreeSet<String>) -> Check {
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

pub(super) fn lane(lane: &LaneId) -> Check {
    lane.check().map_err(|error| EngineError::invalid_input(error.to_string()))
}

pub(super) fn name(what: &str, given: &str) -> Check {
    if given.is_empty() {
        return Err(EngineError::invalid_input(format!("the {what} is empty")));
    }
    text(what, given)
}

pub(super) fn optional_text(what: &str, given: Option<&str>) -> Check {
    given.map_or(Ok(()), |given| text(what, given))
}

pub(super) fn text(what: &str, given: &str) -> Check {
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

pub(super) fn payload(what: &str, given: Option<&[u8]>) -> Check {
    match given {
        Some(bytes) if bytes.len() > MAX_BYTES => Err(EngineError::validation(
            ValidationKind::PayloadTooLarge,
            format!("the {what} has {} bytes, at most {MAX_BYTES}", bytes.len()),
        )),
        _ => Ok(()),
    }
}

pub(super) fn integers<const N: usize>(given: [(&str, Option<u64>); N]) -> Check {
    given.into_iter().try_for_each(|(what, given)| integer(what, given.unwrap_or(0)))
}

pub(super) fn positive(what: &str, at: TimestampMs) -> Check {
    instant(what, at)?;
    if at.0 > 0 {
        return Ok(());
    }
    Err(EngineError::invalid_input(format!("{what} is not positive")))
}

pub(super) fn instant(what: &str, at: TimestampMs) -> Check {
    integer(what, at.0.unsigned_abs())
}

pub(super) fn integer(what: &str, magnitude: u64) -> Check {
    if magnitude <= MAX_INTEGER {
        return Ok(());
    }
    Err(EngineError::invalid_input(format!("{what}: {magnitude} is beyond 2^53 - 1")))
}
