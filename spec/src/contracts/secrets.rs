//! The secrets that sign waitpoint tokens.

use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};

use crate::engine_error::EngineError;

/// The first signing secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct SeedWaitpointHmacSecretArgs {
    /// Kid.
    pub kid: String,
    /// Secret hex.
    pub secret_hex: String,
}

impl SeedWaitpointHmacSecretArgs {
    pub fn new(kid: impl Into<String>, secret_hex: impl Into<String>) -> Self {
        Self {
            kid: kid.into(),
            secret_hex: secret_hex.into(),
        }
    }
}

/// Whether the signing secret is new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SeedOutcome {
    /// Already seeded.
    AlreadySeeded {
        /// Kid.
        kid: String,
        /// Same secret.
        same_secret: bool,
    },
    /// Seeded.
    Seeded {
        /// Kid.
        kid: String,
    },
}

/// A new signing secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct RotateWaitpointHmacSecretAllArgs {
    /// New kid.
    pub new_kid: String,
    /// New secret hex.
    pub new_secret_hex: String,
    /// Grace, in milliseconds.
    pub grace_ms: u64,
}

impl RotateWaitpointHmacSecretAllArgs {
    pub fn new(
        new_kid: impl Into<String>,
        new_secret_hex: impl Into<String>,
        grace_ms: u64,
    ) -> Self {
        Self {
            new_kid: new_kid.into(),
            new_secret_hex: new_secret_hex.into(),
            grace_ms,
        }
    }
}

/// A rotation, partition by partition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct RotateWaitpointHmacSecretAllResult {
    /// The page.
    pub entries: Vec<RotateWaitpointHmacSecretAllEntry>,
}

impl RotateWaitpointHmacSecretAllResult {
    pub fn new(entries: Vec<RotateWaitpointHmacSecretAllEntry>) -> Self {
        Self { entries }
    }
}

/// One partition's part of a rotation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct RotateWaitpointHmacSecretAllEntry {
    /// The partition of the record.
    pub partition: u16,
    /// Result.
    pub result: Result<RotateWaitpointHmacSecretOutcome, EngineError>,
}

impl RotateWaitpointHmacSecretAllEntry {
    pub fn new(
        partition: u16,
        result: Result<RotateWaitpointHmacSecretOutcome, EngineError>,
    ) -> Self {
        Self { partition, result }
    }
}

/// What a rotation did on one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum RotateWaitpointHmacSecretOutcome {
    /// Noop.
    Noop {
        /// Kid.
        kid: String,
    },
    /// Rotated.
    Rotated {
        /// Gc count.
        gc_count: u32,
        /// New kid.
        new_kid: String,
        /// Previous kid.
        previous_kid: Option<String>,
    },
}
