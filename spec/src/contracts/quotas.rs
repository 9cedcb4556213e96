//! Quota policies and admission.

use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};

use crate::types::{ExecutionId, QuotaPolicyId, TimestampMs};

/// A quota policy's definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct CreateQuotaPolicyArgs {
    /// Max concurrent.
    pub max_concurrent: u64,
    /// Max requests per window.
    pub max_requests_per_window: u64,
    /// The quota policy.
    pub quota_policy_id: QuotaPolicyId,
    /// Window seconds.
    pub window_seconds: u64,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// Whether the quota policy is new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum CreateQuotaPolicyResult {
    /// Already satisfied.
    AlreadySatisfied {
        /// The quota policy.
        quota_policy_id: QuotaPolicyId,
    },
    /// Created.
    Created {
        /// The quota policy.
        quota_policy_id: QuotaPolicyId,
    },
}

/// A quota policy's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct QuotaPolicyLimits {
    /// Max requests per window.
    pub max_requests_per_window: u64,
    /// Requests per window seconds.
    pub requests_per_window_seconds: u64,
    /// Active concurrency cap.
    pub active_concurrency_cap: u64,
    /// Jitter, in milliseconds.
    pub jitter_ms: u64,
}

impl QuotaPolicyLimits {
    pub fn new(
        max_requests_per_window: u64,
        requests_per_window_seconds: u64,
        active_concurrency_cap: u64,
        jitter_ms: u64,
    ) -> Self {
        Self {
            max_requests_per_window,
            requests_per_window_seconds,
            active_concurrency_cap,
            jitter_ms,
        }
    }
}

/// An execution asking a quota for admission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct CheckAdmissionArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Concurrency cap.
    pub concurrency_cap: u64,
    /// Jitter, in milliseconds.
    pub jitter_ms: Option<u64>,
    /// Rate limit.
    pub rate_limit: u64,
    /// Window seconds.
    pub window_seconds: u64,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

/// Whether a quota admits an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum CheckAdmissionResult {
    /// Admitted.
    Admitted,
    /// Already admitted.
    AlreadyAdmitted,
    /// Concurrency exceeded.
    ConcurrencyExceeded,
    /// Rate exceeded.
    RateExceeded {
        /// Retry after, in milliseconds.
        retry_after_ms: u64,
    },
}

/// A quota slot to give back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct ReleaseAdmissionArgs {
    /// The quota policy.
    pub quota_policy_id: QuotaPolicyId,
    /// The execution.
    pub execution_id: ExecutionId,
}

impl ReleaseAdmissionArgs {
    pub fn new(quota_policy_id: QuotaPolicyId, execution_id: ExecutionId) -> Self {
        Self {
            quota_policy_id,
            execution_id,
        }
    }
}

/// The released slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReleaseAdmissionResult {
    /// Released.
    Released,
}

impl QuotaPolicyLimits {
    /// Whether neither the rate nor the concurrency is limited.
    pub fn is_unlimited(&self) -> bool {
        self.max_requests_per_window == 0 && self.active_concurrency_cap == 0
    }
}
