//! What of a history that is not linearizable is enough to see it.

use std::cell::Cell;
use std::collections::BTreeSet;

use ff_core::call::{Call, Method};

use super::event::History;
use super::history::named_things;
use super::linearizability::{Judgement, judge};
use super::reference::Reference;
use super::step::{claimant, read_symbol};
use super::story::{answer_text, call_text};

/// How many calls may be tried to judge a shorter history. More than this, and a call is left in.
const BUDGET: u64 = 20_000;

/// How many may be tried in all to find what a history is about. After that, every call is left in.
const ALL: u64 = 200_000;

/// A smallest part of a history that no order of calls explains: every call in it is needed. Of the
/// calls that are left out, each may have taken effect at any time after its start, or never.
pub(crate) struct Core {
    pub(crate) needed: History,
    /// Changes among the calls that were left out; reads and refused calls leave nothing behind.
    pub(crate) free: History,
}

/// The methods that a history which is not linearizable is likely about: those of the calls that have
/// to do with the first answer which contradicts what came before.
pub(crate) fn suspects(initial: &Reference, history: &History) -> BTreeSet<Method> {
    let prefix = shortest_prefix(history, &contradicting(initial));
    let last = prefix.iter().max_by_key(|span| span.end);
    let about = last.map(|span| things(&span.op.call)).unwrap_or_default();
    let related =
        prefix.iter().map(|span| &span.op.call).filter(|call| !things(call).is_disjoint(&about));
    // Without these nothing happens.
    let always = [Method::CreateExecution, Method::Claim, Method::DescribeExecution];
    related.map(Call::method).chain(always).collect()
}

/// The executions, flows and leases that a call names.
fn things(call: &Call) -> BTreeSet<String> {
    let mut things = named_things(call);
    let mut call = call.clone();
    let lease = call.handle_mut().and_then(|handle| read_symbol(handle));
    things.extend(lease.map(|(instance, _)| instance));
    things.extend(claimant(&call).map(|instance| instance.as_str().to_owned()));
    things
}

/// Tells whether a history is not linearizable, as long as there is something left of [`ALL`].
fn contradicting(initial: &Reference) -> impl Fn(&History) -> bool {
    let left = Cell::new(ALL);
    move |history| {
        let budget = left.get().min(BUDGET);
        let mut unused = budget;
        let judgement = judge(initial, history, &mut unused);
        left.set(left.get() - (budget - unused));
        judgement == Judgement::NotLinearizable
    }
}

/// Finds a core of a history that is not linearizable.
pub(crate) fn smallest(initial: &Reference, history: &History) -> Core {
    let contradicts = contradicting(initial);
    let mut history = shortest_prefix(history, &contradicts);
    let mut place = history.len();
    while place > 0 {
        place -= 1;
        let mut weaker = history.clone();
        if history[place].op.changes_nothing() {
            weaker.remove(place);
        } else if history[place].end.is_some() {
            weaker[place].op = history[place].op.without_answer();
            weaker[place].end = None;
        } else {
            continue;
        }
        if contradicts(&weaker) {
            history = weaker;
        }
    }
    let (needed, free) = history.into_iter().partition(|span| span.end.is_some());
    Core { needed, free }
}

/// The history up to the first answer that contradicts what came before. Calls that were open then
/// have no answer yet, and calls that had not started are not there.
fn shortest_prefix(history: &History, contradicts: &impl Fn(&History) -> bool) -> History {
    let mut ends: Vec<u64> = history.iter().filter_map(|span| span.end).collect();
    ends.sort_unstable();
    let up_to = |end: u64| -> History {
        let started = history.iter().filter(|span| span.start < end);
        started
            .cloned()
            .map(|mut span| {
                if span.end.is_some_and(|known| known > end) {
                    span.op = span.op.without_answer();
                    span.end = None;
                }
                span
            })
            .collect()
    };
    let first = ends.partition_point(|end| !contradicts(&up_to(*end)));
    ends.get(first).map_or_else(|| history.clone(), |end| up_to(*end))
}

impl Core {
    /// The methods of its calls.
    pub(crate) fn methods(&self) -> BTreeSet<Method> {
        let calls = self.needed.iter().chain(&self.free);
        calls.map(|span| span.op.call.method()).collect()
    }

    /// A line a call, in the order of starts, with when it started and returned.
    pub(crate) fn story(&self) -> Vec<String> {
        let mut calls: Vec<_> = self.needed.iter().chain(&self.free).collect();
        calls.sort_by_key(|span| span.start);
        let line = |span: &&super::linearizability::Span<super::event::Event>| {
            let event = &span.op;
            let returned = span.end.map_or_else(|| "?".to_owned(), |end| end.to_string());
            let answer = match event.seen() {
                Some(answer) => answer_text(answer),
                None => "at any time, or never".to_owned(),
            };
            format!(
                "[{}–{returned}] worker {}: {} → {answer}",
                span.start,
                event.worker,
                call_text(&event.call)
            )
        };
        calls.iter().map(line).collect()
    }
}
