//! Arguments and results of the methods, one module a subject.

mod budgets;
mod edges;
mod executions;
mod flows;
mod leases;
mod quotas;
mod scheduling;
mod secrets;
mod signals;
mod streams;
mod workers;

pub use budgets::*;
pub use edges::*;
pub use executions::*;
pub use flows::*;
pub use leases::*;
pub use quotas::*;
pub use scheduling::*;
pub use secrets::*;
pub use signals::*;
pub use streams::*;
pub use workers::*;

pub use crate::backend::{SuspendArgs, SuspendOutcome, SuspendOutcomeDetails};
