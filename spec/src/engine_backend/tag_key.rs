//! What a tag may be called.

use crate::engine_error::EngineError;

/// The longest tag key, in bytes (EXE-041).
const MAX_BYTES: usize = 256;

/// A tag key matches `^[a-z][a-z0-9_]*\.[a-z0-9_][a-z0-9_.]*$` as a whole (EXE-031), and has at most 256
/// bytes.
pub fn validate_tag_key(key: &str) -> Result<(), EngineError> {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let valid = key.split_once('.').is_some_and(|(head, tail)| {
        head.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
            && head.bytes().all(word)
            && tail.bytes().next().is_some_and(word)
            && tail.bytes().all(|b| word(b) || b == b'.')
    });
    if key.len() > MAX_BYTES {
        return Err(EngineError::invalid_input(format!(
            "the tag key has {} bytes, at most {MAX_BYTES}",
            key.len()
        )));
    }
    if valid {
        return Ok(());
    }
    Err(EngineError::invalid_input(format!(
        "tag key {key:?} is not a lower-case word, a dot and lower-case words"
    )))
}
