//! What the suite cannot see of a Valkey server.
#![allow(clippy::unwrap_used)]

mod needs_valkey;
