//! What callers have left of a limit, in memory of a fixed size.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often something may be done: at a steady rate, and so many times at once (the generic cell rate
/// algorithm, ITU-T I.371).
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    every: Duration,
    at_once: u32,
}

impl Quota {
    /// `rate` times in `per`, and `burst` times that at once.
    pub fn new(rate: u32, per: Duration, burst: u32) -> Self {
        Self { every: per / rate.max(1), at_once: rate.max(1).saturating_mul(burst) }
    }

    /// So many times as much.
    pub fn times(self, factor: u32) -> Self {
        let at_once = self.at_once.saturating_mul(factor);
        Self { every: self.every / factor.max(1), at_once }
    }

    /// # Errors
    /// How long to wait for the next one.
    fn check(self, used_until: Duration, now: Duration) -> Result<(), Duration> {
        let ahead = self.every.saturating_mul(self.at_once.saturating_sub(1));
        let wait = used_until.saturating_sub(now).saturating_sub(ahead);
        if wait.is_zero() { Ok(()) } else { Err(wait) }
    }
}

const SETS: usize = 1 << 13;
/// So many callers share a set, and nothing else.
const WAYS: usize = 4;

#[derive(Clone, Copy, Default)]
struct Slot {
    /// Part of the hash of the caller whose it is.
    tag: u32,
    /// In nanoseconds: until when what was used counts.
    used_until: u64,
}

type Set = [Slot; WAYS];

/// What callers have used of one limit. Each has a slot, known by a tag: another can displace it, which
/// gives its whole quota back, and cannot use it up. The hash is keyed anew at each start: nobody can aim
/// at a slot, and nothing shows whose address it was.
pub struct Slots {
    hash: RandomState,
    sets: Box<[Mutex<Set>]>,
}

impl Default for Slots {
    fn default() -> Self {
        let sets = std::iter::repeat_with(Mutex::default).take(SETS).collect();
        Self { hash: RandomState::new(), sets }
    }
}

impl Slots {
    /// Uses one; `now` is counted from any start.
    ///
    /// # Errors
    /// How long to wait for it: nothing is used.
    pub fn take(&self, of: impl Hash, quota: Quota, now: Duration) -> Result<(), Duration> {
        let Some((mut set, tag)) = self.set(of) else { return Ok(()) };
        let used_until = used_until(&set, tag).max(now);
        quota.check(used_until, now)?;
        let used = Slot { tag, used_until: nanos(used_until.saturating_add(quota.every)) };
        // Its own, or that of the caller who has most left.
        if let Some(slot) = set.iter_mut().min_by_key(|it| (it.tag != tag, it.used_until)) {
            *slot = used;
        }
        Ok(())
    }

    /// As [`Self::take`], and uses nothing.
    ///
    /// # Errors
    /// How long to wait for one.
    pub fn look(&self, of: impl Hash, quota: Quota, now: Duration) -> Result<(), Duration> {
        self.set(of).map_or(Ok(()), |(set, tag)| quota.check(used_until(&set, tag), now))
    }

    /// Gives back one that was taken.
    pub fn give_back(&self, of: impl Hash, quota: Quota) {
        let Some((mut set, tag)) = self.set(of) else { return };
        if let Some(slot) = set.iter_mut().find(|slot| slot.tag == tag) {
            slot.used_until = slot.used_until.saturating_sub(nanos(quota.every));
        }
    }

    fn set(&self, of: impl Hash) -> Option<(MutexGuard<'_, Set>, u32)> {
        let hash = self.hash.hash_one(of);
        let tag = u32::try_from(hash >> 32).ok()?;
        let at = usize::try_from(hash & 0xffff_ffff).ok()? % SETS;
        let set = self.sets.get(at)?.lock().unwrap_or_else(PoisonError::into_inner);
        Some((set, tag))
    }
}

fn used_until(set: &Set, tag: u32) -> Duration {
    let slot = set.iter().find(|slot| slot.tag == tag);
    Duration::from_nanos(slot.map_or(0, |slot| slot.used_until))
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hourly() -> Quota {
        Quota::new(2, Duration::from_hours(1), 1)
    }

    #[test]
    fn what_is_used_comes_back_with_time_and_what_is_given_back_at_once() {
        let (slots, quota, minute) = (Slots::default(), hourly(), Duration::from_mins(1));
        let take = |at: u32| slots.take("ada", quota, minute * at);
        assert_eq!((take(0), take(0)), (Ok(()), Ok(())));
        assert_eq!(take(10), Err(minute * 20));
        assert_eq!(slots.look("ada", quota, minute * 10), Err(minute * 20));
        assert_eq!(slots.look("bob", quota, minute * 10), Ok(()));
        slots.give_back("ada", quota);
        assert_eq!((take(10), take(10)), (Ok(()), Err(minute * 20)));
        assert_eq!((take(30), take(30)), (Ok(()), Err(minute * 30)));
    }

    #[test]
    fn whoever_comes_displaces_at_most_the_one_who_has_most_left() {
        let (slots, quota) = (Slots::default(), hourly());
        for _ in 0..2 {
            assert_eq!(slots.take("used up", quota, Duration::ZERO), Ok(()));
        }
        // More than there are slots, each of which has used half.
        for other in 0..100_000 {
            assert_eq!(slots.take(other, quota, Duration::ZERO), Ok(()));
        }
        assert!(slots.take("used up", quota, Duration::ZERO).is_err());
    }
}
