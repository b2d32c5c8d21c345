//! How many streams of logs an account may have open on one node.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::AccountId;

const STREAMS_MAX: u32 = 10;

/// How many streams each account has open on this node.
#[derive(Clone, Default)]
pub struct StreamSlots(Arc<Mutex<HashMap<AccountId, u32>>>);

/// One open stream. When it is dropped, there is one less.
pub struct StreamSlot {
    slots: StreamSlots,
    account: AccountId,
}

impl StreamSlots {
    /// `None`: the account has as many streams open as it may.
    pub fn open(&self, account: AccountId) -> Option<StreamSlot> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(account).or_default();
        if *count >= STREAMS_MAX {
            return None;
        }
        *count += 1;
        Some(StreamSlot { slots: self.clone(), account })
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        let mut counts = self.slots.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.account) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.account);
            }
        }
    }
}
