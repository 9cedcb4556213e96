//! How a case fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use ff_core::engine_error::EngineError;
use serde::{Deserialize, Serialize};

/// Why a case failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What was promised, or what happened.
    pub message: String,
    pub differences: Vec<Difference>,
    /// The calls that led there, a line each, where they are not simply those that were made last.
    pub story: Vec<String>,
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
        Self { message: message.into(), differences: Vec::new(), story: Vec::new() }
    }

    /// `expected` was promised and `seen` came.
    pub fn differing(message: impl Into<String>, expected: &dyn Debug, seen: &dyn Debug) -> Self {
        Self {
            message: message.into(),
            differences: differences(&format!("{expected:#?}"), &format!("{seen:#?}")),
            story: Vec::new(),
        }
    }
}

/// A refusal that the contract does not allow.
impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::new(format!("a call was refused that should succeed: {} ({error})", error.code()))
    }
}

/// The longest value that a difference shows in full, in characters.
const SHOWN: usize = 240;

/// The fields that differ, where both sides are made of named ones; otherwise both as a whole.
fn differences(expected: &str, seen: &str) -> Vec<Difference> {
    let (left, right): (Vec<_>, Vec<_>) = (expected.lines().collect(), seen.lines().collect());
    if let (Some(left), Some(right)) = (named(&left), named(&right)) {
        let names: BTreeSet<_> = left.keys().chain(right.keys()).collect();
        let value = |side: &BTreeMap<String, String>, name| {
            let value = side.get(name).cloned();
            shortened(value.unwrap_or_else(|| "nothing".to_owned()))
        };
        let differing = names.into_iter().filter(|name| left.get(*name) != right.get(*name));
        return differing
            .map(|name| Difference {
                what: name.clone(),
                expected: value(&left, name),
                seen: value(&right, name),
            })
            .collect();
    }
    let whole = |lines: &[&str]| lines.iter().map(|line| line.trim()).collect::<String>();
    vec![Difference {
        what: String::new(),
        expected: shortened(whole(&left)),
        seen: shortened(whole(&right)),
    }]
}

/// The fields of a struct or map in pretty debug output, if each stands on a line of its own under
/// a name of its own.
fn named(lines: &[&str]) -> Option<BTreeMap<String, String>> {
    let [first, fields @ .., last] = lines else {
        return None;
    };
    if !(first.ends_with('{') && *last == "}") {
        return None;
    }
    let mut named = BTreeMap::new();
    for line in fields {
        let (name, value) = field(line);
        if name.is_empty()
            || value.ends_with(['{', '(', '['])
            || named.insert(name, value).is_some()
        {
            return None;
        }
    }
    Some(named)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn told(expected: &dyn Debug, seen: &dyn Debug) -> Vec<(String, String, String)> {
        let failure = Failure::differing("why", expected, seen);
        let lines = failure.differences.into_iter();
        lines.map(|line| (line.what, line.expected, line.seen)).collect()
    }

    #[derive(Debug)]
    #[allow(dead_code)] // Read by its debug output.
    struct Pair {
        left: u32,
        right: &'static str,
    }

    #[test]
    fn structs_tell_the_fields_that_differ() {
        let pair = |right| Pair { left: 1, right };
        let line = ("right".to_owned(), "\"a\"".to_owned(), "\"b\"".to_owned());
        assert_eq!(told(&pair("a"), &pair("b")), [line]);
    }

    #[test]
    fn maps_tell_what_is_missing() {
        let (full, empty) = (BTreeMap::from([("a", 1), ("b", 2)]), BTreeMap::from([("a", 1)]));
        let line = ("b".to_owned(), "2".to_owned(), "nothing".to_owned());
        assert_eq!(told(&full, &empty), [line]);
    }

    #[test]
    fn anything_else_is_told_as_a_whole_and_not_at_length() {
        let line = (String::new(), "Some(1,)".to_owned(), "None".to_owned());
        assert_eq!(told(&Some(1), &None::<u32>), [line]);
        let long = told(&"x".repeat(1_000), &"y");
        assert!(long[0].1.ends_with("… (1002 characters)"), "{}", long[0].1);
    }
}
