//! The rows of a replay, in memory.

use std::collections::HashSet;

use uuid::Uuid;

use super::ReplayError;
use crate::log::Recorded;
use crate::log::rows::{Order, Rows};
use crate::log::work::Poisoned;

/// Rows in memory, and the streams that are parked on the way.
pub(super) struct FoldState {
    pub rows: Box<dyn Rows>,
    pub parked: HashSet<Uuid>,
    pub poisoned: Vec<Poisoned>,
    pub events: i64,
}

impl FoldState {
    pub fn new(rows: Box<dyn Rows>) -> Self {
        Self { rows, parked: HashSet::new(), poisoned: Vec::new(), events: 0 }
    }

    pub fn wanted<'e>(&self, events: &'e [Recorded]) -> Vec<&'e Recorded> {
        let waits =
            |event: &Recorded| !self.parked.is_empty() && self.parked.contains(&event.stream_id());
        events.iter().filter(|event| !waits(event)).collect()
    }

    pub fn fold(&mut self, events: &[&Recorded]) {
        for event in events {
            if !self.parked.is_empty() && self.parked.contains(&event.stream_id()) {
                continue;
            }
            match self.rows.fold(event, Order::Log) {
                Ok(()) => self.events += 1,
                Err(poison) => {
                    let stream = event.stream_id();
                    self.parked.insert(stream);
                    self.poisoned.push(Poisoned { stream, position: event.position(), poison });
                }
            }
        }
    }

    /// What was folded since the last write is read again, also of streams that were parked by it.
    pub fn forget_unwritten(&mut self) {
        self.rows.clear();
        for poisoned in self.poisoned.drain(..) {
            self.parked.remove(&poisoned.stream);
        }
    }

    /// # Errors
    /// More streams are parked than a fold refuses that is right.
    pub fn check_parked(&self, parked_max: usize) -> Result<(), ReplayError> {
        let streams = self.parked.len();
        if streams > parked_max { Err(ReplayError::Parks { streams }) } else { Ok(()) }
    }
}
