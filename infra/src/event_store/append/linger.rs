//! The batch delay (linger): how long a batch waits for the callers of the previous batch, who often
//! send their next append at once.
//!
//! Without it, waiting callers fall into two groups that alternate, each in batches of half the size.

use std::time::{Duration, Instant};

/// The wait is the last batch's time divided by this: `DIVISOR_MIN` while callers come back in that
/// time, up to `DIVISOR_MAX` while they do not.
const DIVISOR_MIN: u32 = 8;
const DIVISOR_MAX: u32 = 128;
const WAIT_MAX: Duration = Duration::from_millis(1);
/// After this many batches the longest wait is tried again.
const TRY_EVERY: u32 = 16;

pub struct Linger {
    answered: usize,
    took: Duration,
    ended: Instant,
    divisor: u32,
    batches: u32,
}

/// Wait until the batch has this many members, or until this time.
#[derive(Clone, Copy)]
pub struct WaitFor {
    pub members: usize,
    pub until: Instant,
}

impl Linger {
    pub fn new() -> Self {
        let (took, ended) = (Duration::ZERO, Instant::now());
        Self { answered: 0, took, ended, divisor: DIVISOR_MIN, batches: 0 }
    }

    /// Records that a batch of this many members was answered now.
    pub fn answered(&mut self, members: usize, took: Duration) {
        self.answered = members;
        self.took = took;
        self.ended = Instant::now();
        self.batches = self.batches.wrapping_add(1);
    }

    /// The wait of a batch that already has `members`.
    pub fn wait_for(&self, members: usize) -> WaitFor {
        let trying = self.batches.is_multiple_of(TRY_EVERY);
        let divisor = if trying { DIVISOR_MIN } else { self.divisor };
        let until = self.ended + (self.took / divisor).min(WAIT_MAX);
        // The only caller who was answered is back: nobody else is waited for.
        let is_alone = self.answered <= 1 && members <= 1;
        WaitFor { members: if is_alone { members } else { members + self.answered }, until }
    }

    /// Records how many members came during the wait.
    pub fn adapt(&mut self, came: usize) {
        let paid = came * 2 >= self.answered;
        self.divisor = if paid { DIVISOR_MIN } else { (self.divisor * 2).min(DIVISOR_MAX) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_halved_while_few_come_back_and_whole_again_when_half_of_them_do() {
        let mut linger = Linger::new();
        linger.answered(4, Duration::from_millis(4));
        let wait = |linger: &Linger| linger.wait_for(1).until.duration_since(linger.ended);
        assert_eq!(linger.wait_for(1).members, 5);
        assert_eq!(wait(&linger), Duration::from_micros(500));

        linger.adapt(1);
        assert_eq!(wait(&linger), Duration::from_micros(250));
        linger.adapt(2);
        assert_eq!(wait(&linger), Duration::from_micros(500));
    }

    #[test]
    fn a_caller_who_is_alone_waits_for_nobody() {
        let mut linger = Linger::new();
        linger.answered(1, Duration::from_millis(4));
        assert_eq!(linger.wait_for(1).members, 1);
        assert_eq!(linger.wait_for(2).members, 3, "a second caller has come");
        linger.answered(2, Duration::from_millis(4));
        assert_eq!(linger.wait_for(1).members, 3, "the other may come back");
    }

    #[test]
    fn the_wait_is_a_millisecond_at_most_and_the_longest_one_is_tried_again() {
        let mut linger = Linger::new();
        for batch in 1..=TRY_EVERY {
            linger.answered(4, Duration::from_millis(64));
            linger.adapt(0);
            let wait = linger.wait_for(1).until.duration_since(linger.ended);
            let short = Duration::from_micros(500);
            let shortest = (4..TRY_EVERY).contains(&batch);
            assert_eq!(wait, if shortest { short } else { WAIT_MAX }, "batch {batch}");
        }
    }
}
