//! What scanner hooks take and return.

use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};

/// What scanners find to repair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct ReconcileCounts {
    /// Records that were not what, or where, they should be.
    pub processed: u32,
    /// Records that cannot be decoded.
    pub errors: u32,
}

/// Which time limit an execution is to be held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum ExpirePhase {
    AttemptTimeout,
    ExecutionDeadline,
}

impl ExpirePhase {
    /// The name in snake case.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::AttemptTimeout => "attempt_timeout",
            Self::ExecutionDeadline => "execution_deadline",
        }
    }
}

/// What repairing a sibling cancellation found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum SiblingCancelReconcileAction {
    /// A leftover entry was removed.
    SremmedStale,
    /// An interrupted cancellation was finished.
    CompletedDrain,
    NoOp,
}

impl SiblingCancelReconcileAction {
    /// The name in snake case.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::SremmedStale => "sremmed_stale",
            Self::CompletedDrain => "completed_drain",
            Self::NoOp => "no_op",
        }
    }
}
