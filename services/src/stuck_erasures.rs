//! The erasures that could not go on. Each waits a growing time for its next turn, so that many of them take
//! little of the eraser's time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use domain::SubjectId;

const PAUSE_MAX: TimeDelta = TimeDelta::minutes(10);
/// An entry whose turn was due for so long has left the lists of the ledger.
const FORGOTTEN_AFTER: TimeDelta = TimeDelta::hours(1);

/// Clones share it.
#[derive(Clone, Default)]
pub struct StuckErasures(Arc<Mutex<HashMap<SubjectId, Stuck>>>);

struct Stuck {
    since: DateTime<Utc>,
    next_at: DateTime<Utc>,
}

impl Stuck {
    /// Not for longer than any pause, should the clock have been ahead.
    fn waits(&self, now: DateTime<Utc>) -> bool {
        self.next_at > now && self.next_at - now <= PAUSE_MAX
    }
}

impl StuckErasures {
    /// Half as long as it has been stuck: what waits for a reader goes on at once.
    pub fn note(&self, subject: SubjectId, now: DateTime<Utc>) {
        let mut stuck = self.lock();
        let since = stuck.get(&subject).map_or(now, |known| known.since);
        let pause = ((now - since) / 2).clamp(TimeDelta::zero(), PAUSE_MAX);
        stuck.insert(subject, Stuck { since, next_at: now + pause });
    }

    pub fn went_on(&self, subject: SubjectId) {
        self.lock().remove(&subject);
    }

    pub fn is_waiting(&self, subject: SubjectId, now: DateTime<Utc>) -> bool {
        self.lock().get(&subject).is_some_and(|stuck| stuck.waits(now))
    }

    /// For how long this process has known that it cannot go on.
    pub fn stuck_for(&self, subject: SubjectId, now: DateTime<Utc>) -> TimeDelta {
        self.lock().get(&subject).map_or(TimeDelta::zero(), |stuck| now - stuck.since)
    }

    pub fn waiting(&self, now: DateTime<Utc>) -> Vec<SubjectId> {
        let mut stuck = self.lock();
        stuck.retain(|_, stuck| now - stuck.next_at < FORGOTTEN_AFTER);
        let waits = stuck.iter().filter(|(_, stuck)| stuck.waits(now));
        waits.map(|(subject, _)| *subject).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SubjectId, Stuck>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_an_erasure_is_stuck_the_longer_it_waits() {
        let (stuck, subject) = (StuckErasures::default(), SubjectId(uuid::Uuid::from_u128(1)));
        let start: DateTime<Utc> = "2026-11-29T12:00:00Z".parse().unwrap();
        let at = |seconds| start + TimeDelta::seconds(seconds);

        stuck.note(subject, at(0));
        assert!(!stuck.is_waiting(subject, at(0)), "it may be a matter of milliseconds");
        stuck.note(subject, at(10));
        assert!(stuck.is_waiting(subject, at(14)));
        assert_eq!(stuck.waiting(at(14)), [subject]);
        assert!(!stuck.is_waiting(subject, at(15)) && stuck.waiting(at(15)).is_empty());
        stuck.note(subject, at(86_400));
        assert!(stuck.is_waiting(subject, at(86_400 + 599)));
        assert!(!stuck.is_waiting(subject, at(86_400 + 600)));

        assert!(!stuck.is_waiting(subject, at(0)), "a clock that was ahead is right again");

        stuck.went_on(subject);
        stuck.note(subject, at(86_410));
        assert!(!stuck.is_waiting(subject, at(86_410)), "it is counted anew");
    }
}
