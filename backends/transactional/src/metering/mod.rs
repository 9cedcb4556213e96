//! The chapter of metering: budgets, what is counted against them, quotas, admission,
//! and the streams of attempts.

mod admission;
mod budgets;
mod counters;
mod exhaustion;
mod frames;
mod quotas;
mod reading;
mod spending;
mod summaries;
mod usage;

pub(crate) use admission::{check as check_admission, release as release_admission};
pub(crate) use budgets::{create, limits, reset, status};
pub(crate) use counters::{reconcile_budgets, reconcile_quotas};
pub(crate) use exhaustion::{deny, exhausted};
pub use frames::Appending;
pub(crate) use frames::append;
pub(crate) use quotas::{create as create_quota, limits as quota_limits};
pub use reading::Frames;
pub(crate) use reading::{place_of, read as read_stream};
pub(crate) use spending::release;
pub(crate) use summaries::patch_of;
pub(crate) use summaries::read as read_summary;
pub use summaries::set_nulls;
pub(crate) use usage::{Report, built_in, report};

use sha2::{Digest, Sha256};

/// What a text of any length is found by.
fn digest(text: &str) -> String {
    format!("{:x}", Sha256::digest(text))
}
