//! Linearizability: whether calls that overlapped can be put in one order that explains every answer.
//!
//! The search is Wing and Gong's with Lowe's memory of failures: it takes any call that started
//! before every other open call returned, goes on in each state that this call may have led to,
//! and never looks twice at the same set of calls in the same state.

use std::collections::{HashMap, HashSet};

/// What calls act on: a state, and the states that a call may lead to.
pub trait Object: Clone {
    type Op;

    /// The states after `op`, if it could have been answered as it was; none if it could not.
    fn after(&self, op: &Self::Op) -> Vec<Self>;

    /// Equal for states that no later call can tell apart.
    fn fingerprint(&self) -> u64;
}

/// A call between two points of one order of all starts and returns.
#[derive(Clone, Debug)]
pub struct Span<Op> {
    pub op: Op,
    pub start: u64,
    /// Absent if no answer was seen: the call takes effect once at any time after its start, or
    /// never.
    pub end: Option<u64>,
}

/// What is known of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// This order explains it: places in the history, without the calls that never took effect.
    Linearizable(Vec<usize>),
    NotLinearizable,
    /// The budget ran out first.
    Unknown,
}

/// Judges a history that began in `initial`. The budget is how many calls may be tried; what is left of it
/// is left there.
pub fn judge<O: Object>(initial: &O, history: &[Span<O::Op>], budget: &mut u64) -> Judgement {
    let mut search = Search {
        history,
        done: Done::new(history.len()),
        order: Vec::new(),
        failed: HashMap::new(),
        left: *budget,
    };
    let explained = search.explain(initial);
    *budget = search.left;
    match explained {
        Some(true) => Judgement::Linearizable(search.order),
        Some(false) => Judgement::NotLinearizable,
        None => Judgement::Unknown,
    }
}

struct Search<'a, Op> {
    history: &'a [Span<Op>],
    /// The calls that have taken effect.
    done: Done,
    order: Vec<usize>,
    /// Where the search ended before: states by the calls done.
    failed: HashMap<Done, HashSet<u64>>,
    left: u64,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Done(Vec<u64>);

impl Done {
    fn new(calls: usize) -> Self {
        Self(vec![0; calls.div_ceil(64)])
    }

    fn has(&self, call: usize) -> bool {
        self.0[call / 64] & (1 << (call % 64)) != 0
    }

    fn flip(&mut self, call: usize) {
        self.0[call / 64] ^= 1 << (call % 64);
    }
}

/// A state that the search is in, and what it has yet to try from there.
struct Frame<O> {
    state: O,
    /// The call that led here.
    by: Option<usize>,
    untried: Vec<usize>,
    /// Other states that the call tried last may have led to.
    otherwise: Vec<O>,
    trying: usize,
}

impl<Op> Search<'_, Op> {
    /// Whether there is an order; `None` if the budget ran out.
    fn explain<O: Object<Op = Op>>(&mut self, initial: &O) -> Option<bool> {
        if self.is_explained() {
            return Some(true);
        }
        let mut stack = vec![self.frame(initial.clone(), None)];
        while let Some(frame) = stack.last_mut() {
            if let Some(state) = frame.otherwise.pop() {
                let call = frame.trying;
                self.done.flip(call);
                self.order.push(call);
                if self.is_explained() {
                    return Some(true);
                }
                if self.has_failed(&state) {
                    self.take_back(call);
                } else {
                    let next = self.frame(state, Some(call));
                    stack.push(next);
                }
            } else if let Some(call) = frame.untried.pop() {
                self.left = self.left.checked_sub(1)?;
                frame.trying = call;
                frame.otherwise = frame.state.after(&self.history[call].op);
            } else if let Some(frame) = stack.pop() {
                let fingerprint = frame.state.fingerprint();
                self.failed.entry(self.done.clone()).or_default().insert(fingerprint);
                if let Some(call) = frame.by {
                    self.take_back(call);
                }
            }
        }
        Some(false)
    }

    fn take_back(&mut self, call: usize) {
        self.done.flip(call);
        self.order.pop();
    }

    /// Whether every call that was answered has taken effect.
    fn is_explained(&self) -> bool {
        let mut calls = self.history.iter().enumerate();
        calls.all(|(call, span)| span.end.is_none() || self.done.has(call))
    }

    /// A fingerprint is made only where it can be of use.
    fn has_failed<O: Object<Op = Op>>(&self, state: &O) -> bool {
        let states = self.failed.get(&self.done);
        states.is_some_and(|states| states.contains(&state.fingerprint()))
    }

    fn frame<O>(&self, state: O, by: Option<usize>) -> Frame<O> {
        Frame { state, by, untried: self.next(), otherwise: Vec::new(), trying: 0 }
    }

    /// The calls that may take effect next: those that started before every open call returned.
    /// The last is tried first: the one that returned first, and calls without an answer at the end.
    fn next(&self) -> Vec<usize> {
        let open = || {
            let calls = self.history.iter().enumerate();
            calls.filter(|(call, _)| !self.done.has(*call))
        };
        let horizon = open().filter_map(|(_, span)| span.end).min();
        let horizon = horizon.unwrap_or(u64::MAX);
        let mut next: Vec<usize> =
            open().filter(|(_, span)| span.start < horizon).map(|(call, _)| call).collect();
        next.sort_by_key(|call| std::cmp::Reverse(self.history[*call].end.unwrap_or(u64::MAX)));
        next
    }
}
