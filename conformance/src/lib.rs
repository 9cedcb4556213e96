//! The conformance suite: cases that check every clause of the contract against any backend.
//!
//! A backend author implements [`Harness`] and puts one line into a `harness = false` test:
//!
//! ```
//! # use ff_conformance::ModelHarness as MyHarness;
//! ff_conformance::main!(MyHarness);
//! ```

#[macro_use]
mod expect;
mod builders;
mod case;
mod cases;
pub mod deviants;
mod failure;
mod generated;
mod graph;
mod harness;
mod layout;
mod libtest;
mod model;
mod observe;
mod registry;
mod report;
mod runner;
mod terminal;
mod unreliable;
mod witness;
mod world;
mod written;

pub use builders::plain_execution;
pub use builders::{ExecutionBuilder, Worker};
pub use case::{Case, Need, Verdict};
pub use failure::{Difference, Failure};
pub use generated::{Reach, Recording, RecordingError, Replayed, Step, replay};
pub use harness::{CaseInfo, Deployment, Harness, HarnessError, Nemesis};
pub use layout::check_layout;
pub use libtest::run as run_as_test;
pub use model::{ModelHarness, kept_by_xtask, replay_by_xtask, rerun_by_xtask};
pub use observe::Observation;
pub use registry::{Selection, SelectionError, registry};
pub use report::{
    BackendReport, CaseReport, ContractReport, FailureReport, GeneratedReport, MethodsReport,
    Report, SCHEMA, Status, Totals,
};
pub use runner::{Options, Progress, run_backend, skip_backend};
pub use terminal::{closing_line, failure_text, summary_text};
pub use unreliable::Unreliable;
pub use world::World;

/// Makes a test binary of a harness: `[[test]] harness = false` and this one line.
///
/// `FF_CONFORMANCE_SEED` sets the seed, 0 by default. `FF_CONFORMANCE_REPORT` names a directory for
/// a report of the cases that ran. Skipped and unsupported cases show as ignored, with the reason.
#[macro_export]
macro_rules! main {
    ($harness:expr) => {
        fn main() -> std::process::ExitCode {
            $crate::run_as_test($harness)
        }
    };
}
