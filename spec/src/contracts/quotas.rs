//! Quota policies and admission.

use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};

use crate::types::{ExecutionId, QuotaPolicyId, TimestampMs};

/// A quota policy's definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct CreateQuotaPolicyArgs {
    /// Executions admitted at once; 0 for no limit.
    pub max_concurrent: u64,
    /// Admissions in a window; 0 for no limit.
    pub max_requests_per_window: u64,
    /// The quota policy.
    pub quota_policy_id: QuotaPolicyId,
    /// The window's length, in seconds.
    pub window_seconds: u64,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// Whether the quota policy is new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum CreateQuotaPolicyResult {
    AlreadySatisfied {
        /// The quota policy.
        quota_policy_id: QuotaPolicyId,
    },
    Created {
        /// The quota policy.
        quota_policy_id: QuotaPolicyId,
    },
}

/// A quota policy's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct QuotaPolicyLimits {
    /// Admissions in a window; 0 for no limit.
    pub max_requests_per_window: u64,
    /// The window's length, in seconds.
    pub requests_per_window_seconds: u64,
    /// Executions admitted at once; 0 for no limit.
    pub active_concurrency_cap: u64,
    /// The most by which a refused caller is told to wait longer, in milliseconds.
    pub jitter_ms: u64,
}

/// An execution asking a quota for admission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct CheckAdmissionArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Executions admitted at once; 0 for no limit.
    pub concurrency_cap: u64,
    /// The most by which a refused caller is told to wait longer, in milliseconds.
    pub jitter_ms: Option<u64>,
    /// Admissions in a window; 0 for no limit.
    pub rate_limit: u64,
    /// The window's length, in seconds.
    pub window_seconds: u64,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// Whether a quota admits an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum CheckAdmissionResult {
    Admitted,
    AlreadyAdmitted,
    ConcurrencyExceeded,
    RateExceeded {
        /// When asking again is worth it, in milliseconds from now.
        retry_after_ms: u64,
    },
}

/// A quota slot to give back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct ReleaseAdmissionArgs {
    /// The quota policy.
    pub quota_policy_id: QuotaPolicyId,
    /// The execution.
    pub execution_id: ExecutionId,
}

/// The released slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReleaseAdmissionResult {
    Released,
}

impl QuotaPolicyLimits {
    /// Whether neither the rate nor the concurrency is limited.
    pub fn is_unlimited(&self) -> bool {
        self.max_requests_per_window == 0 && self.active_concurrency_cap == 0
    }
}
