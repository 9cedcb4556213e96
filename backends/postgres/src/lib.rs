//! Postgres as a backend: the rules of `ff-transactional` over one schema of plain tables.
//!
//! Calls run at READ COMMITTED with explicit row locks, taken in this order: an idempotency key; a
//! row of `ff_eligible` (claims only); the flow; its members in ascending order. Whoever holds an
//! execution never waits for a row of `ff_eligible`, and a claim that waits for other claims holds
//! nothing. A transaction's writes travel in one
//! statement, so that a call costs few round trips: one for what it reads, one for what it writes,
//! and two to begin and commit.

mod backend;
mod open;
mod statements;
mod store;
mod writes;

pub use backend::PostgresBackend;
pub use open::{OpenError, PostgresOptions};
