//! Lists, a page at a time.

use ff_core::engine_error::EngineError;
use ff_core::partition::{Partition, PartitionKey};

/// The longest page (EXE-049, EXE-050, FLW-036).
pub const MAX_PAGE: usize = 1_000;

/// A page that is asked for.
#[derive(Clone, Copy)]
pub struct Page {
    size: usize,
}

impl Page {
    pub(crate) fn of(limit: usize) -> Self {
        Self::at_most(limit, MAX_PAGE)
    }

    /// With as many entries as this, but never more than `most`.
    pub(crate) fn at_most(limit: usize, most: usize) -> Self {
        Self { size: limit.min(most) }
    }

    /// How many entries to look for: one beyond the page tells whether another page follows, and an
    /// empty page asks for nothing.
    pub fn wanted(self) -> usize {
        if self.size == 0 { 0 } else { self.size + 1 }
    }

    /// The page of what was found, and its last entry if another page follows.
    pub(crate) fn cut<I: Clone>(self, mut found: Vec<I>) -> (Vec<I>, Option<I>) {
        let more = found.len() > self.size;
        found.truncate(self.size);
        let next = found.last().filter(|_| more).cloned();
        (found, next)
    }
}

/// The partition that a key names.
pub(crate) fn partition_of(key: &PartitionKey) -> Result<Partition, EngineError> {
    key.parse().map_err(|error| EngineError::invalid_input(error.to_string()))
}
