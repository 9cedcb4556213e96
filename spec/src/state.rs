//! The state of an execution, one enum a dimension.

use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};

macro_rules! dimension {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary,
            strum::IntoStaticStr, strum::EnumString, strum::VariantArray,
        )]
        #[serde(rename_all = "snake_case")]
        #[strum(serialize_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),* }

        impl $name {
            /// The name in snake case, as stored and shown everywhere.
            pub fn as_str(self) -> &'static str {
                self.into()
            }
        }
    )*};
}

dimension! {
    /// Where in its life the execution is.
    LifecyclePhase {
        /// Never stored by a conforming backend: new work is runnable at once.
        Submitted,
        Runnable,
        Active,
        Suspended,
        Terminal,
    }

    /// Who holds it.
    OwnershipState { Unowned, Leased, LeaseExpiredReclaimable, LeaseRevoked }

    /// Whether it may be claimed.
    EligibilityState {
        NotApplicable,
        EligibleNow,
        NotEligibleUntilTime,
        BlockedByDependencies,
        BlockedByBudget,
        BlockedByQuota,
        BlockedByRoute,
        BlockedByLaneState,
        BlockedByOperator,
    }

    /// What it waits for.
    BlockingReason {
        None,
        WaitingForWorker,
        WaitingForDelay,
        WaitingForRetryBackoff,
        WaitingForResumeDelay,
        WaitingForChildren,
        WaitingForBudget,
        WaitingForQuota,
        WaitingForCapableWorker,
        WaitingForSignal,
        WaitingForApproval,
        WaitingForCallback,
        WaitingForToolResult,
        PausedByOperator,
        PausedByPolicy,
    }

    /// How it ended.
    TerminalOutcome { None, Success, Failed, Cancelled, Expired, Skipped }

    /// What its next or current attempt is.
    AttemptState {
        None,
        PendingFirstAttempt,
        PendingRetryAttempt,
        PendingReplayAttempt,
        RunningAttempt,
        AttemptInterrupted,
        AttemptTerminal,
    }

    /// Why an attempt was started.
    AttemptType { Initial, Retry, Replay, Reclaim, Fallback }

    /// Where in its life an attempt is.
    AttemptLifecycle {
        Created,
        Started,
        Suspended,
        EndedSuccess,
        EndedFailure,
        EndedCancelled,
        InterruptedReclaimed,
    }

    /// The state shown to callers, derived from the others (EXE-019).
    #[non_exhaustive]
    PublicState {
        Waiting,
        Delayed,
        RateLimited,
        WaitingChildren,
        Active,
        Suspended,
        Resumable,
        Completed,
        Failed,
        Cancelled,
        Expired,
        Skipped,
    }
}

impl AttemptLifecycle {
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Created | Self::Started | Self::Suspended)
    }
}

/// All dimensions of an execution's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary)]
pub struct StateVector {
    pub lifecycle_phase: LifecyclePhase,
    pub ownership_state: OwnershipState,
    pub eligibility_state: EligibilityState,
    pub blocking_reason: BlockingReason,
    pub terminal_outcome: TerminalOutcome,
    pub attempt_state: AttemptState,
    pub public_state: PublicState,
}

impl StateVector {
    /// The public state that the other dimensions imply (EXE-019).
    pub fn derive_public_state(&self) -> PublicState {
        match self.lifecycle_phase {
            LifecyclePhase::Terminal => match self.terminal_outcome {
                TerminalOutcome::Success => PublicState::Completed,
                TerminalOutcome::Failed | TerminalOutcome::None => PublicState::Failed,
                TerminalOutcome::Cancelled => PublicState::Cancelled,
                TerminalOutcome::Expired => PublicState::Expired,
                TerminalOutcome::Skipped => PublicState::Skipped,
            },
            LifecyclePhase::Suspended => PublicState::Suspended,
            LifecyclePhase::Active => PublicState::Active,
            LifecyclePhase::Submitted | LifecyclePhase::Runnable => match self.eligibility_state {
                EligibilityState::NotEligibleUntilTime => PublicState::Delayed,
                EligibilityState::BlockedByDependencies => PublicState::WaitingChildren,
                EligibilityState::BlockedByBudget | EligibilityState::BlockedByQuota => {
                    PublicState::RateLimited
                }
                EligibilityState::EligibleNow
                    if self.attempt_state == AttemptState::AttemptInterrupted =>
                {
                    PublicState::Resumable
                }
                _ => PublicState::Waiting,
            },
        }
    }

    /// Whether the public state is the derived one, and an outcome is there exactly at the end.
    pub fn is_consistent(&self) -> bool {
        let ended = self.lifecycle_phase == LifecyclePhase::Terminal;
        self.public_state == self.derive_public_state()
            && ended == (self.terminal_outcome != TerminalOutcome::None)
    }
}
