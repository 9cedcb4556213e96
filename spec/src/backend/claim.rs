//! Claiming work and reporting how it ended.

use std::time::Duration;

use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};

use crate::contracts::ResumeGrant;
use crate::types::{TimestampMs, WorkerId, WorkerInstanceId};

/// The capability tokens a worker offers (SCH-003).
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct CapabilitySet {
    /// The tokens.
    pub tokens: Vec<String>,
}

/// Who claims, for how long, and how long to wait for work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct ClaimPolicy {
    /// The logical worker; a pool may share it.
    pub worker_id: WorkerId,
    /// The process that acts.
    pub worker_instance_id: WorkerInstanceId,
    /// Lease length in milliseconds, at least 1, counted from the backend's clock.
    pub lease_ttl_ms: u32,
    /// How long to keep looking for work; `None` answers at once.
    pub max_wait: Option<Duration>,
}

/// The lease as a renewal left it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, derive_new::new,
)]
#[non_exhaustive]
pub struct LeaseRenewal {
    /// When it runs out, in Unix milliseconds.
    pub expires_at_ms: u64,
    /// Which of the execution's leases, counting from 1.
    pub lease_epoch: u64,
}

/// The right to continue a resumed execution, with the worker that will.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct ResumeToken {
    /// The grant to redeem.
    pub grant: ResumeGrant,
    /// The logical worker; a pool may share it.
    pub worker_id: WorkerId,
    /// The process that acts.
    pub worker_instance_id: WorkerInstanceId,
    /// Lease length in milliseconds, at least 1, counted from the backend's clock.
    pub lease_ttl_ms: u32,
}

/// Why an attempt failed; decides whether a retry is permitted.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr, Serialize, Deserialize, Arbitrary,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum FailureClass {
    /// Given up on request: never retried.
    Cancelled,
    /// The worker or its host died: retried while the policy allows.
    InfraCrash,
    /// Never retried.
    Permanent,
    /// A time limit passed: retried while the policy allows.
    Timeout,
    /// Expected to pass: retried while the policy allows.
    Transient,
}

/// Why an attempt failed, for people and for tools.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct FailureReason {
    /// For people.
    pub message: String,
    /// For people, or opaque bytes for tools.
    #[serde(default, with = "crate::octets::OptionalOctets")]
    pub detail: Option<Vec<u8>>,
}

impl FailureReason {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), detail: None }
    }
}

/// What a reported failure led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum FailOutcome {
    /// Another attempt becomes claimable at `delay_until`, after promotion.
    RetryScheduled {
        /// When it becomes claimable, in Unix milliseconds.
        delay_until: TimestampMs,
    },
    /// The execution has failed for good.
    TerminalFailed,
}

impl CapabilitySet {
    pub fn new<I, S>(tokens: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        Self { tokens: tokens.into_iter().map(Into::into).collect() }
    }

    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }
}

impl FailureReason {
    /// A reason with opaque bytes for tools.
    pub fn with_detail(message: impl Into<String>, detail: Vec<u8>) -> Self {
        Self { message: message.into(), detail: Some(detail) }
    }
}
