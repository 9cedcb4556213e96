//! Secrets that sign tokens.

mod keys;
mod repeated;
