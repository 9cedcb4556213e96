//! What the suite cannot see of a Postgres server.
#![allow(clippy::unwrap_used)]

mod needs_postgres;
