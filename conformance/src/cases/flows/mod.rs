//! Flows, their graph and their cancellation.

mod apply;
mod cancel;
mod cascade;
mod closing;
mod describe;
mod edges;
mod eligibility;
mod fates;
mod given_up;
mod graph;
mod graphs;
mod headers;
mod lists;
mod members;
mod policies;
mod repeated;
mod replays;
mod resolve;
mod siblings;
mod summaries;
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
        resolve::CASES,
        fates::CASES,
        cascade::CASES,
        given_up::CASES,
        eligibility::CASES,
        siblings::CASES,
        replays::CASES,
        graphs::CASES,
        cancel::CASES,
        headers::CASES,
        closing::CASES,
        summaries::CASES,
        written::CASES,
    ]
    .concat()
}
