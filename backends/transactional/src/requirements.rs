//! Requirement sets as texts, for stores that index them.

use std::collections::BTreeSet;

/// The tokens in ascending order, joined by commas; a token has no comma (EXE-004).
pub fn join(tokens: &BTreeSet<String>) -> String {
    tokens.iter().map(String::as_str).collect::<Vec<_>>().join(",")
}

/// The tokens that [`join`] joined.
pub fn split(joined: &str) -> BTreeSet<String> {
    joined.split(',').filter(|token| !token.is_empty()).map(str::to_owned).collect()
}
