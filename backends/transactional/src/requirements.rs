//! Requirement sets as texts, for stores that index them.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

/// The tokens in ascending order, joined by commas; a token has no comma (EXE-004).
pub fn join(tokens: &BTreeSet<String>) -> String {
    tokens.iter().map(String::as_str).collect::<Vec<_>>().join(",")
}

/// What stands for the set in an index that takes no long texts.
pub(crate) fn digest(tokens: &BTreeSet<String>) -> String {
    format!("{:x}", Sha256::digest(join(tokens)))
}

/// The tokens that [`join`] joined.
pub fn split(joined: &str) -> BTreeSet<String> {
    joined.split(',').filter(|token| !token.is_empty()).map(str::to_owned).collect()
}
