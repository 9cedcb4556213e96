//! What tags an execution or a flow may have (EXE-042).

use std::collections::BTreeMap;

use ff_core::engine_error::EngineError;

const MAX_TAGS: usize = 256;

/// Of all keys and values together.
const MAX_BYTES: usize = 1024 * 1024;

/// Sets a tag, if there is room for it.
pub(crate) fn set(
    tags: &mut BTreeMap<String, String>,
    key: &str,
    value: &str,
) -> Result<(), EngineError> {
    tags.insert(key.to_owned(), value.to_owned());
    check(&*tags)
}

/// Refuses more than there is room for.
pub(crate) fn check<'t>(
    tags: impl IntoIterator<Item = (&'t String, &'t String)>,
) -> Result<(), EngineError> {
    let (mut count, mut bytes) = (0, 0);
    for (key, value) in tags {
        count += 1;
        bytes += key.len() + value.len();
    }
    if count <= MAX_TAGS && bytes <= MAX_BYTES {
        return Ok(());
    }
    Err(EngineError::invalid_input(format!(
        "{count} tags of {bytes} bytes, at most {MAX_TAGS} of {MAX_BYTES}"
    )))
}
