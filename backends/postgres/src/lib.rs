//! Postgres as a backend: the rules of `ff-transactional` over one schema of plain tables.
//!
//! Calls run at READ COMMITTED with explicit locks, taken in this order: an idempotency key; the turn
//! of a lane's claims (claims only); the flow; its members in ascending order; the turns of lanes that
//! work is added to, shared. What a call writes travels in one statement. Without a lock there is no
//! transaction beside it: such a call is one message that reads and one that writes.

mod backend;
mod connections;
mod events;
mod hints;
mod open;
mod parts;
mod statements;
mod store;
#[cfg(test)]
mod suite;
mod transaction;

pub use backend::PostgresBackend;
pub use open::{APPLIED, OpenError, PostgresOptions};
