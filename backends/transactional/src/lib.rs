//! The engine's rules over any store with transactions.
//!
//! Implement [`Store`] for a storage and [`Transactional`] is a backend for it: every call runs
//! in one transaction, and the rules of the contract live here and nowhere else.

mod arguments;
mod engine;
mod executions;
mod feeds;
mod flows;
mod housekeeping;
mod layout;
mod metering;
mod page;
mod patch;
pub mod records;
pub mod requirements;
mod server_url;
mod session;
mod shutdown;
pub mod sql;
mod store;
#[cfg(feature = "suite")]
pub mod suite;
mod suspension;
mod tags;
mod tails;
mod waiting;

pub use arguments::housekeeping as check_housekeeping;
pub use engine::{IMPLEMENTED, Settings, Transactional, admit, capabilities};
pub use executions::{
    by_parts, claimed as claimed_execution, expired_leases_page, parse_retry_policy, reclaimed,
};
pub use feeds::{Bells, Events, Feed, Place, Subscribing};
pub use layout::families;
pub use metering::{Appending, Frames, set_nulls};
pub use page::{MAX_PAGE, Page};
pub use patch::{Patch, PatchError};
pub use server_url::ServerUrl;
pub use shutdown::Waits;
pub use store::{
    Access, Before, Changes, Inspected, Minted, Query, Queues, Store, StoreError, Tx, Write,
    first_of,
};
pub use suspension::claimed_resumed;
pub use tails::WaitingTails;
pub use waiting::WaitingClaims;
