//! Caches open sessions for half a second: most requests come in bursts.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::session::LiveSession;
use crate::bearer::TokenHash;

const KEPT: Duration = Duration::from_millis(500);
const ENTRIES_MAX: usize = 16_384;

#[derive(Default)]
pub(super) struct Cache(Mutex<HashMap<TokenHash, (LiveSession, Instant)>>);

impl Cache {
    pub(super) fn get(&self, hash: &TokenHash) -> Option<LiveSession> {
        let entries = self.entries();
        let (live, queried_at) = entries.get(hash)?;
        (queried_at.elapsed() < KEPT).then_some(*live)
    }

    /// `queried_at` is a moment before the row was read.
    pub(super) fn put(&self, hash: TokenHash, live: LiveSession, queried_at: Instant) {
        let mut entries = self.entries();
        if entries.len() >= ENTRIES_MAX {
            entries.retain(|_, (_, queried_at)| queried_at.elapsed() < KEPT);
        }
        if entries.len() < ENTRIES_MAX {
            entries.insert(hash, (live, queried_at));
        }
    }

    pub(super) fn evict(&self, closed: impl Fn(&LiveSession) -> bool) {
        self.entries().retain(|_, (live, queried_at)| queried_at.elapsed() < KEPT && !closed(live));
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<TokenHash, (LiveSession, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
