//! The secrets that sign waitpoint tokens.

use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};

use crate::engine_error::EngineError;

/// The first signing secret.
#[derive(
    Clone, derive_more::Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new,
)]
#[non_exhaustive]
pub struct SeedWaitpointHmacSecretArgs {
    /// The secret's name: 1 to 64 of letters, digits, `_` and `-`.
    #[new(into)]
    pub kid: String,
    /// The secret, in 64 hexadecimal digits.
    #[new(into)]
    #[debug("<secret, {} bytes>", secret_hex.len())]
    pub secret_hex: String,
}

/// Whether the signing secret is new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SeedOutcome {
    AlreadySeeded {
        /// The secret's name: 1 to 64 of letters, digits, `_` and `-`.
        kid: String,
        /// Whether the secret is the one that is there.
        same_secret: bool,
    },
    Seeded {
        /// The secret's name: 1 to 64 of letters, digits, `_` and `-`.
        kid: String,
    },
}

/// A new signing secret.
#[derive(
    Clone, derive_more::Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary, derive_new::new,
)]
#[non_exhaustive]
pub struct RotateWaitpointHmacSecretAllArgs {
    /// The new secret's name.
    #[new(into)]
    pub new_kid: String,
    /// The new secret, in 2 to 65 536 hexadecimal digits.
    #[new(into)]
    #[debug("<secret, {} bytes>", new_secret_hex.len())]
    pub new_secret_hex: String,
    /// How long the old secret goes on verifying, in milliseconds, up to 2^53 − 1.
    pub grace_ms: u64,
}

/// A rotation, partition by partition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct RotateWaitpointHmacSecretAllResult {
    /// The page.
    pub entries: Vec<RotateWaitpointHmacSecretAllEntry>,
}

/// One partition's part of a rotation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct RotateWaitpointHmacSecretAllEntry {
    /// The partition of the record.
    pub partition: u16,
    /// What happened there.
    pub result: Result<RotateWaitpointHmacSecretOutcome, EngineError>,
}

/// What a rotation did on one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum RotateWaitpointHmacSecretOutcome {
    Noop {
        /// The secret's name: 1 to 64 of letters, digits, `_` and `-`.
        kid: String,
    },
    Rotated {
        /// Expired secrets that were removed.
        gc_count: u32,
        /// The new secret's name.
        new_kid: String,
        /// The secret that was current before.
        previous_kid: Option<String>,
    },
}
