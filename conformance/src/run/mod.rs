//! Choosing cases, running them, and telling what came of it.

mod failures;
mod hunt;
mod lacking;
mod libtest;
mod recording;
mod registry;
mod report;
mod runner;
mod terminal;

pub use failures::failure_text;
pub use hunt::{Hunt, hunt, hunt_on, idle, seen_by, unbroken};
pub use libtest::run as run_as_test;
pub use recording::play_recording;
pub use registry::{Selection, SelectionError, registry};
pub use report::{
    BackendReport, CaseReport, ChapterReport, ContractReport, FailureReport, Kept, MethodsReport,
    Report, SCHEMA, Status, Totals,
};
pub use runner::{Progress, run_backend, skip_backend};
pub use terminal::{closing_line, details_text, summary_text};
