//! The times that a case reckons with, and whether those that are shown are as good.

use std::collections::BTreeMap;

use ff_core::clock::ManualClock;
use ff_core::types::TimestampMs;

use super::case::Verdict;
use super::failure::Failure;
use super::world::World;

impl World {
    /// The clock, for cases that need one which can be turned.
    pub fn clock(&self) -> &ManualClock {
        let clock = self.time().clock();
        clock.expect("the runner skips cases that need a clock where there is none")
    }

    /// When the world began.
    pub(crate) fn start(&self) -> TimestampMs {
        self.time().start()
    }

    /// The time that the case reckons with, for what it expects.
    pub fn now(&self) -> TimestampMs {
        self.time().now()
    }

    /// What it expects to be due when so much has passed.
    pub fn due_in_ms(&self, millis: i64) -> TimestampMs {
        TimestampMs(self.now().0 + millis)
    }

    /// So much from now, for what is told to the backend.
    pub fn in_ms(&self, millis: i64) -> TimestampMs {
        TimestampMs(self.now().0 + self.lag() + millis)
    }

    /// How much later than expected a time may be.
    pub(crate) fn lag(&self) -> i64 {
        self.time().lag()
    }

    /// Lets time pass, for cases that need it.
    pub async fn pass_ms(&self, millis: u64) -> Result<(), Failure> {
        self.time().pass(millis).await?;
        self.unsettle();
        Ok(())
    }

    /// Lets much time pass where a clock is turned, and less where it has to be waited for.
    pub(crate) async fn pass_long(&self, turned_ms: u64, waited_ms: u64) -> Result<(), Failure> {
        let is_turned = self.time().clock().is_some();
        self.pass_ms(if is_turned { turned_ms } else { waited_ms }).await
    }

    /// Whether the case would have to wait for longer than the author has patience.
    pub(crate) fn is_impatient(&self) -> bool {
        self.time().is_impatient()
    }

    /// The expected time if this one is as good, otherwise this one.
    pub(crate) fn snap(&self, shown: TimestampMs, expected: TimestampMs) -> TimestampMs {
        let late = shown.0 - expected.0;
        if (0..=self.lag()).contains(&late) { expected } else { shown }
    }

    /// This time if it is as good as the expected one, otherwise that one, for what contains it.
    pub(crate) fn snapped_to(&self, shown: TimestampMs, expected: TimestampMs) -> TimestampMs {
        if self.snap(shown, expected) == expected { shown } else { expected }
    }

    /// Asserts that a time is the expected one.
    pub(crate) fn expect_time(
        &self,
        shown: TimestampMs,
        expected: TimestampMs,
        what: &str,
    ) -> Verdict {
        expect_eq!(self.snap(shown, expected), expected, "{what}");
        Ok(())
    }

    /// The same of fields by name, of which those that are times are known by their size.
    pub(crate) fn snap_fields(
        &self,
        shown: BTreeMap<String, String>,
        expected: &BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        let is_time = |due: &i64| *due > self.start().0 / 2;
        let fields = shown.into_iter().map(|(name, value)| {
            let due = expected.get(&name).and_then(|due| due.parse().ok()).filter(is_time);
            let value = match (value.parse(), due) {
                (Ok(at), Some(due)) => self.snap(TimestampMs(at), TimestampMs(due)).to_string(),
                _ => value,
            };
            (name, value)
        });
        fields.collect()
    }
}
