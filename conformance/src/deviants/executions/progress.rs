//! Deviants that break the clauses under "Progress".

use ff_core::call::Method;
use ff_core::types::TimestampMs;

use crate::deviants::declare::{deviant, request};
use crate::deviants::fault::{marks_repetitions_of, write};

request!("none-is-zero", ATT_005, "Takes no percentage for none done.",
    Progress { percent, .. } => percent.get_or_insert(0));

deviant!("progress-renews", ATT_005, "Extends the lease with progress." => write(|before, after| {
    let now = after.last_mutation_at;
    if before.is_some_and(|before| before.progress_percent != after.progress_percent)
        && let Some(lease) = &mut after.lease
    {
        lease.expires_at = TimestampMs(now.0 + 30_000);
    }
}));

request!("clamps-progress", ATT_006, "Takes more than everything for everything.",
    Progress { percent: Some(percent), .. } => *percent = (*percent).min(100));

deviant!("begins-from-nothing", ATT_006,
    "Forgets progress with each attempt." => write(|before, after| {
    if before.is_some_and(|before| before.total_attempts < after.total_attempts) {
        after.progress_percent = None;
    }
}));

deviant!("progress-again", ATT_005, "Leaves a mark when the same progress comes again." =>
    marks_repetitions_of(Method::Progress));
