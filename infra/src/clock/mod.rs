//! The clock that callers pass on: the only place that reads the system's time.
//!
//! What is decided by it may be for good: keys are erased when their day is over. So a time that jumps is
//! not believed. It is compared with the database's, and with how much time has passed since then.

mod reference;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rustix::time::{ClockId, clock_gettime};

use crate::postgres::{PgError, Pool};
use reference::Reference;

/// By how much a clock may be wrong before it is not used.
pub const TOLERANCE: TimeDelta = TimeDelta::seconds(10);

const READ: &str = "select clock_timestamp()";

/// The system's clock, or one that a test sets. Clones share what they know.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    /// The last comparison with the database; `None`: there was none.
    System(Arc<Mutex<Option<Reference>>>),
    Fixed(Arc<Mutex<DateTime<Utc>>>),
}

/// How far two clocks are from the time that is used; positive: ahead of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skew {
    /// The clock of this machine.
    pub system: TimeDelta,
    /// The clock of the database at the last comparison.
    pub database: TimeDelta,
}

impl Skew {
    /// What is wrong and what is done about it; `None`: both clocks are right.
    pub fn fault(&self) -> Option<String> {
        let apart = |skew: TimeDelta| {
            let direction = if skew > TimeDelta::zero() { "ahead of" } else { "behind" };
            format!("{} s {direction} the time that is used", skew.abs().num_seconds())
        };
        let system = (self.system.abs() > TOLERANCE).then_some(("this machine", self.system));
        let database = (self.database.abs() > TOLERANCE).then_some(("the database", self.database));
        let faults: Vec<String> = [system, database]
            .into_iter()
            .flatten()
            .map(|(whose, skew)| format!("the clock of {whose} is {}", apart(skew)))
            .collect();
        (!faults.is_empty())
            .then(|| format!("{}: set it right, which needs no restart", faults.join(", ")))
    }
}

impl Clock {
    /// The system's clock. Until [`Self::compare`] it is believed as it is.
    pub fn system() -> Self {
        Self(Source::System(Arc::default()))
    }

    /// A clock that stands still until it is advanced, for tests.
    pub fn fixed(at: DateTime<Utc>) -> Self {
        Self(Source::Fixed(Arc::new(Mutex::new(at))))
    }

    /// The time, in whole microseconds, as PostgreSQL stores it. It is the system's, unless that is
    /// further than [`TOLERANCE`] from the time of the last comparison and what has passed since.
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Source::System(reference) => {
                let reference = *reference.lock().unwrap_or_else(PoisonError::into_inner);
                let system = system_time();
                reference.map_or(system, |reference| reference.bound(system, since_boot()))
            }
            Source::Fixed(at) => *at.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Compares the system's clock with the database's. Call it when a database is connected, and every
    /// few seconds. A fixed clock has nothing to compare.
    ///
    /// # Errors
    /// The database does not answer: the last comparison goes on to count.
    pub async fn compare(&self, pool: &Pool) -> Result<(), PgError> {
        let Source::System(reference) = &self.0 else { return Ok(()) };
        let client = pool.get().await?;
        let read = client.prepare_cached(READ).await?;
        let asked_at = since_boot();
        let database: DateTime<Utc> = client.query_one(&read, &[]).await?.try_get(0)?;
        let (passed, system) = (since_boot(), system_time());
        // It was read at some time in between.
        let database = database + to_delta(passed.saturating_sub(asked_at)) / 2;
        let mut reference = reference.lock().unwrap_or_else(PoisonError::into_inner);
        *reference = Some(Reference::compare(*reference, system, database, passed));
        Ok(())
    }

    /// How far the system's clock is from the time that is used, and how far the database's was when
    /// they were compared.
    pub fn skew(&self) -> Skew {
        let Source::System(reference) = &self.0 else { return Skew::default() };
        let reference = *reference.lock().unwrap_or_else(PoisonError::into_inner);
        reference
            .map_or_else(Skew::default, |reference| reference.skew(system_time(), since_boot()))
    }

    /// Advances a fixed clock. Does nothing to the system's.
    pub fn advance(&self, by: TimeDelta) {
        if let Source::Fixed(at) = &self.0 {
            *at.lock().unwrap_or_else(PoisonError::into_inner) += by;
        }
    }
}

/// The time since the machine was started, the time that it was suspended included.
pub(crate) fn since_boot() -> Duration {
    let at = clock_gettime(ClockId::Boottime);
    let nanos = u32::try_from(at.tv_nsec).unwrap_or_default();
    Duration::new(u64::try_from(at.tv_sec).unwrap_or_default(), nanos)
}

fn system_time() -> DateTime<Utc> {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    let micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

fn to_delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}
