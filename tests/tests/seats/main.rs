//! 64 people race for 5 seats on two nodes, of which one is killed: never one too many, none lost.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may"
)]

mod answers;
mod nodes;
mod race;
mod told;
