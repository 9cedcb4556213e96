//! `FlowFabric`'s trait [`EngineBackend`](engine_backend::EngineBackend), its types and errors, and
//! its contract as data.
//!
//! The contract is written in numbered clauses in `spec/contract/`; [`contract`] parses them.
//! [`call`] turns the methods of the trait into data.

pub mod backend;
pub mod call;
pub mod capability;
pub mod clock;
pub mod contract;
pub mod contracts;
pub mod dispatch;
pub mod engine_backend;
pub mod engine_error;
pub mod error;
pub mod housekeeping;
mod intern;
mod live;
mod methods;
mod octets;
pub mod partition;
pub mod policy;
mod secrecy;
pub mod state;
pub mod stream_events;
pub mod stream_subscribe;
pub mod types;

pub use intern::intern;
pub use live::Live;
