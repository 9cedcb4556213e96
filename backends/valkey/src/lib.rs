//! Valkey as a backend: the rules in Lua, one function a call, in `lua/` at the root of this
//! repository.
//!
//! A call goes to one partition and is one `FCALL`, all of whose keys carry the partition's hash tag,
//! as a cluster would require; connections are to a single server so far. Arguments that no state
//! could make acceptable are refused here, before anything travels.

mod backend;
mod budgets;
mod claims;
mod documents;
mod events;
mod everywhere;
mod expired;
mod hints;
mod keys;
mod lanes;
mod library;
mod open;
mod reconcile;
mod route;
mod routes;
mod server;
mod streams;
mod wire;

pub use backend::ValkeyBackend;
pub use open::{OpenError, ValkeyOptions};
