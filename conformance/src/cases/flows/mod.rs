//! Flows, their graph and their cancellation.

mod apply;
mod cancel;
mod graph;
mod members;
mod repeated;
mod written;

use crate::case::Case;
use crate::written::Repetition;

pub(super) const REPETITIONS: &[Repetition] = repeated::REPETITIONS;

pub(super) fn cases() -> Vec<Case> {
    [
        members::CASES,
        graph::CASES,
        apply::CASES,
        cancel::CASES,
        written::CASES,
    ]
    .concat()
}
