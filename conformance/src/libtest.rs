//! A harness as a test binary: filters, lists and exit codes as `cargo test` and nextest expect.

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokio::runtime::Runtime;

use crate::harness::Harness;
use crate::registry::registry;
use crate::report::Status;
use crate::runner::run_case;
use crate::terminal::failure_text;

/// Runs every case as a test of its own. `FF_CONFORMANCE_SEED` sets the seed.
pub fn run(harness: impl Harness) -> ExitCode {
    let arguments = Arguments::from_args();
    let seed = std::env::var("FF_CONFORMANCE_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let runtime = match Runtime::new() {
        Ok(runtime) => Arc::new(runtime),
        Err(error) => {
            eprintln!("cannot start: {error}");
            return ExitCode::from(2);
        }
    };
    let harness: Arc<dyn Harness> = Arc::new(harness);
    let trials = registry()
        .into_iter()
        .map(|case| {
            let (harness, runtime) = (Arc::clone(&harness), Arc::clone(&runtime));
            Trial::ignorable_test(case.slug, move || {
                let report = runtime.block_on(run_case(&harness, &case, seed));
                match report.status {
                    Status::Passed => Ok(Completion::Completed),
                    Status::Failed => {
                        Err(Failed::from(failure_text(harness.name(), &report, false)))
                    }
                    Status::Unsupported | Status::Skipped => {
                        Ok(Completion::ignored_with(report.reason.unwrap_or_default()))
                    }
                }
            })
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
