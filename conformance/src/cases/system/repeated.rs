//! Calls about the whole deployment, made again and again.

use std::time::Duration;

use ff_core::call::{Call, Method};

use crate::play::{Repetition, around_calls};
use crate::stage::declare;

declare!(|topic| around_calls(topic, REPETITIONS));

const REPETITIONS: &[Repetition] = &[Repetition {
    method: Method::ShutdownPrepare,
    clauses: &["SYS-010"],
    before: |fixture| vec![fixture.created(1)],
    call: |_| Call::ShutdownPrepare { grace: Duration::from_secs(1) },
    answers: &[(10, "ok, nothing")],
}];
