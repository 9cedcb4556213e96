//! Flows, their graph and their cancellation.

mod apply;
mod cancel;
mod describe;
mod edges;
mod graph;
mod lists;
mod members;
mod policies;
mod repeated;
mod tags;
mod written;

use crate::case::Case;
use crate::written::Repetition;

pub(super) const REPETITIONS: &[Repetition] = repeated::REPETITIONS;

pub(super) fn cases() -> Vec<Case> {
    [
        members::CASES,
        describe::CASES,
        lists::CASES,
        tags::CASES,
        graph::CASES,
        edges::CASES,
        policies::CASES,
        apply::CASES,
        cancel::CASES,
        written::CASES,
    ]
    .concat()
}
