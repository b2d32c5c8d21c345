//! The log under everything at once: two nodes, conflicts, kills, and readers that must see it all.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may"
)]

mod commands;
mod control;
mod cqrs;
mod feed;
mod node;
mod prefix;
mod reading;
mod writing;
