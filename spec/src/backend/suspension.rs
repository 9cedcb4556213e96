//! Suspending an execution and what resumes it.

use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};

use crate::backend::Handle;
use crate::contracts::{AdditionalWaitpointBinding, CountKind};
use crate::secrecy::WaitpointToken;
use crate::types::{SignalId, SuspensionId, TimestampMs, WaitpointId};

/// Everything a suspension needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct SuspendArgs {
    /// Where the worker finds its own state again; uninterpreted.
    pub continuation_metadata_pointer: Option<String>,
    /// A key under which a repetition is recognised.
    pub idempotency_key: Option<IdempotencyKey>,
    /// Why, as a word that the clauses name.
    pub reason_code: SuspensionReasonCode,
    /// Who asked for it.
    pub requested_by: SuspensionRequester,
    /// What resumes it.
    pub resume_condition: ResumeCondition,
    /// How the resumption treats signals and waitpoints.
    pub resume_policy: ResumePolicy,
    /// The suspension.
    pub suspension_id: SuspensionId,
    /// When it times out, in Unix milliseconds.
    pub timeout_at: Option<TimestampMs>,
    /// What a timeout does, in snake case.
    pub timeout_behavior: TimeoutBehavior,
    /// The waitpoints concerned.
    pub waitpoints: Vec<WaitpointBinding>,
    /// The caller's time, kept for audit; never a deadline's clock (SYS-005).
    pub now: TimestampMs,
}

impl SuspendArgs {
    /// One waitpoint, no timeout, no idempotency key, asked for by the worker.
    pub fn new(
        suspension_id: SuspensionId,
        waitpoint: WaitpointBinding,
        resume_condition: ResumeCondition,
        reason_code: SuspensionReasonCode,
        now: TimestampMs,
    ) -> Self {
        Self {
            continuation_metadata_pointer: None,
            idempotency_key: None,
            reason_code,
            requested_by: SuspensionRequester::Worker,
            resume_condition,
            resume_policy: ResumePolicy::default(),
            suspension_id,
            timeout_at: None,
            timeout_behavior: TimeoutBehavior::Fail,
            waitpoints: vec![waitpoint],
            now,
        }
    }

    #[must_use]
    pub fn with_waitpoint(mut self, waitpoint: WaitpointBinding) -> Self {
        self.waitpoints.push(waitpoint);
        self
    }

    #[must_use]
    pub fn with_timeout(mut self, at: TimestampMs, behavior: TimeoutBehavior) -> Self {
        self.timeout_at = Some(at);
        self.timeout_behavior = behavior;
        self
    }

    #[must_use]
    pub fn with_idempotency_key(mut self, key: IdempotencyKey) -> Self {
        self.idempotency_key = Some(key);
        self
    }

    #[must_use]
    pub fn with_resume_policy(mut self, policy: ResumePolicy) -> Self {
        self.resume_policy = policy;
        self
    }
}

/// What a suspension led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SuspendOutcome {
    /// Buffered signals already met the condition; the lease stays.
    AlreadySatisfied {
        /// The suspension and its waitpoint.
        details: SuspendOutcomeDetails,
    },
    /// The lease is gone; `handle` replaces the one used for the call.
    Suspended {
        /// The suspension and its waitpoint.
        details: SuspendOutcomeDetails,
        /// The new handle.
        handle: Handle,
    },
}

/// The suspension and the waitpoint it listens on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct SuspendOutcomeDetails {
    /// The other waitpoints it listens on.
    pub additional_waitpoints: Vec<AdditionalWaitpointBinding>,
    /// The suspension.
    pub suspension_id: SuspensionId,
    /// The waitpoint.
    pub waitpoint_id: WaitpointId,
    /// The name callers use for the waitpoint.
    pub waitpoint_key: String,
    /// The signed token that authorises a signal.
    pub waitpoint_token: WaitpointHmac,
}

/// A waitpoint that a suspension listens on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WaitpointBinding {
    /// One made by this suspension.
    Fresh {
        /// The waitpoint.
        waitpoint_id: WaitpointId,
        /// The name callers use for the waitpoint.
        waitpoint_key: String,
    },
    /// One made earlier by `create_waitpoint`.
    UsePending {
        /// The waitpoint.
        waitpoint_id: WaitpointId,
    },
}

/// A waitpoint that signals may already target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct PendingWaitpoint {
    /// The waitpoint.
    pub waitpoint_id: WaitpointId,
    /// The signed token that authorises a signal.
    pub hmac_token: WaitpointHmac,
}

/// What must happen before a suspended execution runs again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResumeCondition {
    /// A condition made of several.
    Composite(CompositeBody),
    /// Only an operator resumes it.
    OperatorOnly,
    /// One signal on one waitpoint.
    Single {
        /// The signals that count.
        matcher: SignalMatcher,
        /// The name callers use for the waitpoint.
        waitpoint_key: String,
    },
    /// Only its timeout resumes it.
    TimeoutOnly,
}

/// A resume condition made of several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CompositeBody {
    /// Every member must hold.
    AllOf {
        /// The conditions, all of which must hold.
        members: Vec<ResumeCondition>,
    },
    /// At least `n` distinct signals, sources or waitpoints.
    Count {
        /// What is counted.
        count_kind: CountKind,
        /// The signals that count.
        matcher: Option<SignalMatcher>,
        /// At least this many, from 1.
        n: u32,
        /// The waitpoints concerned.
        waitpoints: Vec<String>,
    },
}

/// Which signals count for a condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SignalMatcher {
    /// Signals of this name.
    ByName(String),
    /// Any signal.
    Wildcard,
}

/// Where a resumed execution goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResumeTarget {
    /// Back among the claimable ones.
    Runnable,
}

/// A signal that counted towards a resumption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct ResumeSignal {
    /// When the signal arrived, in Unix milliseconds.
    pub accepted_at: TimestampMs,
    /// Ties it to something outside.
    pub correlation_id: String,
    /// The bytes.
    #[serde(default, with = "crate::octets::OptionalOctets")]
    pub payload: Option<Vec<u8>>,
    /// The sender's classification; uninterpreted.
    pub signal_category: String,
    /// The signal.
    pub signal_id: SignalId,
    /// What the signal is called.
    pub signal_name: String,
    /// Who sent it.
    pub source_identity: String,
    /// What kind of sender that is.
    pub source_type: String,
}

/// Why an execution is suspended.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, Serialize, Deserialize, Arbitrary,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum SuspensionReasonCode {
    ManualPause,
    PausedByBudget,
    PausedByPolicy,
    StepBoundary,
    WaitingForApproval,
    WaitingForCallback,
    WaitingForOperatorReview,
    WaitingForSignal,
    WaitingForToolResult,
}

/// Who asked for a suspension.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, Serialize, Deserialize, Arbitrary,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum SuspensionRequester {
    Operator,
    Policy,
    SystemTimeoutPolicy,
    Worker,
}

/// What happens when a suspension times out.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, Serialize, Deserialize, Arbitrary,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum TimeoutBehavior {
    /// Resume it as if a signal named `timeout` had come.
    AutoResumeWithTimeoutSignal,
    Cancel,
    /// Keep it suspended, and record that it needs attention.
    Escalate,
    Expire,
    Fail,
}

/// A caller's key under which a repeated suspension is recognised.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary)]
#[serde(transparent)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How a resumption treats signals and waitpoints. The three flags are carried for readers only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct ResumePolicy {
    pub resume_target: ResumeTarget,
    /// Milliseconds between the signal and the execution becoming claimable.
    pub resume_delay_ms: Option<u64>,
    pub close_waitpoint_on_resume: bool,
    pub consume_matched_signals: bool,
    pub retain_signal_buffer_until_closed: bool,
}

impl Default for ResumePolicy {
    fn default() -> Self {
        Self {
            resume_target: ResumeTarget::Runnable,
            resume_delay_ms: None,
            close_waitpoint_on_resume: true,
            consume_matched_signals: true,
            retain_signal_buffer_until_closed: false,
        }
    }
}

/// The signed token that authorises a signal, which shows as [`WaitpointToken`] does.
#[derive(Clone, derive_more::Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary)]
#[debug("{_0:?}")]
#[serde(transparent)]
pub struct WaitpointHmac(WaitpointToken);

impl WaitpointHmac {
    pub fn new(token: impl Into<String>) -> Self {
        Self(WaitpointToken::new(token))
    }

    pub fn token(&self) -> &WaitpointToken {
        &self.0
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}
