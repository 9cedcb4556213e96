//! What a mock is told to answer.

use std::fmt;
use std::sync::Arc;

use ff_core::call::{Call, Method, Reply};
use ff_core::engine_error::EngineError;

/// Decides whether a rule is for this call.
type Predicate = Arc<dyn Fn(&Call) -> bool + Send + Sync>;

/// One line of a script, begun by a method of `MockBackend`.
#[derive(Clone)]
pub struct Expectation {
    pub(crate) method: Method,
    predicate: Option<Predicate>,
    /// How often it answers; `None` for always.
    times: Option<usize>,
    pub(crate) answer: Answer,
    pub(crate) used: usize,
}

#[derive(Clone)]
pub(crate) enum Answer {
    Reply(Box<Reply>),
    Error(EngineError),
    CallThrough,
}

impl Expectation {
    pub(crate) fn new(method: Method, answer: Answer) -> Self {
        Self { method, predicate: None, times: None, answer, used: 0 }
    }

    /// Only calls for which this holds.
    #[must_use]
    pub fn when(mut self, predicate: impl Fn(&Call) -> bool + Send + Sync + 'static) -> Self {
        self.predicate = Some(Arc::new(predicate));
        self
    }

    /// Answers exactly this often: later calls go on to the next line, and fewer are reported.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = Some(times);
        self
    }

    pub(crate) fn is_for(&self, call: &Call) -> bool {
        self.method == call.method()
            && self.times.is_none_or(|times| self.used < times)
            && self.predicate.as_ref().is_none_or(|holds| holds(call))
    }

    pub(crate) fn unmet(&self) -> Option<Unmet> {
        let expected = self.times?;
        (self.used < expected).then_some(Unmet { method: self.method, expected, seen: self.used })
    }
}

/// An expectation that was met less often than it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unmet {
    pub method: Method,
    pub expected: usize,
    pub seen: usize,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {} call(s) of {}, saw {}", self.expected, self.method, self.seen)
    }
}
