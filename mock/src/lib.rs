//! A scripted backend, and the in-memory model behind it.
//!
//! [`MockBackend::new`] answers nothing until it is told what to answer. [`MockBackend::conforming`]
//! is the model: the engine's rules over memory, which passes the whole suite.

mod memory;
mod mock;
mod script;
mod snapshot;

pub use ff_transactional::records::{
    Attempt, AttemptClock, Breach, Budget, BudgetDefinition, CloseReason, Closed, Edge, EdgeGroup,
    EdgeState, Execution, Flow, Place, Quota, QuotaLimits, Record, Registration, Secrets, Signal,
    Slot, Spend, Stored, Stream, SuspendReplay, UsageKey, Waitpoint,
};
pub use ff_transactional::{Queues, Settings};
pub use memory::{MemoryStore, OnWrite, Take};
pub use mock::{MockBackend, Model};
pub use script::{Expectation, Unmet};
pub use snapshot::Snapshot;
