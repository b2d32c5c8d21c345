//! Keys in memory: a bounded number of them, used only under a lease.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::SubjectId;
use domain::privacy::Class;
use uuid::Uuid;

use super::key::{KeyId, KeyKind};
use super::{KeyringError, Secret};

/// How long keys in memory are used after the last renewal of the lease, which reads the list of
/// invalidated keys from the primary. Counted from before that request was sent.
pub(super) const LEASE: Duration = Duration::from_secs(1);

/// A node that has used no key for this long renews its lease only every `RENEW_IDLE_EVERY`: whoever
/// uses one renews first. Erased keys still leave its memory.
const IDLE_AFTER: Duration = Duration::from_secs(10);
const RENEW_IDLE_EVERY: Duration = Duration::from_secs(5);

/// The primary did not answer within one lease.
pub(super) const LEASE_LOST: KeyringError = KeyringError::LeaseLost(LEASE.as_millis());

/// How a key is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum KeySlot {
    /// A data key; of the newest generation where none is named. Bucket 0 is none.
    Data {
        subject: SubjectId,
        class: Class,
        generation: Option<i64>,
        bucket: i64,
    },
    Numbered(KeyKind, i64),
}

/// The state of a key.
#[derive(Clone, Debug)]
pub(super) enum KeyState {
    Live {
        number: i64,
        key: Arc<Secret>,
    },
    /// The subject's key is erased, or a key that belongs to no subject.
    Erased,
    /// The bucket's key is erased.
    Expired,
    /// The key was never created.
    Absent,
}

/// The answer to one renewal of the lease.
pub(super) struct Renewal {
    /// When the request was sent. As every time here, since the start of the machine, so that a lease ends
    /// also while the machine is suspended.
    pub requested_at: Duration,
    /// The last number of the list of invalidations, as the request saw it.
    pub last: i64,
    /// The keys on the list since the last renewal; `None` when the list does not reach back to it.
    pub invalidated: Option<Vec<KeyId>>,
}

pub(super) struct KeyCache {
    memory: Mutex<Memory>,
    half: usize,
}

#[derive(Default)]
struct Memory {
    /// The number up to which invalidations were read.
    sequence: i64,
    renewed_at: Option<Duration>,
    used_at: Option<Duration>,
    // Two halves: a used key moves to the young one; a full young one replaces the old one.
    young: HashMap<KeySlot, KeyState>,
    old: HashMap<KeySlot, KeyState>,
    email_generations: Option<Arc<[i64]>>,
}

impl Memory {
    fn is_leased(&self, now: Duration) -> bool {
        self.renewed_at.is_some_and(|at| now.saturating_sub(at) < LEASE)
    }

    fn evict_all(&mut self) {
        self.young.clear();
        self.old.clear();
        self.email_generations = None;
    }

    fn evict(&mut self, keys: &[KeyId]) {
        let invalidated = Invalidated::of(keys);
        self.young.retain(|slot, _| !invalidated.concerns(slot));
        self.old.retain(|slot, _| !invalidated.concerns(slot));
        if invalidated.numbered.iter().any(|(kind, _)| *kind == KeyKind::EmailIndex) {
            self.email_generations = None;
        }
    }
}

#[derive(Default)]
struct Invalidated {
    subjects: HashSet<(Uuid, i16)>,
    buckets: HashSet<(i16, i64)>,
    numbered: HashSet<(KeyKind, i64)>,
}

impl Invalidated {
    fn of(keys: &[KeyId]) -> Self {
        let mut invalidated = Self::default();
        for key in keys {
            match key.kind {
                KeyKind::Subject => invalidated.subjects.insert((key.subject, key.class)),
                KeyKind::Bucket => invalidated.buckets.insert((key.class, key.number)),
                KeyKind::EmailIndex | KeyKind::RequestMac | KeyKind::Link | KeyKind::Root => {
                    invalidated.numbered.insert((key.kind, key.number))
                }
            };
        }
        invalidated
    }

    fn concerns(&self, slot: &KeySlot) -> bool {
        match slot {
            KeySlot::Data { subject, class, bucket, .. } => {
                self.subjects.contains(&(subject.0, class.number()))
                    || self.buckets.contains(&(class.number(), *bucket))
            }
            KeySlot::Numbered(kind, number) => self.numbered.contains(&(*kind, *number)),
        }
    }
}

/// Methods that read the memory take the current time, so that tests can set it.
impl KeyCache {
    pub fn new(max: usize) -> Self {
        Self { memory: Mutex::default(), half: (max / 2).max(1) }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn sequence(&self) -> i64 {
        self.memory().sequence
    }

    #[cfg(test)]
    pub fn is_leased(&self, now: Duration) -> bool {
        self.memory().is_leased(now)
    }

    /// Whether the lease is to be renewed without anybody who waits for it.
    pub fn is_renewal_due(&self, now: Duration) -> bool {
        let memory = self.memory();
        let within =
            |at: Option<Duration>, limit| at.is_some_and(|at| now.saturating_sub(at) < limit);
        within(memory.used_at, IDLE_AFTER) || !within(memory.renewed_at, RENEW_IDLE_EVERY)
    }

    pub fn is_renewed_since(&self, at: Duration) -> bool {
        self.memory().renewed_at.is_some_and(|renewed_at| renewed_at >= at)
    }

    /// The state in memory of each slot, in order; `None` without a lease.
    pub fn look(&self, slots: &[KeySlot], now: Duration) -> Option<Vec<Option<KeyState>>> {
        let mut memory = self.memory();
        memory.used_at = Some(now);
        if !memory.is_leased(now) {
            return None;
        }
        Some(slots.iter().map(|slot| self.find(&mut memory, slot)).collect())
    }

    fn find(&self, memory: &mut Memory, slot: &KeySlot) -> Option<KeyState> {
        if let Some(state) = memory.young.get(slot) {
            return Some(state.clone());
        }
        let state = memory.old.remove(slot)?;
        self.insert(memory, *slot, state.clone());
        Some(state)
    }

    fn insert(&self, memory: &mut Memory, slot: KeySlot, state: KeyState) {
        if memory.young.len() >= self.half {
            memory.old = std::mem::take(&mut memory.young);
        }
        memory.young.insert(slot, state);
    }

    /// Stores keys that were read when the list ended at `sequence`, unless a later part of the list has
    /// been read since.
    pub fn keep(&self, sequence: i64, read: impl IntoIterator<Item = (KeySlot, KeyState)>) {
        let mut memory = self.memory();
        if memory.sequence <= sequence {
            for (slot, state) in read {
                self.insert(&mut memory, slot, state);
            }
        }
    }

    /// The generations of the e-mail index; `None` without a lease.
    pub fn email_generations(&self, now: Duration) -> Option<Arc<[i64]>> {
        let memory = self.memory();
        memory.email_generations.clone().filter(|_| memory.is_leased(now))
    }

    /// The same rule as [`KeyCache::keep`].
    pub fn keep_email_generations(&self, sequence: i64, generations: Arc<[i64]>) {
        let mut memory = self.memory();
        if memory.sequence <= sequence {
            memory.email_generations = Some(generations);
        }
    }

    pub fn renew(&self, renewal: &Renewal) {
        let mut memory = self.memory();
        match &renewal.invalidated {
            Some(keys) if keys.is_empty() => {}
            Some(keys) => memory.evict(keys),
            None => memory.evict_all(),
        }
        memory.sequence = renewal.last;
        memory.renewed_at = memory.renewed_at.max(Some(renewal.requested_at));
    }

    /// Removes keys that this node itself has invalidated.
    pub fn evict(&self, keys: &[KeyId]) {
        self.memory().evict(keys);
    }
}
