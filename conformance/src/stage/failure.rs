//! How a case fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use ff_core::call::Method;
use ff_core::engine_error::EngineError;
use serde::{Deserialize, Serialize};

use super::secrets::redacted;

/// Why a case failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What was promised, or what happened.
    pub message: String,
    pub differences: Vec<Difference>,
    /// The calls that led there, a line each, where they are not simply those that were made last.
    pub story: Vec<String>,
    /// Whether the case could not be set up: then it says nothing of its clauses.
    pub is_setup: bool,
    /// What it has in common with failures of other cases.
    pub cause: Option<Cause>,
}

/// What failures have in common that stem from one mistake.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cause {
    /// The method that was called last.
    pub method: String,
    pub expected: String,
    pub answered: String,
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
            story: Vec::new(),
            is_setup: false,
            cause: None,
        }
    }

    /// Something failed that the case needs before it can begin.
    pub(crate) fn setup(why: &str) -> Self {
        Self::new(why).in_setup()
    }

    /// A call of the setup was refused.
    pub(crate) fn setup_refused(error: EngineError) -> Self {
        Self::from(error).in_setup()
    }

    /// The same while the case was set up: it says nothing of the case's clauses.
    pub(crate) fn in_setup(self) -> Self {
        if self.is_setup {
            return self;
        }
        Self { is_setup: true, message: format!("could not set up: {}", self.message), ..self }
    }

    /// The answer of a call that was told like this is not what was expected of it.
    pub fn refused(why: String, expected: &str, seen: String) -> Self {
        let expected = expected.to_owned();
        let difference = Difference { what: String::new(), expected, seen };
        Self { differences: vec![difference], ..Self::new(why) }
    }

    /// The same without secrets, as it may be shown.
    pub(crate) fn redacted(self) -> Self {
        let differences = self.differences.into_iter().map(|difference| Difference {
            what: redacted(&difference.what),
            expected: redacted(&difference.expected),
            seen: redacted(&difference.seen),
        });
        let cause = self.cause.map(|cause| Cause {
            expected: redacted(&cause.expected),
            answered: redacted(&cause.answered),
            ..cause
        });
        Self {
            message: redacted(&self.message),
            differences: differences.collect(),
            story: self.story.iter().map(|line| redacted(line)).collect(),
            cause,
            ..self
        }
    }

    /// What it has in common with others, if this method was called last.
    pub fn cause_by(&self, method: Method) -> Cause {
        let (expected, answered) = match self.differences.first() {
            Some(first) => {
                let at = |value: &str| match &*first.what {
                    "" => without_names(value),
                    what => format!("{} {}", without_names(what), without_names(value)),
                };
                (at(&first.expected), at(&first.seen))
            }
            None => (without_names(&self.message), String::new()),
        };
        Cause { method: method.to_string(), expected, answered }
    }

    /// `expected` was promised and `seen` came.
    pub fn differing(message: impl Into<String>, expected: &dyn Debug, seen: &dyn Debug) -> Self {
        Self {
            differences: differences(&format!("{expected:#?}"), &format!("{seen:#?}")),
            ..Self::new(message)
        }
    }
}

/// A refusal that the contract does not allow.
impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let why = "a call was refused that should succeed".to_owned();
        Self::refused(why, "success", told(&Err::<(), _>(error)))
    }
}

/// An answer as a failure shows it: the code of a refusal with what else it says, or the reply.
pub(crate) fn told<T: Debug>(answer: &Result<T, EngineError>) -> String {
    match answer {
        Ok(reply) => format!("Ok({reply:?})"),
        Err(error) => format!("{} ({error})", error.code()),
    }
}

/// Text without what differs from case to case: ids, and numbers of more than four digits.
fn without_names(text: &str) -> String {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let mut kept = String::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let length = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(length.max(letter.len_utf8()));
        let digits = word.bytes().all(|byte| byte.is_ascii_digit()) && word.len() > 4;
        kept += match () {
            () if uuid::Uuid::try_parse(word).is_ok() => "id",
            () if digits => "number",
            () => word,
        };
        rest = after;
    }
    kept
}

/// The longest value that a difference shows in full, in characters.
const SHOWN: usize = 240;

/// How much it shows before the first place where longer ones differ.
const BEFORE: usize = 60;

/// The fields that differ, where both sides are made of named ones; otherwise both as a whole.
fn differences(expected: &str, seen: &str) -> Vec<Difference> {
    let (left, right): (Vec<_>, Vec<_>) = (expected.lines().collect(), seen.lines().collect());
    if let (Some(left), Some(right)) = (named(&left), named(&right)) {
        let names: BTreeSet<_> = left.keys().chain(right.keys()).collect();
        let value = |side: &BTreeMap<String, String>, name| {
            side.get(name).cloned().unwrap_or_else(|| "nothing".to_owned())
        };
        let differing = names.into_iter().filter(|name| left.get(*name) != right.get(*name));
        return differing
            .map(|name| difference(name, &value(&left, name), &value(&right, name)))
            .collect();
    }
    let whole = |lines: &[&str]| lines.iter().map(|line| line.trim()).collect::<String>();
    vec![difference("", &whole(&left), &whole(&right))]
}

/// Shows both values where they begin to differ.
fn difference(what: &str, expected: &str, seen: &str) -> Difference {
    let same = expected.chars().zip(seen.chars()).take_while(|(one, other)| one == other).count();
    // What is cut is no longer known for a secret.
    let shown = |value: &str| shortened(&redacted(value), same);
    Difference { what: what.to_owned(), expected: shown(expected), seen: shown(seen) }
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

/// A long value around this place, and how long it is.
fn shortened(value: &str, place: usize) -> String {
    let length = value.chars().count();
    if length <= SHOWN {
        return value.to_owned();
    }
    let from = if place < SHOWN - BEFORE { 0 } else { place - BEFORE };
    let shown: String = value.chars().skip(from).take(SHOWN).collect();
    let (before, after) =
        (if from > 0 { "…" } else { "" }, if from + SHOWN < length { "…" } else { "" });
    format!("{before}{shown}{after} ({length} characters)")
}
