//! The chapter of metering: budgets, what is counted against them, quotas, admission.

mod admission;
mod budgets;
mod counters;
mod exhaustion;
mod quotas;
mod spending;
mod usage;

pub(crate) use admission::{check as check_admission, release as release_admission};
pub(crate) use budgets::{create, limits, reset, status};
pub(crate) use counters::{reconcile_budgets, reconcile_quotas};
pub(crate) use exhaustion::{deny, exhausted};
pub(crate) use quotas::{create as create_quota, limits as quota_limits};
pub(crate) use spending::release;
pub(crate) use usage::{Report, built_in, report};

use sha2::{Digest, Sha256};

/// What a text of any length is found by.
fn digest(text: &str) -> String {
    format!("{:x}", Sha256::digest(text))
}
