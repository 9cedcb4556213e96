//! How a case fails.

use std::fmt::Debug;

use ff_core::engine_error::EngineError;
use serde::{Deserialize, Serialize};

/// Why a case failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What was promised, or what happened.
    pub message: String,
    pub differences: Vec<Difference>,
}

/// One respect in which what was seen is not what was expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Where; empty for the whole.
    pub what: String,
    pub expected: String,
    pub seen: String,
}

impl Failure {
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            differences: Vec::new(),
        }
    }

    /// `expected` was promised and `seen` came.
    pub fn differing(message: impl Into<String>, expected: &dyn Debug, seen: &dyn Debug) -> Self {
        Self {
            message: message.into(),
            differences: differences(&format!("{expected:#?}"), &format!("{seen:#?}")),
        }
    }
}

/// A refusal that the contract does not allow.
impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::new(format!(
            "a call was refused that should succeed: {} ({error})",
            error.code()
        ))
    }
}

/// The longest value that a difference shows in full, in characters.
const SHOWN: usize = 240;

/// The lines that differ, where both sides have the same shape; otherwise both as a whole.
fn differences(expected: &str, seen: &str) -> Vec<Difference> {
    let (left, right): (Vec<_>, Vec<_>) = (expected.lines().collect(), seen.lines().collect());
    if left.len() != right.len() || left.len() == 1 {
        let whole = |lines: &[&str]| lines.iter().map(|line| line.trim()).collect::<String>();
        return vec![Difference {
            what: String::new(),
            expected: shortened(whole(&left)),
            seen: shortened(whole(&right)),
        }];
    }
    left.iter()
        .zip(&right)
        .filter(|(left, right)| left != right)
        .map(|(left, right)| {
            let (what, expected) = field(left);
            let (_, seen) = field(right);
            Difference {
                what,
                expected: shortened(expected),
                seen: shortened(seen),
            }
        })
        .collect()
}

/// Splits a line of pretty debug output into the field's name and its value.
fn field(line: &str) -> (String, String) {
    let line = line.trim().trim_end_matches(',');
    match line.split_once(": ") {
        Some((name, value)) => (name.trim_matches('"').to_owned(), value.to_owned()),
        None => (String::new(), line.to_owned()),
    }
}

/// The beginning of a long value, and how long it is.
fn shortened(value: String) -> String {
    let length = value.chars().count();
    if length <= SHOWN {
        return value;
    }
    let beginning: String = value.chars().take(SHOWN).collect();
    format!("{beginning}… ({length} characters)")
}
