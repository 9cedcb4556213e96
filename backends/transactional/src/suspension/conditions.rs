//! When a suspension ends: what signals count for, and whether that is enough (SUS-012 to SUS-014).

use std::collections::BTreeSet;

use ff_core::backend::{CompositeBody, ResumeCondition, SignalMatcher};
use ff_core::contracts::{CountKind, MAX_COMPOSITE_DEPTH};
use ff_core::engine_error::EngineError;
use ff_core::types::SignalId;
use serde::{Deserialize, Serialize};

use super::signals;

/// The most that one part counts (SUS-047).
const MAX_COUNT: u32 = 1_000;

/// What counts once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    Signal(SignalId),
    Source { kind: String, identity: String },
    Waitpoint(String),
}

/// A signal at a waitpoint of the suspension.
pub(super) struct Arrival<'a> {
    pub(super) waitpoint: &'a str,
    pub(super) id: SignalId,
    pub(super) name: &'a str,
    pub(super) source_type: &'a str,
    pub(super) source_identity: &'a str,
}

/// What a signal does to a condition (SIG-012).
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Effect {
    BufferedForPendingWaitpoint,
    ResumeConditionSatisfied,
    AppendedToWaitpoint,
    AppendedToWaitpointDuplicate,
    SignalIgnoredMatcherFailed,
    SignalIgnoredNotInCondition,
}

/// A part of a condition that counts signals.
struct Part<'a> {
    needed: usize,
    kind: CountKind,
    /// Any signal, if there is none.
    matcher: Option<&'a SignalMatcher>,
    waitpoints: &'a [String],
}

impl Part<'_> {
    fn accepts(&self, name: &str) -> bool {
        match self.matcher {
            Some(SignalMatcher::ByName(expected)) => expected == name,
            _ => true,
        }
    }

    fn counted(&self, arrival: &Arrival<'_>) -> Counted {
        match self.kind {
            CountKind::DistinctWaitpoints => Counted::Waitpoint(arrival.waitpoint.to_owned()),
            CountKind::DistinctSources => Counted::Source {
                kind: arrival.source_type.to_owned(),
                identity: arrival.source_identity.to_owned(),
            },
            _ => Counted::Signal(arrival.id),
        }
    }
}

/// The parts that count signals, from the left.
fn parts<'a>(condition: &'a ResumeCondition, into: &mut Vec<Part<'a>>) {
    match condition {
        ResumeCondition::Single { matcher, waitpoint_key } => into.push(Part {
            needed: 1,
            kind: CountKind::DistinctSignals,
            matcher: Some(matcher),
            waitpoints: std::slice::from_ref(waitpoint_key),
        }),
        ResumeCondition::Composite(CompositeBody::Count { count_kind, matcher, n, waitpoints }) => {
            into.push(Part {
                needed: *n as usize,
                kind: *count_kind,
                matcher: matcher.as_ref(),
                waitpoints,
            });
        }
        ResumeCondition::Composite(CompositeBody::AllOf { members }) => {
            for member in members {
                parts(member, into);
            }
        }
        _ => {}
    }
}

fn parts_of(condition: &ResumeCondition) -> Vec<Part<'_>> {
    let mut found = Vec::new();
    parts(condition, &mut found);
    found
}

/// Nothing, for each part of the condition.
pub(super) fn none_counted(condition: &ResumeCondition) -> Vec<Vec<Counted>> {
    parts_of(condition).iter().map(|_| Vec::new()).collect()
}

/// Counts a signal wherever it counts.
pub(super) fn arrive(
    condition: &ResumeCondition,
    counted: &mut [Vec<Counted>],
    arrival: &Arrival<'_>,
) -> Effect {
    let parts = parts_of(condition);
    let (mut is_named, mut is_accepted, mut is_new) = (false, false, false);
    for (part, counted) in parts.iter().zip(&mut *counted) {
        if !part.waitpoints.iter().any(|key| key == arrival.waitpoint) {
            continue;
        }
        is_named = true;
        if !part.accepts(arrival.name) {
            continue;
        }
        is_accepted = true;
        let one = part.counted(arrival);
        if counted.len() < part.needed && !counted.contains(&one) {
            counted.push(one);
            is_new = true;
        }
    }
    let mut met = parts.iter().zip(counted).map(|(part, counted)| counted.len() >= part.needed);
    match (is_new, is_accepted, is_named) {
        (true, ..) if is_met(condition, &mut met) => Effect::ResumeConditionSatisfied,
        (true, ..) => Effect::AppendedToWaitpoint,
        (_, true, _) => Effect::AppendedToWaitpointDuplicate,
        (.., true) => Effect::SignalIgnoredMatcherFailed,
        _ => Effect::SignalIgnoredNotInCondition,
    }
}

/// Takes for each part, from the left, whether it is met.
fn is_met(condition: &ResumeCondition, met: &mut impl Iterator<Item = bool>) -> bool {
    match condition {
        ResumeCondition::Composite(CompositeBody::AllOf { members }) => {
            // All of them take theirs.
            members.iter().fold(true, |all, member| is_met(member, met) & all)
        }
        ResumeCondition::OperatorOnly | ResumeCondition::TimeoutOnly => false,
        _ => met.next().unwrap_or(false),
    }
}

/// SUS-047.
pub(super) fn check(condition: &ResumeCondition) -> Result<(), EngineError> {
    check_at(condition, 1)
}

fn check_at(condition: &ResumeCondition, depth: usize) -> Result<(), EngineError> {
    let refuse = |why: &str| Err(EngineError::invalid_input(format!("the condition {why}")));
    if let ResumeCondition::Composite(_) = condition
        && depth > MAX_COMPOSITE_DEPTH
    {
        return refuse("is nested more than 4 deep");
    }
    match condition {
        ResumeCondition::Single { matcher, .. } => check_matcher(matcher),
        ResumeCondition::Composite(CompositeBody::AllOf { members }) => {
            if members.is_empty() {
                return refuse("has an all-of without members");
            }
            members.iter().try_for_each(|member| check_at(member, depth + 1))
        }
        ResumeCondition::Composite(CompositeBody::Count { count_kind, matcher, n, waitpoints }) => {
            let distinct: BTreeSet<_> = waitpoints.iter().collect();
            let is_possible =
                *count_kind != CountKind::DistinctWaitpoints || *n as usize <= distinct.len();
            if !(1..=MAX_COUNT).contains(n) || waitpoints.is_empty() || !is_possible {
                return refuse("has a count that no signals can reach, or of more than 1 000");
            }
            matcher.as_ref().map_or(Ok(()), check_matcher)
        }
        _ => Ok(()),
    }
}

fn check_matcher(matcher: &SignalMatcher) -> Result<(), EngineError> {
    match matcher {
        SignalMatcher::ByName(name) => signals::check_name(name),
        _ => Ok(()),
    }
}

/// The keys of all waitpoints that it names.
pub(super) fn named(condition: &ResumeCondition) -> BTreeSet<&str> {
    let parts = parts_of(condition).into_iter();
    parts.flat_map(|part| part.waitpoints).map(String::as_str).collect()
}

/// Whether it has a part that only time meets.
pub(super) fn needs_timeout(condition: &ResumeCondition) -> bool {
    match condition {
        ResumeCondition::TimeoutOnly => true,
        ResumeCondition::Composite(CompositeBody::AllOf { members }) => {
            members.iter().any(needs_timeout)
        }
        _ => false,
    }
}

/// The names that count at a waitpoint; none if any does (WPT-015).
pub(super) fn required_names(condition: &ResumeCondition, waitpoint: &str) -> Vec<String> {
    match condition {
        ResumeCondition::OperatorOnly => return vec!["__operator_only__".to_owned()],
        ResumeCondition::TimeoutOnly => return vec!["__timeout_only__".to_owned()],
        _ => {}
    }
    let mut names = Vec::new();
    for part in parts_of(condition) {
        if !part.waitpoints.iter().any(|key| key == waitpoint) {
            continue;
        }
        match part.matcher {
            Some(SignalMatcher::ByName(name)) if names.contains(name) => {}
            Some(SignalMatcher::ByName(name)) => names.push(name.clone()),
            _ => return Vec::new(),
        }
    }
    names
}
