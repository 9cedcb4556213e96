//! Deviants that break the chapter of metering.

mod admission;
mod budgets;
mod counters;
mod exhaustion;
mod quotas;
mod spending;
mod usage;
