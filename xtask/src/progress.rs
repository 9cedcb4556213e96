//! Progress of long work: a bar on a terminal, nothing in a pipe.

use std::io::IsTerminal;

use ff_conformance::{CaseReport, Progress, Status};
use indicatif::{ProgressBar, ProgressStyle};

/// Whether what is printed is read by a person right now.
pub(crate) fn colour() -> bool {
    std::io::stdout().is_terminal()
}

/// A bar over `length` cases.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    pub(crate) fn new(name: &str, length: usize) -> Self {
        let bar = ProgressBar::new(length as u64);
        // `indicatif` hides the bar by itself where standard error is no terminal.
        if let Ok(style) = ProgressStyle::with_template("{prefix:>10} {bar:40} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(name.to_owned());
        Self(bar)
    }

    pub(crate) fn step(&self) {
        self.0.inc(1);
    }
}

impl Progress for Bar {
    fn done(&self, case: &CaseReport) {
        if case.status == Status::Failed {
            self.0.set_message(format!("failed: {}", case.slug));
        }
        self.step();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
