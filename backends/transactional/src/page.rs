//! Lists and passes over a partition, a page at a time.

use ff_core::engine_backend::ReconcileCounts;
use ff_core::engine_error::EngineError;
use ff_core::partition::{Partition, PartitionKey};
use uuid::Uuid;

use crate::records::Part;
use crate::store::Inspected;

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

/// How many records one transaction of a pass looks at.
pub(crate) const LOOKED_AT: usize = 128;

/// What one transaction of a pass has seen, and done.
#[derive(Default)]
pub(crate) struct Looked {
    /// Which records something was done about.
    pub(crate) processed: Vec<Uuid>,
    /// How many cannot be decoded.
    pub(crate) errors: u32,
    /// The last that was looked at, unless it was the last of all.
    pub(crate) last: Option<Uuid>,
    /// There is more to do about them.
    pub(crate) again: bool,
}

impl Looked {
    /// At a page of records by their keys.
    pub(crate) fn at(stored: &[Inspected]) -> Self {
        let last = match stored.last().and_then(|stored| stored.key.parts.last()) {
            Some(Part::Uuid(id)) if stored.len() == LOOKED_AT => Some(*id),
            _ => None,
        };
        let damaged = stored.iter().filter(|stored| stored.record.is_none());
        let errors = u32::try_from(damaged.count()).unwrap_or(u32::MAX);
        Self { errors, last, ..Self::default() }
    }
}

/// The counts of a whole pass.
#[derive(Default)]
pub(crate) struct Pass {
    processed: std::collections::BTreeSet<Uuid>,
    errors: u32,
}

impl Pass {
    pub(crate) fn add(&mut self, looked: Looked) {
        self.processed.extend(looked.processed);
        if !looked.again {
            self.errors += looked.errors;
        }
    }

    pub(crate) fn counts(self) -> ReconcileCounts {
        let processed = u32::try_from(self.processed.len()).unwrap_or(u32::MAX);
        ReconcileCounts { processed, errors: self.errors }
    }
}

/// The partition that a key names.
pub(crate) fn partition_of(key: &PartitionKey) -> Result<Partition, EngineError> {
    key.parse().map_err(|error| EngineError::invalid_input(error.to_string()))
}
