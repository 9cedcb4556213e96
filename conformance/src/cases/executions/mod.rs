//! Creation, reads, claims, leases and attempts of executions.

mod attempts;
mod claims;
mod create;
mod idempotency;
mod leases;
mod lists;
mod policies;
mod progress;
mod reads;
mod repetition;
mod retries;
mod tags;

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    [
        create::CASES,
        idempotency::CASES,
        policies::CASES,
        reads::CASES,
        tags::CASES,
        lists::CASES,
        claims::CASES,
        leases::CASES,
        progress::CASES,
        attempts::CASES,
        repetition::CASES,
        retries::CASES,
    ]
    .concat()
}
