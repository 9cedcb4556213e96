//! Deviants of suspension.

mod keys;
