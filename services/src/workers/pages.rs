//! The pages of a list that a sweep works through.

use std::fmt::Display;

use uuid::Uuid;

pub(super) const AT_ONCE: i64 = 256;

/// One item that fails is logged and passed over: it neither ends the sweep nor hides the items after it.
pub(super) struct Pages {
    sweep: &'static str,
    /// How many items at the head of the list are not handed out again.
    pub(super) skip: i64,
    failed: u64,
}

impl Pages {
    pub(super) const fn of(sweep: &'static str) -> Self {
        Self { sweep, skip: 0, failed: 0 }
    }

    /// For an item that leaves the list once it is done.
    pub(super) fn leaves<E: Display>(&mut self, id: Uuid, result: Result<(), E>) {
        if self.log(id, result) {
            self.skip += 1;
        }
    }

    /// For an item that leaves the list if the answer is true.
    pub(super) fn leaves_if<E: Display>(&mut self, id: Uuid, result: Result<bool, E>) {
        match result {
            Ok(true) => {}
            Ok(false) => self.skip += 1,
            Err(error) => self.leaves(id, Err(error)),
        }
    }

    /// For an item that stays in the list for a while.
    pub(super) fn stays<E: Display>(&mut self, id: Uuid, result: Result<(), E>) {
        self.log(id, result);
        self.skip += 1;
    }

    fn log<E: Display>(&mut self, id: Uuid, result: Result<(), E>) -> bool {
        let Err(error) = result else { return false };
        self.failed += 1;
        tracing::warn!(sweep = self.sweep, %id, %error, "one item of a sweep failed: the next sweep tries it again");
        true
    }

    /// Whether a page of so many items is the last one.
    pub(super) fn is_last(&self, items: usize) -> bool {
        let is_last = i64::try_from(items).is_ok_and(|items| items < AT_ONCE);
        if is_last && self.failed > 0 {
            tracing::error!(sweep = self.sweep, failed = self.failed, "items of a sweep failed");
        }
        is_last
    }
}
