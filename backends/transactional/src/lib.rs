//! The engine's rules over any store with transactions.
//!
//! Implement [`Store`] for a storage and [`Transactional`] is a backend for it: every call runs
//! in one transaction, and the rules of the contract live here and nowhere else.

mod arguments;
mod engine;
mod executions;
mod flows;
mod page;
mod patch;
mod record;
pub mod requirements;
mod store;
mod waiting;

pub use engine::{IMPLEMENTED, Settings, Transactional, admit, capabilities};
pub use page::MAX_PAGE;
pub use patch::{Patch, PatchError};
pub use record::{
    Attempt, Closing, CompletionRecord, CurrentAttempt, Edge, EdgeGroup, EdgeState, Execution,
    Flow, Lease, LeaseEventKind, LeaseRecord, OrderKey, Projection,
};
pub use store::{Access, Minted, Store, StoreError, Tx};
pub use waiting::{WaitingClaims, until_cancelled};
