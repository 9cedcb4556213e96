//! Creation, reads, claims, leases and attempts of executions.

mod attempts;
mod cancel;
mod claims;
mod create;
mod fields;
mod idempotency;
mod leases;
mod lists;
mod policies;
mod progress;
mod reads;
mod refusals;
mod repeated;
mod repetition;
mod replay;
mod retries;
mod scheduling;
mod tags;
mod written;

pub(super) use cancel::cancellation;

use crate::case::Case;
use crate::written::Repetition;

pub(super) const REPETITIONS: &[Repetition] = repeated::REPETITIONS;

pub(super) fn cases() -> Vec<Case> {
    [
        create::CASES,
        refusals::CASES,
        idempotency::CASES,
        policies::CASES,
        reads::CASES,
        fields::CASES,
        tags::CASES,
        lists::CASES,
        scheduling::CASES,
        claims::CASES,
        leases::CASES,
        progress::CASES,
        attempts::CASES,
        repetition::CASES,
        retries::CASES,
        replay::CASES,
        cancel::CASES,
        written::CASES,
    ]
    .concat()
}
