//! One-line changes of SQL and Lua when it is loaded, for backends that are wrong on purpose.

/// Says what to write instead of a text that occurs exactly once in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patch {
    /// The file's name, as its library or its store knows it.
    pub file: &'static str,
    pub what: &'static str,
    pub instead: &'static str,
}

/// A patch fits no place, or more than one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what:?} occurs {count} times in {file}, not once")]
pub struct PatchError {
    pub file: &'static str,
    pub what: &'static str,
    pub count: usize,
}

impl Patch {
    /// The text of `file`, changed if that is the file meant.
    pub fn apply(&self, file: &str, text: &str) -> Result<String, PatchError> {
        if file != self.file {
            return Ok(text.to_owned());
        }
        match text.matches(self.what).count() {
            1 => Ok(text.replacen(self.what, self.instead, 1)),
            count => Err(PatchError { file: self.file, what: self.what, count }),
        }
    }
}
