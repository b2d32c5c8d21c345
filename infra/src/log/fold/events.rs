//! The events of some streams, each up to a position of its own.
