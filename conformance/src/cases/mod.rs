//! The cases, one directory a chapter.

mod executions;
mod flows;
mod system;

pub(crate) use system::gate;

use crate::case::Case;

/// The cases written by hand, in the order of the chapters.
pub(crate) fn written() -> Vec<Case> {
    [system::cases(), executions::cases(), flows::cases()].concat()
}
