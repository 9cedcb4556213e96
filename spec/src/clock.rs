//! Time as a parameter: a backend reads one clock, and a test can own it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::types::{MAX_INTEGER, TimestampMs};

/// The last time that can travel.
const LAST: i64 = MAX_INTEGER.cast_signed();

/// The clock a backend is built with (SYS-004).
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The storage's own clock, or this host's where storage has none.
    #[default]
    Server,
    /// A clock that stands still until it is told to move.
    Manual(ManualClock),
}

impl Clock {
    /// The manual time, or `None` if the storage is to be asked.
    pub fn manual(&self) -> Option<TimestampMs> {
        match self {
            Self::Server => None,
            Self::Manual(clock) => Some(clock.now()),
        }
    }

    /// The time for a storage that has no clock of its own.
    pub fn now(&self) -> TimestampMs {
        self.manual().unwrap_or_else(TimestampMs::now)
    }
}

impl From<ManualClock> for Clock {
    fn from(clock: ManualClock) -> Self {
        Self::Manual(clock)
    }
}

/// A clock under a test's control. Clones share the time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>);

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl ManualClock {
    /// An arbitrary recent instant, so that tests do not depend on the day they run.
    pub const START: TimestampMs = TimestampMs(1_760_000_000_000);

    /// A clock that stands at [`ManualClock::START`].
    pub fn new() -> Self {
        Self::starting_at(Self::START)
    }

    pub fn starting_at(start: TimestampMs) -> Self {
        let clock = Self(Arc::default());
        clock.set(start);
        clock
    }

    pub fn now(&self) -> TimestampMs {
        TimestampMs(self.0.load(Ordering::SeqCst))
    }

    /// Moves forward, by whole milliseconds; never past 2^53 - 1 (SYS-004).
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        let moved = |now: i64| Some(now.saturating_add(by).min(LAST));
        // The closure never declines, so the update always happens.
        let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, moved);
    }

    /// Moves to this time, which may lie in the past, or to the nearest from 0 to 2^53 - 1 (SYS-004).
    pub fn set(&self, now: TimestampMs) {
        self.0.store(now.0.clamp(0, LAST), Ordering::SeqCst);
    }
}
