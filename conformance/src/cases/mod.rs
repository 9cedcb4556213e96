//! The cases, one directory a chapter.

mod executions;
mod flows;
mod housekeeping;
mod system;

pub(crate) use system::gate;

use crate::case::Case;
use crate::written::Repetition;

/// The cases written by hand, in the order of the chapters.
pub(crate) fn written() -> Vec<Case> {
    [system::cases(), executions::cases(), flows::cases(), housekeeping::cases()].concat()
}

/// A call of each method that changes something, made again and again.
pub(crate) fn repetitions() -> impl Iterator<Item = (&'static str, &'static Repetition)> {
    let chapters = [
        ("system", system::REPETITIONS),
        ("executions", executions::REPETITIONS),
        ("flows", flows::REPETITIONS),
    ];
    let of = |(chapter, all): (&'static str, &'static [Repetition])| {
        all.iter().map(move |one| (chapter, one))
    };
    chapters.into_iter().flat_map(of)
}
