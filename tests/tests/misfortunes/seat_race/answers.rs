//! What the clients were answered, and how many held a seat at once as far as they could know.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

/// A seat that somebody was given.
#[derive(Clone, Debug)]
pub struct Won {
    pub lease: String,
    pub fence: u64,
    pub answered: DateTime<Utc>,
    /// When they began to give it back, or it was over.
    pub until: DateTime<Utc>,
}

/// The most that were held at one time.
pub fn most_at_once(won: &[Won]) -> usize {
    let begins = won.iter().map(|won| (won.answered, 1));
    let ends = won.iter().map(|won| (won.until.max(won.answered), 0));
    let mut moments: Vec<_> = begins.chain(ends).collect();
    // What ends comes before what begins in the same microsecond.
    moments.sort_unstable();
    let mut held = 0_usize;
    let counts = moments.into_iter().map(|(_, begins)| {
        held = if begins == 1 { held + 1 } else { held.saturating_sub(1) };
        held
    });
    counts.max().unwrap_or_default()
}

/// Nobody was given what another was given.
pub fn by_lease(won: &[Won]) -> BTreeMap<String, u64> {
    let leases: BTreeMap<_, _> = won.iter().map(|won| (won.lease.clone(), won.fence)).collect();
    assert_eq!(leases.len(), won.len(), "a lease was given twice");
    leases
}
