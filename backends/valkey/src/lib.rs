//! Valkey as a backend: the rules in Lua, one function a call, in `lua/` at the root of this
//! repository.
//!
//! A call goes to one partition and is one `FCALL`; all its keys carry the partition's hash tag, so
//! that a cluster can spread partitions over nodes. Arguments that no state could make acceptable
//! are refused here, before anything travels.

mod backend;
mod claims;
mod lanes;
mod library;
mod open;
mod route;
mod server;
mod wire;

pub use backend::ValkeyBackend;
pub use open::{OpenError, ValkeyOptions};
