//! A harness as a test binary: filters, lists and exit codes as `cargo test` and nextest expect.

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokio::runtime::Runtime;

use super::failures::failure_text;
use super::lacking::Lacking;
use super::registry::registry;
use super::report::{CaseReport, Report, Status};
use super::runner::{assemble, run_case};
use crate::stage::{Case, Harness, Options, SEED_VARIABLE, finish};

/// The environment variable that asks for a report and says where it goes.
const REPORT_VARIABLE: &str = "FF_CONFORMANCE_REPORT";

/// The environment variable that makes a SHOULD that is not kept a failure.
const STRICT_VARIABLE: &str = "FF_CONFORMANCE_STRICT";

/// What could not be found out ends in this code.
const COULD_NOT_RUN: u8 = 2;

type Ran = Arc<Mutex<Vec<CaseReport>>>;

/// Runs every case as a test of its own.
pub fn run(harness: impl Harness) -> ExitCode {
    let mut arguments = Arguments::from_args();
    if harness.is_exclusive() {
        arguments.test_threads = Some(1);
    }
    let started = Instant::now();
    let seed = std::env::var(SEED_VARIABLE).ok();
    let seed = seed.and_then(|text| text.parse().ok()).unwrap_or(0);
    let contract = harness.contract();
    let defaults = Options::default();
    let jobs = arguments.test_threads.unwrap_or(defaults.jobs);
    let options = Options { seed, jobs, contract, ..defaults };
    let runtime = match Runtime::new() {
        Ok(runtime) => Arc::new(runtime),
        Err(error) => {
            eprintln!("cannot start: {error}");
            return ExitCode::from(COULD_NOT_RUN);
        }
    };
    let harness: Arc<dyn Harness> = Arc::new(harness);
    let ran = Ran::default();
    let conclusion = libtest_mimic::run(&arguments, trials(&harness, &runtime, &ran, options));

    if let Some(directory) = std::env::var_os(REPORT_VARIABLE) {
        let reports = std::mem::take(&mut *ran.lock().unwrap_or_else(PoisonError::into_inner));
        let backend = runtime.block_on(assemble(&harness, &registry(), reports, started));
        let report = Report::new(options, backend.duration_ms, vec![backend]);
        if let Err(error) = report.write(Path::new(&directory)) {
            eprintln!("the report cannot be written: {error}");
            return ExitCode::from(COULD_NOT_RUN);
        }
    }
    if let Err(error) = runtime.block_on(finish(&harness)) {
        eprintln!("something is left behind: {error}");
        return ExitCode::from(COULD_NOT_RUN);
    }
    conclusion.exit_code()
}

fn trials(
    harness: &Arc<dyn Harness>,
    runtime: &Arc<Runtime>,
    ran: &Ran,
    options: Options,
) -> Vec<Trial> {
    let lacking = Arc::new(Lacking::default());
    let strict = std::env::var_os(STRICT_VARIABLE).is_some();
    let trial = |case: Case| {
        let (harness, runtime, ran) = (Arc::clone(harness), Arc::clone(runtime), Arc::clone(ran));
        let lacking = Arc::clone(&lacking);
        Trial::ignorable_test(case.slug, move || {
            let report = runtime.block_on(run_case(&harness, &case, options, &lacking));
            let outcome = match report.status {
                Status::Passed => Ok(Completion::Completed),
                Status::Failed => Err(Failed::from(failure_text(harness.name(), &report, false))),
                Status::Advised if strict => {
                    Err(Failed::from(failure_text(harness.name(), &report, false)))
                }
                Status::Advised | Status::Newer => {
                    let reason = report.reason.as_deref().unwrap_or_default();
                    Ok(Completion::ignored_with(format!("{}: {reason}", report.status)))
                }
                Status::Unsupported | Status::Skipped => {
                    Ok(Completion::ignored_with(report.reason.clone().unwrap_or_default()))
                }
            };
            ran.lock().unwrap_or_else(PoisonError::into_inner).push(report);
            outcome
        })
    };
    registry().into_iter().map(trial).collect()
}
