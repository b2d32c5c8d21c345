//! Events are appended: drafted, queued, gathered into batches, and written on one connection.

pub mod batch;
pub(super) mod batcher;
mod connection;
pub(super) mod draft;
mod linger;
pub(super) mod lookup;
pub(super) mod outcome;
pub(super) mod partitions;
mod probe;
pub(super) mod queue;
pub(super) mod rows;
pub(super) mod writes;
