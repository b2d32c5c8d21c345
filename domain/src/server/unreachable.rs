//! When a server that is not reached is called unreachable.

use chrono::{DateTime, TimeDelta, Utc};

/// A server is unreachable after this many failures of fresh connections in a row, over this long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnreachableThreshold {
    /// How many failures in a row.
    pub failures_min: u32,
    /// The time from the first of them to the last.
    pub over: TimeDelta,
}

impl Default for UnreachableThreshold {
    fn default() -> Self {
        Self { failures_min: 3, over: TimeDelta::seconds(90) }
    }
}

/// Failures in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failures {
    /// How many.
    pub count: u32,
    /// When the first of them was.
    pub since: DateTime<Utc>,
}

impl Failures {
    /// One more, at `now`.
    #[must_use]
    pub fn more(before: Option<Self>, now: DateTime<Utc>) -> Self {
        before.map_or(Self { count: 1, since: now }, |before| Self {
            count: before.count.saturating_add(1),
            ..before
        })
    }

    /// Whether the server is to be reported as unreachable at `now`.
    pub fn reach(self, threshold: UnreachableThreshold, now: DateTime<Utc>) -> bool {
        self.count >= threshold.failures_min && now - self.since >= threshold.over
    }
}
