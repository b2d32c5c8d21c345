//! Loads the state of a stream: from the cache, or from its snapshot and the later events.

pub(super) mod cache;
pub(super) mod snapshot;
pub(super) mod state;
pub(super) mod streams;
