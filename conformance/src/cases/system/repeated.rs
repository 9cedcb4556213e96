//! Calls about the whole deployment, made again and again.

use std::time::Duration;

use ff_core::call::{Call, Method};

use crate::written::Repetition;

pub(super) const REPETITIONS: &[Repetition] = &[Repetition {
    method: Method::ShutdownPrepare,
    clauses: &["SYS-010"],
    before: |cast| vec![cast.created(1)],
    call: |_| Call::ShutdownPrepare { grace: Duration::from_secs(1) },
    answers: &[(10, "ok, nothing")],
}];
