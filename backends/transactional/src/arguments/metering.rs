//! What budgets, reports and quotas are given.

use std::collections::BTreeSet;

use ff_core::backend::UsageDimensions;
use ff_core::contracts::{CreateBudgetArgs, ReportUsageAdminArgs};
use ff_core::engine_error::{EngineError, ValidationKind};
use ff_core::types::MAX_INTEGER;

use super::Check;
use super::values::{instant, integer, optional_text, text};
use crate::metering::built_in;

/// Dimensions of a definition or a report (BUD-002, BUD-028).
const MAX_DIMENSIONS: usize = 64;

/// The longest name of a dimension, in bytes.
const MAX_NAME: usize = 256;

/// BUD-002, BUD-003.
pub(super) fn create_budget(args: &CreateBudgetArgs) -> Check {
    let texts = [
        ("enforcement mode", &args.enforcement_mode),
        ("action on a hard limit", &args.on_hard_limit),
        ("action on a soft limit", &args.on_soft_limit),
        ("scope id", &args.scope_id),
        ("scope type", &args.scope_type),
    ];
    texts.into_iter().try_for_each(|(what, given)| text(what, given))?;
    for limits in [&args.hard_limits, &args.soft_limits] {
        in_place(&args.dimensions, limits)?;
    }
    integer("reset_interval_ms", args.reset_interval_ms)?;
    instant("now", args.now)
}

/// BUD-028, BUD-036.
pub(super) fn report_usage(dimensions: &UsageDimensions) -> Check {
    let built_in = built_in(dimensions);
    if let Some((name, _)) = built_in.iter().find(|(name, _)| dimensions.custom.contains_key(*name))
    {
        return Err(EngineError::invalid_input(format!("{name} is a counter of its own")));
    }
    optional_text("dedup key", dimensions.dedup_key.as_deref())?;
    let custom = dimensions.custom.iter().map(|(name, delta)| (name.as_str(), *delta));
    deltas(custom.chain(built_in.into_iter().filter(|(_, delta)| *delta > 0)))
}

/// BUD-009, BUD-028.
pub(super) fn report_usage_admin(args: &ReportUsageAdminArgs) -> Check {
    optional_text("dedup key", args.dedup_key.as_deref())?;
    instant("now", args.now)?;
    in_place(&args.dimensions, &args.deltas)
}

/// A number for each dimension, in its place.
fn in_place(dimensions: &[String], numbers: &[u64]) -> Check {
    if dimensions.len() != numbers.len() {
        let (names, numbers) = (dimensions.len(), numbers.len());
        return Err(EngineError::invalid_input(format!("{names} dimensions, {numbers} numbers")));
    }
    if dimensions.iter().collect::<BTreeSet<_>>().len() < dimensions.len() {
        return Err(EngineError::invalid_input("a dimension is there twice"));
    }
    deltas(dimensions.iter().map(String::as_str).zip(numbers.iter().copied()))
}

pub(super) fn deltas<'a>(given: impl Iterator<Item = (&'a str, u64)>) -> Check {
    for (count, (name, number)) in given.enumerate() {
        if count >= MAX_DIMENSIONS {
            return Err(EngineError::invalid_input(format!(
                "more than {MAX_DIMENSIONS} dimensions"
            )));
        }
        if !(1..=MAX_NAME).contains(&name.len()) {
            return Err(EngineError::invalid_input("a dimension has 1 to 256 bytes"));
        }
        text("dimension", name)?;
        integer(name, number)?;
    }
    Ok(())
}

/// QUO-002, QUO-006.
pub(super) fn window(limit: u64, seconds: u64) -> Check {
    quota("the rate limit", limit)?;
    if seconds == 0 && limit > 0 {
        return Err(invalid("a rate needs a window".to_owned()));
    }
    quota("the window in milliseconds", seconds.saturating_mul(1_000))
}

pub(super) fn quota(what: &str, number: u64) -> Check {
    if number <= MAX_INTEGER {
        return Ok(());
    }
    Err(invalid(format!("{what}: {number} is beyond 2^53 - 1")))
}

fn invalid(detail: String) -> EngineError {
    EngineError::validation(ValidationKind::InvalidQuotaSpec, detail)
}
