//! Rules that hold for every method.

mod arguments;
mod generated;
mod handles;
mod ids;
mod presence;
mod repeated;
mod steps;
mod time;

pub(crate) use presence::gate;

use crate::case::Case;
use crate::written::Repetition;

pub(super) const REPETITIONS: &[Repetition] = repeated::REPETITIONS;

pub(super) fn cases() -> Vec<Case> {
    [
        presence::CASES,
        time::CASES,
        steps::CASES,
        arguments::CASES,
        handles::CASES,
        ids::CASES,
        generated::CASES,
    ]
    .concat()
}
