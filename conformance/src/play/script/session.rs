//! Plays the lines of a script.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use ff_core::call::Call;
use ff_core::clock::ManualClock;
use ff_core::dispatch::Dispatch;
use serde_json::Value;

use crate::play::generated::Universe;
use crate::play::generated::names::{Minted, canonical};
use crate::play::generated::observed::Known;
use crate::play::generated::step::{Given, bound};
use crate::play::generated::story::{answer_text, call_text};
use crate::stage::{Difference, Failure, Verdict, World};

/// A line of a history.
pub(crate) enum Line {
    /// A call, and how its answer is told.
    Call(Call, String),
    /// So many milliseconds pass.
    Pass(u64),
}

/// A call that is answered like this.
pub(crate) fn call(call: impl Into<Call>, answer: impl Into<String>) -> Line {
    Line::Call(call.into(), answer.into())
}

/// So many milliseconds pass.
pub(crate) fn pass(millis: u64) -> Line {
    Line::Pass(millis)
}

/// Plays a history in an empty world.
pub(crate) async fn play(world: &World, lines: Vec<Line>) -> Verdict {
    Session::new(world).play(lines).await
}

/// A world in which calls name executions, flows and leases by short names.
pub(in crate::play) struct Session<'a> {
    pub(in crate::play) world: &'a World,
    given: Given,
    minted: Minted,
    /// What calls have named.
    pub(in crate::play) named: Known,
    story: Vec<String>,
}

impl<'a> Session<'a> {
    pub(in crate::play) fn new(world: &'a World) -> Self {
        Self {
            world,
            given: Given::default(),
            minted: Minted::Numbered(HashMap::new()),
            named: Known::default(),
            story: Vec::new(),
        }
    }

    /// The same with one name for all that a backend mints.
    pub(super) fn with_names_alike(mut self) -> Self {
        self.minted = Minted::Alike;
        self
    }

    pub(in crate::play) async fn play(&mut self, lines: Vec<Line>) -> Verdict {
        for line in lines {
            match line {
                Line::Pass(millis) => {
                    self.world.pass_ms(millis).await?;
                    self.story.push(format!("{millis} ms pass"));
                }
                Line::Call(call, expected) => {
                    let seen = self.make(&call).await?;
                    self.compare(&call, &expected, seen)?;
                }
            }
        }
        Ok(())
    }

    /// Makes a call; returns how its answer is told.
    pub(in crate::play) async fn make(&mut self, call: &Call) -> Result<String, Failure> {
        let bound = self.bound(call)?;
        let answer = self.world.dispatch(bound).await;
        self.given.learn(call, &answer);
        let answer = canonical(&answer, &mut self.minted);
        Ok(self.told(answer))
    }

    /// An answer with its times from the world's beginning.
    pub(super) fn told(&self, answer: Value) -> String {
        answer_text(&from(self.world.start().0, answer))
    }

    /// The call with a real token, if it has a symbol for one.
    pub(in crate::play) fn signed(&self, mut call: Call) -> Call {
        let _ = self.given.sign(&mut call);
        call
    }

    /// The call with real handles.
    pub(in crate::play) fn bound(&mut self, call: &Call) -> Result<Call, Failure> {
        let universe = Universe::of(self.world.partitions());
        self.named.executions.extend(universe.executions_in(call));
        self.named.flows.extend(universe.flows_in(call));
        self.named.budgets.extend(Universe::budgets_in(call));
        self.named.quotas.extend(Universe::quotas_in(call));
        bound(call, &self.given)
            .ok_or_else(|| self.failure(call, "names a lease that no claim has got", Vec::new()))
    }

    pub(in crate::play) fn compare(
        &mut self,
        call: &Call,
        expected: &str,
        seen: String,
    ) -> Verdict {
        let seen = snap(seen, expected, &(0..=self.world.lag()));
        if seen == expected {
            self.story.push(format!("{} → {seen}", call_text(call)));
            return Ok(());
        }
        let difference = Difference { what: String::new(), expected: expected.to_owned(), seen };
        Err(self.failure(call, "is answered otherwise", vec![difference]))
    }

    fn failure(&self, call: &Call, why: &str, differences: Vec<Difference>) -> Failure {
        let message = format!("{} {why}", call_text(call));
        Failure { differences, story: self.story.clone(), ..Failure::new(message) }
    }
}

/// The value with its times, known by their size, as they would be had the world begun when clocks do.
fn from(start: i64, value: Value) -> Value {
    let moved = |time: i64| time - start + ManualClock::START.0;
    let is_time = |time: &i64| *time > start / 2;
    match value {
        _ if start == ManualClock::START.0 => value,
        Value::Number(number) => match number.as_i64().filter(is_time) {
            Some(time) => moved(time).into(),
            None => Value::Number(number),
        },
        Value::String(text) => match text.parse().ok().filter(is_time) {
            Some(time) => moved(time).to_string().into(),
            None => Value::String(text),
        },
        Value::Array(items) => items.into_iter().map(|item| from(start, item)).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (name, from(start, value)));
            Value::Object(fields.collect())
        }
        other => other,
    }
}

/// The expected text if the seen one differs from it by times that are so much later, otherwise the seen one.
pub(super) fn snap(seen: String, expected: &str, late: &RangeInclusive<i64>) -> String {
    let (mut seen_parts, mut expected_parts) = (seen.split("t+"), expected.split("t+"));
    let begins_alike = seen_parts.next() == expected_parts.next();
    let is_same = expected_parts.all(|expected| {
        let Some(seen) = seen_parts.next() else {
            return false;
        };
        let ((due, expected), (at, seen)) = (leading(expected), leading(seen));
        expected == seen
            && (due == at || at.zip(due).is_some_and(|(at, due)| late.contains(&(at - due))))
    });
    if begins_alike && is_same && seen_parts.next().is_none() { expected.to_owned() } else { seen }
}

/// The same of lines.
pub(super) fn snapped(
    seen: Vec<String>,
    expected: &[impl AsRef<str>],
    late: RangeInclusive<i64>,
) -> Vec<String> {
    let mut expected = expected.iter().map(AsRef::as_ref);
    seen.into_iter().map(|line| snap(line, expected.next().unwrap_or(""), &late)).collect()
}

/// The number that a text begins with, and the rest.
fn leading(text: &str) -> (Option<i64>, &str) {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    (text[..digits].parse().ok(), &text[digits..])
}
