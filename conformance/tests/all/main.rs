//! The suite's own tests, in one binary: each more is linked with all of the suite.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod arguments;
mod deviants;
mod failures;
mod five;
mod generated;
mod hesitant;
mod layers;
mod linearizability;
mod registry;
mod runs;
mod secrets;
mod settling;
mod topics;
