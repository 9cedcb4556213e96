//! What a tag may be called.

use crate::engine_error::EngineError;

/// A tag key matches `^[a-z][a-z0-9_]*\.[a-z0-9_][a-z0-9_.]*$` as a whole (EXE-031).
pub fn validate_tag_key(key: &str) -> Result<(), EngineError> {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let valid = key.split_once('.').is_some_and(|(head, tail)| {
        head.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
            && head.bytes().all(word)
            && tail.bytes().next().is_some_and(word)
            && tail.bytes().all(|b| word(b) || b == b'.')
    });
    if valid {
        return Ok(());
    }
    Err(EngineError::invalid_input(format!(
        "tag key {key:?} is not a lower-case word, a dot and lower-case words"
    )))
}
