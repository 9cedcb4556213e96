//! What is due, and that seeing to it comes to an end.

mod ends;
mod left;
mod settling;
mod times;

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    [times::CASES, ends::CASES, left::CASES, settling::CASES].concat()
}
