//! The rows of some streams as their events make them, without a look at a table.

mod compare;
mod events;
