//! How time passes for a case: by a clock that it turns, or by waiting.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ff_core::clock::ManualClock;
use ff_core::types::TimestampMs;

use super::failure::Failure;

/// Where no clock can be turned a case reckons as if it took no time but what it waits: `lag` is what it took
/// besides. A time that is shown is then as late as expected, or later by the lag at most.
pub(super) struct Time {
    clock: Option<ManualClock>,
    start: TimestampMs,
    /// What has passed, in milliseconds, where no clock tells.
    passed: AtomicI64,
    wall: Wall,
    waited: Waited,
}

/// What is known of a deployment whose clock cannot be turned.
#[derive(Clone, Copy)]
pub(super) struct Wall {
    /// How long a case may wait in all.
    pub(super) patience: Duration,
    /// How far the backend's clock may be from this machine's.
    pub(super) skew: Duration,
}

impl Wall {
    fn skew(self) -> i64 {
        i64::try_from(self.skew.as_millis()).unwrap_or(i64::MAX)
    }
}

/// How long a case has waited, in milliseconds, in all of its worlds.
#[derive(Clone, Default)]
pub(crate) struct Waited(Arc<AtomicU64>);

impl Waited {
    fn more(&self, millis: u64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }

    fn total(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Time {
    pub(super) fn new(clock: Option<ManualClock>, wall: Wall, waited: Waited) -> Self {
        let earliest = || TimestampMs(TimestampMs::now().0 - wall.skew());
        let start = clock.as_ref().map_or_else(earliest, ManualClock::now);
        Self { clock, start, passed: AtomicI64::new(0), wall, waited }
    }

    pub(super) fn clock(&self) -> Option<&ManualClock> {
        self.clock.as_ref()
    }

    pub(super) fn start(&self) -> TimestampMs {
        self.start
    }

    pub(super) fn now(&self) -> TimestampMs {
        match &self.clock {
            Some(clock) => clock.now(),
            None => TimestampMs(self.start.0 + self.passed.load(Ordering::SeqCst)),
        }
    }

    pub(super) fn lag(&self) -> i64 {
        if self.clock.is_some() {
            return 0;
        }
        TimestampMs::now().0 + self.wall.skew() - self.now().0
    }

    pub(super) fn is_impatient(&self) -> bool {
        self.clock.is_none() && u128::from(self.waited.total()) > self.wall.patience.as_millis()
    }

    pub(super) async fn pass(&self, millis: u64) -> Result<(), Failure> {
        if let Some(clock) = &self.clock {
            clock.advance(Duration::from_millis(millis));
            return Ok(());
        }
        let until = TimestampMs::now().0.saturating_add_unsigned(millis) + 2 * self.wall.skew();
        self.waited.more(millis);
        if self.is_impatient() {
            return Err(Failure::new(format!(
                "it would wait for longer than {:?}",
                self.wall.patience
            )));
        }
        while let left @ 1.. = until - TimestampMs::now().0 {
            tokio::time::sleep(Duration::from_millis(left.unsigned_abs())).await;
        }
        self.passed.fetch_add(millis.cast_signed(), Ordering::SeqCst);
        Ok(())
    }
}

/// What comes of this within so many seconds, or nothing. Seconds in which this machine is too busy do not count.
pub(crate) async fn in_good_time<T>(seconds: u32, work: impl Future<Output = T>) -> Option<T> {
    const SECOND: Duration = Duration::from_secs(1);
    let mut work = pin!(work);
    let mut passed = 0;
    while passed < seconds {
        let begun = Instant::now();
        tokio::select! {
            biased;
            done = &mut work => return Some(done),
            () = tokio::time::sleep(SECOND) => {
                passed += u32::from(begun.elapsed() < SECOND.mul_f64(1.5));
            }
        }
    }
    None
}
