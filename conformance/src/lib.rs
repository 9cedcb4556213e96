//! The conformance suite: cases that check every clause of the contract against any backend.
//!
//! A backend author implements [`Harness`] and puts one line into a `harness = false` test:
//!
//! ```
//! # #![allow(non_upper_case_globals)]
//! # const MyHarness: ff_conformance::ModelHarness = ff_conformance::ModelHarness::on_wall_clock();
//! ff_conformance::main!(MyHarness);
//! ```
//!
//! Inside, imports point down only: `run` → `cases`, `deviants` → `play` → `stage`.

#[macro_use]
mod stage;
mod cases;
pub mod deviants;
mod play;
mod run;

pub use cases::check_layout;
pub use play::generated::{PlayedAgain, Recording, RecordingError, Step};
pub use run::{
    BackendReport, CaseReport, ChapterReport, ContractReport, FailureReport, Hunt, Kept,
    MethodsReport, Progress, Report, SCHEMA, Selection, SelectionError, Status, Totals,
    closing_line, details_text, failure_text, hunt, hunt_on, idle, play_recording, registry,
    run_as_test, run_backend, seen_by, skip_backend, summary_text, unbroken,
};
pub use stage::{
    Case, CaseInfo, Cause, Coverage, Deployment, Difference, ExecutionBuilder, Failure,
    GeneratedReport, Harness, HarnessError, KnownDifference, ModelHarness, Need, Nemesis,
    Observation, Options, Settling, Unreliable, Vandal, Verdict, Worker, World, finish,
    kept_by_xtask, plain_execution, play_by_xtask, rerun_by_xtask,
};

/// What this crate's own tests look at, which are built beside it and not once more with it: no part of the interface.
#[doc(hidden)]
pub mod inside {
    pub use crate::play::generated::{Judgement, Object, Span, drawn_methods, judge};
    pub use crate::play::{Spoiling, exceptional_places, named_places, samples_of_the_model};
    pub use crate::stage::{callers_now, named_codes, redacted};
}

/// Makes a test binary of a harness: `[[test]] harness = false` and this one line.
///
/// `FF_CONFORMANCE_SEED` sets the seed, 0 by default. `FF_CONFORMANCE_REPORT` names a directory for
/// a report of the cases that ran. Skipped and unsupported cases show as ignored, with the reason, and so do
/// those of a SHOULD that is not kept, unless `FF_CONFORMANCE_STRICT` is set, when they fail.
#[macro_export]
macro_rules! main {
    ($harness:expr) => {
        fn main() -> std::process::ExitCode {
            $crate::run_as_test($harness)
        }
    };
}
