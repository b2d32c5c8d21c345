//! Requests with an `Idempotency-Key` that this node is serving: the same one is refused meanwhile.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

/// What is being served.
#[derive(Clone, Default)]
pub struct InFlight(Arc<Mutex<HashSet<Uuid>>>);

/// A request that is being served, until this is dropped.
pub struct Serving {
    id: Uuid,
    all: InFlight,
}

impl InFlight {
    /// `None`: it is being served already.
    pub fn begin(&self, id: Uuid) -> Option<Serving> {
        self.lock().insert(id).then(|| Serving { id, all: self.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.all.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_served_once_at_a_time() {
        let (in_flight, [one, two]) = (InFlight::default(), [1, 2].map(Uuid::from_u128));
        let first = in_flight.begin(one);
        assert!(first.is_some() && in_flight.begin(two).is_some());
        assert!(in_flight.begin(one).is_none());
        drop(first);
        assert!(in_flight.begin(one).is_some());
    }
}
