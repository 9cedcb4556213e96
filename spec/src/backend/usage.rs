//! Usage and the boot step.

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};

/// Usage reported against a budget.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct UsageDimensions {
    /// Further dimensions by name.
    pub custom: BTreeMap<String, u64>,
    /// A key under which a repeated report is recognised.
    pub dedup_key: Option<String>,
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Milliseconds spent.
    pub wall_ms: Option<u64>,
}

impl UsageDimensions {
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn with_dedup_key(mut self, dedup_key: impl Into<String>) -> Self {
        self.dedup_key = Some(dedup_key.into());
        self
    }

    #[must_use]
    pub fn with_input_tokens(mut self, input_tokens: u64) -> Self {
        self.input_tokens = input_tokens;
        self
    }

    #[must_use]
    pub fn with_output_tokens(mut self, output_tokens: u64) -> Self {
        self.output_tokens = output_tokens;
        self
    }

    #[must_use]
    pub fn with_wall_ms(mut self, wall_ms: u64) -> Self {
        self.wall_ms = Some(wall_ms);
        self
    }
}

/// Whether `prepare` had anything to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PrepareOutcome {
    /// Something was created or brought up to date; the text is for people.
    Applied {
        /// For people; not part of the contract.
        description: String,
    },
    /// Everything was in place.
    NoOp,
}

impl PrepareOutcome {
    pub fn applied(description: impl Into<String>) -> Self {
        Self::Applied { description: description.into() }
    }
}
