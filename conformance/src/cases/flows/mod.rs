//! Flows, their graph and their cancellation.

mod apply;
mod cancel;
mod graph;
mod members;

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    [members::CASES, graph::CASES, apply::CASES, cancel::CASES].concat()
}
