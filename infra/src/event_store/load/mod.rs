//! A stream becomes a state: from the cache, or from its snapshot and the events after it.

pub(super) mod cache;
pub(super) mod snapshot;
pub(super) mod state;
pub(super) mod streams;
