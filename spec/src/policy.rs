//! The rules an execution is bound to from its creation.

use std::collections::BTreeSet;

use arbitrary::{Arbitrary, Unstructured};
use serde::{Deserialize, Serialize};

use crate::types::{BudgetId, TimestampMs};

/// Most capability tokens in a set, after duplicates are dropped.
pub const CAPS_MAX_TOKENS: usize = 256;

/// Longest capability set, in bytes of its tokens joined by commas.
pub const CAPS_MAX_BYTES: usize = 4096;

/// Everything about an execution that is fixed at its creation (EXE-012).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Arbitrary)]
#[serde(default)]
pub struct ExecutionPolicy {
    /// Yields to the argument of the same name.
    pub priority: i32,
    /// Yields to the argument of the same name.
    pub delay_until: Option<TimestampMs>,
    /// Absent means no retries.
    pub retry_policy: Option<RetryPolicy>,
    pub timeout_policy: Option<TimeoutPolicy>,
    /// Takeovers after a lapsed lease; 100 by default.
    pub max_reclaim_count: u32,
    /// Replays by an operator; 10 by default.
    pub max_replay_count: u32,
    /// Signals accepted in all; 10 000 by default.
    pub max_signals_per_execution: u32,
    /// Milliseconds for which the idempotency key is remembered; a day if absent (EXE-009).
    pub dedup_window_ms: Option<u64>,
    pub routing_requirements: Option<RoutingRequirements>,
    /// Budgets that admission consults.
    pub budget_ids: Vec<BudgetId>,
    pub stream_policy: Option<StreamPolicy>,
    pub suspension_policy: Option<SuspensionPolicy>,
    pub fallback_policy: Option<FallbackPolicy>,
}

impl Default for ExecutionPolicy {
    fn default() -> Self {
        Self {
            priority: 0,
            delay_until: None,
            retry_policy: None,
            timeout_policy: None,
            max_reclaim_count: 100,
            max_replay_count: 10,
            max_signals_per_execution: 10_000,
            dedup_window_ms: None,
            routing_requirements: None,
            budget_ids: Vec::new(),
            stream_policy: None,
            suspension_policy: None,
            fallback_policy: None,
        }
    }
}

/// When and how often a failed attempt is followed by another (ATT-009).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Arbitrary)]
#[serde(default)]
pub struct RetryPolicy {
    /// Retries after the first attempt.
    pub max_retries: u32,
    pub backoff: BackoffStrategy,
    /// Failure categories worth a retry; empty means all.
    pub retryable_categories: Vec<String>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: 3,
            backoff: BackoffStrategy::default(),
            retryable_categories: Vec::new(),
        }
    }
}

/// How long a retry waits (ATT-012).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Arbitrary)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum BackoffStrategy {
    /// The same wait before every retry.
    Fixed {
        /// Milliseconds.
        delay_ms: u64,
    },
    /// A wait that grows with each retry, up to a ceiling.
    Exponential {
        /// The first wait, in milliseconds.
        #[serde(default = "initial_delay_ms")]
        initial_delay_ms: u64,
        /// The longest wait, in milliseconds.
        #[serde(default = "max_delay_ms")]
        max_delay_ms: u64,
        /// Growth per retry; finite and not negative.
        #[serde(default = "multiplier")]
        #[arbitrary(with = arbitrary_ratio)]
        multiplier: f64,
        /// Whether a backend may wait between half of the computed time and all of it.
        #[serde(default)]
        jitter: bool,
    },
}

impl Default for BackoffStrategy {
    fn default() -> Self {
        Self::Exponential {
            initial_delay_ms: initial_delay_ms(),
            max_delay_ms: max_delay_ms(),
            multiplier: multiplier(),
            jitter: false,
        }
    }
}

fn initial_delay_ms() -> u64 {
    1_000
}

fn max_delay_ms() -> u64 {
    60_000
}

fn multiplier() -> f64 {
    2.0
}

/// Limits in time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(default)]
pub struct TimeoutPolicy {
    /// Milliseconds that an attempt may be held.
    pub attempt_timeout_ms: Option<u64>,
    /// Milliseconds after creation at which the execution expires, when no deadline is given.
    pub execution_deadline_ms: Option<u64>,
    /// Carried for readers; `ExecutionPolicy::max_reclaim_count` decides.
    pub max_reclaim_count: u32,
}

/// What a worker must offer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(default)]
pub struct RoutingRequirements {
    /// Tokens a worker must offer, all of them (SCH-003).
    pub required_capabilities: BTreeSet<String>,
    /// Carried for readers.
    pub preferred_locality: Option<String>,
    /// Carried for readers.
    pub isolation_level: Option<String>,
}

/// How the execution's streams are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct StreamPolicy {
    /// `durable`, `durable_summary` or `best_effort_live`.
    pub durability_mode: String,
    /// Frames kept; replaces the default of 10 000.
    pub retention_maxlen: u64,
    /// Milliseconds for which a terminal execution is kept at least.
    pub retention_ttl_ms: Option<u64>,
}

/// Timeout and behaviour of a suspension that names none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct SuspensionPolicy {
    /// Milliseconds.
    pub default_timeout_ms: Option<u64>,
    /// What a timeout does, as the `TimeoutBehavior` in snake case.
    pub timeout_behavior: String,
}

/// Alternatives carried for readers; the engine never acts on them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct FallbackPolicy {
    /// In order of preference.
    pub tiers: Vec<FallbackTier>,
}

/// One alternative.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct FallbackTier {
    pub provider: String,
    pub model: String,
    pub timeout_ms: Option<u64>,
}

/// A number from 0 to 255 in steps of a quarter: exact in text, so that it survives a round trip.
pub(crate) fn arbitrary_ratio(u: &mut Unstructured<'_>) -> arbitrary::Result<f64> {
    Ok(f64::from(u.arbitrary::<u16>()? % 1024) / 4.0)
}
