//! A call as a worker saw it, with what it overlapped.

use std::collections::BTreeSet;

use ff_core::call::{Call, Reply};
use ff_core::contracts::ClaimForWorkerOutcome;
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::types::{ExecutionId, TimestampMs};
use serde_json::Value;

use super::linearizability::Span;
use super::names::{Minted, canonical};
use super::reference::Answer;

/// A call as a worker saw it.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// Which of the workers made it.
    pub(crate) worker: usize,
    pub(crate) call: Call,
    /// The times that the call may have read, in order.
    pub(crate) times: Vec<TimestampMs>,
    /// Absent if it was given up or lost.
    pub(crate) answer: Option<Answer>,
    /// The execution that a claim got, if it told, or if that showed who held it before it was over.
    pub(crate) claimed: Option<ExecutionId>,
    /// The answer in canonical form.
    pub(super) seen: Option<Value>,
    /// What a claim may pass over.
    pub(super) passable: Passable,
}

impl Event {
    pub(crate) fn new(
        worker: usize,
        call: Call,
        times: Vec<TimestampMs>,
        answer: Option<Answer>,
    ) -> Self {
        let seen = answer.as_ref().map(|answer| canonical(answer, &mut Minted::Alike));
        let claimed = answer.as_ref().and_then(assigned).cloned();
        Self { worker, call, times, answer, claimed, seen, passable: Passable::default() }
    }

    /// Whether it reads, or was refused and so left no trace (SYS-011).
    pub(crate) fn changes_nothing(&self) -> bool {
        let refused = match &self.answer {
            // The lapse that such a call finds is kept (LSE-005).
            Some(Err(error)) => *error != EngineError::State(StateKind::LeaseExpired),
            _ => false,
        };
        refused || self.call.method().is_read()
    }

    /// The answer in canonical form; nothing if it is not known.
    pub(crate) fn seen(&self) -> Option<&Value> {
        self.seen.as_ref()
    }

    /// The same call, of which only the start is known.
    pub(crate) fn without_answer(&self) -> Self {
        Self { answer: None, claimed: None, seen: None, ..self.clone() }
    }
}

/// The execution that was found for a worker.
pub(super) fn assigned(answer: &Answer) -> Option<&ExecutionId> {
    match answer {
        Ok(Reply::ClaimForWorker(ClaimForWorkerOutcome::Granted(grant))) => {
            Some(&grant.execution_id)
        }
        _ => None,
    }
}

pub(crate) type History = Vec<Span<Event>>;

/// What overlapped a claim.
#[derive(Clone, Debug, Default)]
pub(crate) struct Passable {
    pub(super) about: BTreeSet<ExecutionId>,
    /// Calls of which the history does not show what they were about: one execution each.
    pub(super) unknown: usize,
}

impl Passable {
    /// Of a queue what the claim may have taken: up to the first that it may not pass over.
    pub(super) fn reached<'q>(
        &self,
        queue: &'q [ExecutionId],
    ) -> impl Iterator<Item = &'q ExecutionId> {
        let mut left = self.unknown;
        let stops = queue.iter().position(|id| !self.passes(id, &mut left));
        queue.iter().take(stops.map_or(queue.len(), |stops| stops + 1))
    }

    /// Whether the claim may have passed over all of these.
    pub(super) fn allows_none<'q>(&self, all: impl IntoIterator<Item = &'q ExecutionId>) -> bool {
        let mut left = self.unknown;
        all.into_iter().all(|id| self.passes(id, &mut left))
    }

    fn passes(&self, id: &ExecutionId, left: &mut usize) -> bool {
        if self.about.contains(id) {
            return true;
        }
        let passes = *left > 0;
        *left = left.saturating_sub(1);
        passes
    }
}
