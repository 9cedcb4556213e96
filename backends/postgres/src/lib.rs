//! Postgres as a backend: the rules of `ff-transactional` over one schema of plain tables.
//!
//! Calls run at READ COMMITTED with explicit locks, taken in this order: an idempotency key; the turn
//! of a lane's claims (claims only); the flow; its members in ascending order; the turns of lanes that
//! work is added to, shared. Only who holds an execution touches its row of `ff_eligible`. A
//! transaction's writes travel in one statement, so that a call costs few round trips: one for what it
//! reads, one for what it writes, and two to begin and commit.

mod backend;
mod open;
mod statements;
mod store;
#[cfg(test)]
mod suite;
mod transaction;

pub use backend::PostgresBackend;
pub use open::{OpenError, PostgresOptions};
