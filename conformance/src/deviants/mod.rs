//! Backends that are wrong on purpose.
