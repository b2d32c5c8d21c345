//! The appends that are written in one transaction.

use std::collections::HashSet;

use super::queue::Reply;
use super::rows::Append;

/// Events of one batch at most, unless one append alone has more.
const EVENTS_MAX: usize = 4096;

#[derive(Default)]
pub struct Batch {
    pub members: Vec<(Append, Reply)>,
    keys: HashSet<u64>,
    guarded: HashSet<u64>,
    events: usize,
}

impl Batch {
    /// Returns it if the batch already has its stream, reservation or command, or guards what it writes to, or
    /// writes to what it guards: both would be decided on the state before the batch.
    pub fn take(&mut self, append: Append, reply: Reply) -> Option<(Append, Reply)> {
        let fits = self.members.is_empty() || self.events + append.events.len() <= EVENTS_MAX;
        let writes = |key| self.keys.contains(&key) || self.guarded.contains(&key);
        let guards = |key| self.keys.contains(&key);
        if !fits || append.keys().any(writes) || append.guarded_keys().any(guards) {
            return Some((append, reply));
        }
        self.keys.extend(append.keys());
        self.guarded.extend(append.guarded_keys());
        self.events += append.events.len();
        self.members.push((append, reply));
        None
    }
}
