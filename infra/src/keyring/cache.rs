//! Keys in memory: bounded, and used only under a lease.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::SubjectId;
use domain::privacy::Class;
use uuid::Uuid;

use super::Secret;
use super::key::{KeyId, Kind};

/// Cached keys are used no longer than this after a request to the primary was begun that knew of
/// no destruction.
pub(super) const LEASE: Duration = Duration::from_secs(1);

/// What a key is asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Slot {
    /// A data key; of the newest generation where none is named. Bucket 0 is none.
    Data {
        subject: SubjectId,
        class: Class,
        generation: Option<i64>,
        bucket: i64,
    },
    Named(Kind, i64),
}

#[derive(Clone, Debug)]
pub(super) enum Held {
    Key { generation: i64, key: Arc<Secret> },
    Gone(Gone),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// The subject's key is destroyed, or a key that is nobody's.
    Erased,
    /// The bucket's key is destroyed.
    Expired,
    /// There never was such a key.
    Absent,
}

/// The answer to one renewal of the lease.
pub(super) struct Renewal {
    /// Taken before the request.
    pub asked: Instant,
    /// The last number of the list, as the request saw it.
    pub last: i64,
    /// What was dropped since the number that was asked for; none when the list does not reach
    /// back to it.
    pub dropped: Option<Vec<KeyId>>,
}

pub(super) struct Cache {
    state: Mutex<State>,
    half: usize,
}

#[derive(Default)]
struct State {
    sequence: i64,
    renewed: Option<Instant>,
    // Two halves: what is used moves to the young one, and the old one is forgotten as a whole.
    young: HashMap<Slot, Held>,
    old: HashMap<Slot, Held>,
    email: Option<Arc<[i64]>>,
}

impl State {
    fn leased(&self) -> bool {
        self.renewed.is_some_and(|at| at.elapsed() < LEASE)
    }

    fn forget_all(&mut self) {
        self.young.clear();
        self.old.clear();
        self.email = None;
    }

    fn forget(&mut self, dropped: &[KeyId]) {
        let dropped = Dropped::of(dropped);
        self.young.retain(|slot, _| !dropped.concerns(slot));
        self.old.retain(|slot, _| !dropped.concerns(slot));
        if dropped.named.iter().any(|(kind, _)| *kind == Kind::EmailIndex) {
            self.email = None;
        }
    }
}

#[derive(Default)]
struct Dropped {
    subjects: HashSet<(Uuid, i16)>,
    buckets: HashSet<(i16, i64)>,
    named: HashSet<(Kind, i64)>,
}

impl Dropped {
    fn of(keys: &[KeyId]) -> Self {
        let mut dropped = Self::default();
        for key in keys {
            match key.kind {
                Kind::Subject => dropped.subjects.insert((key.subject, key.class)),
                Kind::Bucket => dropped.buckets.insert((key.class, key.number)),
                Kind::EmailIndex | Kind::RequestMac | Kind::Link | Kind::Root => {
                    dropped.named.insert((key.kind, key.number))
                }
            };
        }
        dropped
    }

    fn concerns(&self, slot: &Slot) -> bool {
        match slot {
            Slot::Data { subject, class, bucket, .. } => {
                self.subjects.contains(&(subject.0, class.number()))
                    || self.buckets.contains(&(class.number(), *bucket))
            }
            Slot::Named(kind, number) => self.named.contains(&(*kind, *number)),
        }
    }
}

impl Cache {
    pub fn new(max: usize) -> Self {
        Self { state: Mutex::default(), half: (max / 2).max(1) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn sequence(&self) -> i64 {
        self.state().sequence
    }

    pub fn leased(&self) -> bool {
        self.state().leased()
    }

    pub fn renewed_since(&self, at: Instant) -> bool {
        self.state().renewed.is_some_and(|renewed| renewed >= at)
    }

    /// What is held of each slot, in their order; none without a lease.
    pub fn look(&self, slots: &[Slot]) -> Option<Vec<Option<Held>>> {
        let mut state = self.state();
        if !state.leased() {
            return None;
        }
        Some(slots.iter().map(|slot| self.find(&mut state, slot)).collect())
    }

    fn find(&self, state: &mut State, slot: &Slot) -> Option<Held> {
        if let Some(held) = state.young.get(slot) {
            return Some(held.clone());
        }
        let held = state.old.remove(slot)?;
        self.insert(state, *slot, held.clone());
        Some(held)
    }

    fn insert(&self, state: &mut State, slot: Slot, held: Held) {
        if state.young.len() >= self.half {
            state.old = std::mem::take(&mut state.young);
        }
        state.young.insert(slot, held);
    }

    /// Keeps what was read when the list ended at `sequence`, unless something was dropped since.
    pub fn keep(&self, sequence: i64, held: impl IntoIterator<Item = (Slot, Held)>) {
        let mut state = self.state();
        if state.sequence <= sequence {
            for (slot, held) in held {
                self.insert(&mut state, slot, held);
            }
        }
    }

    /// The generations of the e-mail index; none without a lease.
    pub fn email(&self) -> Option<Arc<[i64]>> {
        let state = self.state();
        state.email.clone().filter(|_| state.leased())
    }

    pub fn keep_email(&self, sequence: i64, generations: Arc<[i64]>) {
        let mut state = self.state();
        if state.sequence <= sequence {
            state.email = Some(generations);
        }
    }

    pub fn renew(&self, renewal: &Renewal) {
        let mut state = self.state();
        match &renewal.dropped {
            Some(dropped) if dropped.is_empty() => {}
            Some(dropped) => state.forget(dropped),
            None => state.forget_all(),
        }
        state.sequence = renewal.last;
        state.renewed = state.renewed.max(Some(renewal.asked));
    }

    /// What this node destroyed itself is not used from now on.
    pub fn drop_now(&self, dropped: &[KeyId]) {
        self.state().forget(dropped);
    }
}
