//! How long a batch waits for the callers of the one before it, who often come straight back.
//!
//! Without it, callers that wait for their answers fall into two groups that take turns, each in a
//! batch of half the size.

use std::time::{Duration, Instant};

/// The share of the last batch's time that is waited, as a divisor: while it pays, and at the most
/// reluctant.
const WILLING: u32 = 8;
const RELUCTANT: u32 = 128;
const WAIT_MAX: Duration = Duration::from_millis(1);
/// How often it is tried again whether it pays.
const TRY_EVERY: u32 = 16;

pub(super) struct Pace {
    answered: usize,
    took: Duration,
    ended: Instant,
    divisor: u32,
    batches: u32,
}

/// Wait for so many members, until then.
#[derive(Clone, Copy)]
pub(super) struct Wait {
    pub members: usize,
    pub until: Instant,
}

impl Pace {
    pub fn new() -> Self {
        let (took, ended) = (Duration::ZERO, Instant::now());
        Self { answered: 0, took, ended, divisor: WILLING, batches: 0 }
    }

    pub fn answered(&mut self, members: usize, took: Duration) {
        self.answered = members;
        self.took = took;
        self.ended = Instant::now();
        self.batches = self.batches.wrapping_add(1);
    }

    pub fn wait(&self, waiting: usize) -> Wait {
        let trying = self.batches.is_multiple_of(TRY_EVERY);
        let divisor = if trying { WILLING } else { self.divisor };
        let until = self.ended + (self.took / divisor).min(WAIT_MAX);
        Wait { members: waiting + self.answered, until }
    }

    /// `came` of those who were waited for.
    pub fn learn(&mut self, came: usize) {
        let paid = came * 2 >= self.answered;
        self.divisor = if paid { WILLING } else { (self.divisor * 2).min(RELUCTANT) };
    }
}
