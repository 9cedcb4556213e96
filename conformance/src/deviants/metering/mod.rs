//! Deviants that break the chapter of metering.

mod admission;
mod budgets;
mod closing;
mod counters;
mod exhaustion;
mod frames;
mod quotas;
mod reading;
mod spending;
mod summaries;
mod tailing;
mod trimming;
mod usage;

use ff_mock::Budget;

use super::fault::Fault;

/// Changes budgets as they are written, given what they replace.
fn budget(change: impl Fn(Option<&Budget>, &mut Budget) + Send + Sync + 'static) -> Fault {
    Fault::default().damage(change)
}
