//! Positive answers, for half a second: most requests come in bursts.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Live;
use crate::bearer::TokenHash;

const KEPT: Duration = Duration::from_millis(500);
const ENTRIES_MAX: usize = 16_384;

#[derive(Default)]
pub(super) struct Cache(Mutex<HashMap<TokenHash, (Live, Instant)>>);

impl Cache {
    pub(super) fn get(&self, hash: &TokenHash) -> Option<Live> {
        let entries = self.entries();
        let (live, asked) = entries.get(hash)?;
        (asked.elapsed() < KEPT).then_some(*live)
    }

    /// `asked` is a moment before the row was read.
    pub(super) fn put(&self, hash: TokenHash, live: Live, asked: Instant) {
        let mut entries = self.entries();
        if entries.len() >= ENTRIES_MAX {
            entries.retain(|_, (_, asked)| asked.elapsed() < KEPT);
        }
        if entries.len() < ENTRIES_MAX {
            entries.insert(hash, (live, asked));
        }
    }

    pub(super) fn forget(&self, closed: impl Fn(&Live) -> bool) {
        self.entries().retain(|_, (live, asked)| asked.elapsed() < KEPT && !closed(live));
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<TokenHash, (Live, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
