//! How often each method was called and with what it was answered, and what should have been seen.

use std::collections::{BTreeMap, BTreeSet};

use ff_core::call::{Method, Reply};
use ff_core::contract::{self, Clause};
use ff_core::engine_error::{EngineError, codes};
use serde::{Deserialize, Serialize};

/// What a call that was not refused counts under.
const OK: &str = "ok";

/// What was generated for a case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GeneratedReport {
    /// Sequences or histories.
    pub runs: usize,
    /// How many of them ended at a difference that the backend's author knows of.
    pub cut: usize,
    /// Calls in all of them.
    pub calls: u64,
    /// What they were answered.
    pub coverage: Coverage,
}

/// A method and what a call of it was answered: `ok`, or the code of a refusal.
pub(crate) type Answered = (Method, String);

/// Calls by method and by what they were answered: `ok`, or the code of a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Coverage(BTreeMap<Method, BTreeMap<String, u64>>);

impl Coverage {
    pub fn count(&mut self, method: Method, answer: &Result<Reply, EngineError>) {
        let code = answer.as_ref().err().map(EngineError::code);
        let codes = self.0.entry(method).or_default();
        *codes.entry(code.unwrap_or_else(|| OK.to_owned())).or_default() += 1;
        // What is done partition by partition can be refused in each of them.
        if let Ok(Reply::RotateWaitpointHmacSecretAll(rotated)) = answer {
            let refused = rotated.entries.iter().filter_map(|entry| entry.result.as_ref().err());
            for code in refused.map(EngineError::code).collect::<BTreeSet<_>>() {
                *codes.entry(code).or_default() += 1;
            }
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        for (method, codes) in other.0 {
            let mine = self.0.entry(method).or_default();
            for (code, count) in codes {
                *mine.entry(code).or_default() += count;
            }
        }
    }

    /// Calls in all; those that were refused in parts count again.
    pub fn calls(&self) -> u64 {
        self.0.values().flat_map(BTreeMap::values).sum()
    }

    /// The methods in the order of the trait, each with its answers.
    pub fn methods(&self) -> impl Iterator<Item = (Method, &BTreeMap<String, u64>)> {
        self.0.iter().map(|(method, codes)| (*method, codes))
    }

    /// The codes of all refusals, those of each method.
    pub fn codes(&self) -> impl Iterator<Item = &String> {
        let answers = self.0.values().flat_map(BTreeMap::keys);
        answers.filter(|answer| *answer != OK)
    }

    /// Whether this method was answered so.
    pub(crate) fn has(&self, method: Method, answer: &str) -> bool {
        self.0.get(&method).is_some_and(|answers| answers.contains_key(answer))
    }

    /// Which of these methods were never answered `ok`, and the codes that clauses name for them with which
    /// they never refused.
    pub fn uncovered(&self, drawn: &[Method]) -> Vec<Answered> {
        expected(drawn).into_iter().filter(|(method, code)| !self.has(*method, code)).collect()
    }
}

/// Success of each method that can be drawn, and the codes its clauses name.
fn expected(drawn: &[Method]) -> BTreeSet<Answered> {
    let mut expected: BTreeSet<_> = drawn.iter().map(|m| (*m, OK.to_owned())).collect();
    for clause in contract::clauses() {
        for code in named_codes(clause) {
            let bound = drawn.iter().filter(|method| match &clause.binds {
                // Such a clause says of an error what it is, not that each method has it.
                contract::Binds::All => false,
                contract::Binds::These(methods) => methods.contains(method),
            });
            expected.extend(bound.map(|method| (*method, code.clone())));
        }
    }
    expected
}

/// The codes of the errors that a clause names as `Kind(Detail)`.
pub fn named_codes(clause: &Clause) -> Vec<String> {
    let quoted = clause.text.split('`').skip(1).step_by(2);
    let code = |text: &str| {
        let (group, kind) = text.strip_suffix(')')?.split_once('(')?;
        let code = format!("{}.{}", snake_case(group), snake_case(kind));
        codes().find(|known| *known == code)
    };
    quoted.filter_map(code).collect()
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}
