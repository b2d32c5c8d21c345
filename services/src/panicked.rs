//! The workers whose last run has panicked.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Clones share it.
#[derive(Clone, Default)]
pub struct PanickedWorkers(Arc<Mutex<BTreeSet<&'static str>>>);

impl PanickedWorkers {
    pub fn add(&self, worker: &'static str) {
        self.workers().insert(worker);
    }

    pub fn remove(&self, worker: &'static str) {
        self.workers().remove(worker);
    }

    pub fn names(&self) -> Vec<&'static str> {
        self.workers().iter().copied().collect()
    }

    fn workers(&self) -> MutexGuard<'_, BTreeSet<&'static str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
