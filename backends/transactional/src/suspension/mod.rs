//! Waiting for signals (chapter `suspension`).

mod keys;

pub(crate) use keys::{check_rotation, check_seed, rotate, seed};
