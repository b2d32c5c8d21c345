//! The rows of some streams as their events make them, at every position.
