//! What the time was when it was compared last, and which of two clocks is believed since.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Skew, TOLERANCE, to_delta};

/// Two clocks that have jumped ahead together, as those of one machine do, are believed after this time:
/// a machine that was paused has missed it, and a clock that was set wrong is usually set right sooner.
const BELIEVED_AFTER: Duration = Duration::from_mins(10);

/// A time, and when it was that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    time: DateTime<Utc>,
    /// Since the start of the machine.
    taken: Duration,
    /// Since when both clocks have been ahead.
    ahead_since: Option<Duration>,
    /// How far the database's clock was from it.
    database: TimeDelta,
}

impl Reference {
    /// The system's time, unless it is too far from what it must be.
    pub fn bound(&self, system: DateTime<Utc>, now: Duration) -> DateTime<Utc> {
        let expected = self.expected(now);
        if (system - expected).abs() <= TOLERANCE { system } else { expected }
    }

    fn expected(&self, now: Duration) -> DateTime<Utc> {
        let passed = to_delta(now.saturating_sub(self.taken));
        // To the microsecond, as PostgreSQL stores it.
        let passed = TimeDelta::microseconds(passed.num_microseconds().unwrap_or(i64::MAX));
        self.time.checked_add_signed(passed).unwrap_or(self.time)
    }

    /// How far the clocks are from the time that is used.
    pub fn skew(&self, system: DateTime<Utc>, now: Duration) -> Skew {
        Skew { system: system - self.expected(now), database: self.database }
    }

    /// The reference after a comparison at `now`.
    pub fn compare(
        last: Option<Self>,
        system: DateTime<Utc>,
        database: DateTime<Utc>,
        now: Duration,
    ) -> Self {
        let next = last.map_or_else(
            // What is erased too late can be erased then.
            || Self::at(system.min(database), now),
            |last| last.next(system, database, now),
        );
        Self { database: database - next.time, ..next }
    }

    const fn at(time: DateTime<Utc>, taken: Duration) -> Self {
        Self { time, taken, ahead_since: None, database: TimeDelta::zero() }
    }

    fn next(self, system: DateTime<Utc>, database: DateTime<Utc>, now: Duration) -> Self {
        let expected = self.expected(now);
        let is_near = |time: DateTime<Utc>| (time - expected).abs() <= TOLERANCE;
        if is_near(database) {
            return Self::at(database, now);
        }
        if is_near(system) {
            return Self::at(system, now);
        }
        let earlier = system.min(database);
        if earlier < expected {
            return Self::at(earlier, now);
        }
        let since = self.ahead_since.unwrap_or(now);
        if now.saturating_sub(since) >= BELIEVED_AFTER {
            return Self::at(earlier, now);
        }
        Self { ahead_since: Some(since), ..Self::at(expected, now) }
    }
}
