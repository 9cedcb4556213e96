//! What suspensions and signals are given.

use ff_core::backend::{IdempotencyKey, SuspendArgs};
use ff_core::contracts::{DeliverApprovalSignalArgs, DeliverSignalArgs};
use ff_core::engine_error::EngineError;

use super::Check;
use super::values::{instant, integer, integers, lane, optional_text, payload, text};
use crate::suspension;

/// The longest payload and the longest text, in bytes (SYS-031, SYS-032).
const MAX_BYTES: usize = 64 * 1024;

pub(super) fn suspend(args: &SuspendArgs) -> Check {
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
pub(super) fn deliver_signal(args: &DeliverSignalArgs) -> Check {
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
pub(super) fn deliver_approval(args: &DeliverApprovalSignalArgs) -> Check {
    suspension::check_signal_name(&args.signal_name)?;
    text("idempotency suffix", &args.idempotency_suffix)?;
    lane(&args.lane_id)?;
    integers([
        ("signal_dedup_ttl_ms", Some(args.signal_dedup_ttl_ms)),
        ("max_signals_per_execution", args.max_signals_per_execution),
        ("maxlen", args.maxlen),
    ])
}
