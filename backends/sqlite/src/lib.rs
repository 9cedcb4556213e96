//! SQLite as a backend: one file or memory, one writer. For development and tests; it opens only
//! where `FF_DEV_MODE=1` says that this is meant.

mod backend;
mod connections;
mod location;
mod open;
#[cfg(test)]
mod recovery;
mod statements;
mod store;
#[cfg(test)]
mod suite;

pub use backend::SqliteBackend;
pub use open::{OpenError, SqliteOptions};
