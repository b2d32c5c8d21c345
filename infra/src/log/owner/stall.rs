//! Notices a reader that stands still: the log has more, and its checkpoint does not move.

use std::time::{Duration, Instant};

/// Where a reader's checkpoint was seen, and since when the log has more than it says.
#[derive(Debug)]
pub(super) struct Watched {
    position: i64,
    since: Instant,
}

impl Watched {
    pub fn new(position: i64) -> Self {
        Self { position, since: Instant::now() }
    }

    /// For how long the checkpoint says `position`, although the log goes on to `head`.
    pub fn stands(&mut self, position: i64, head: i64) -> Duration {
        if self.position != position || position >= head {
            *self = Self::new(position);
        }
        self.since.elapsed()
    }
}
