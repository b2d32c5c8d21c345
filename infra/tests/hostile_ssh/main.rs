//! Hostile servers: every call ends with an error within its time limit, memory does not grow, and no
//! task and no socket is left.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may, and says what it counted"
)]

mod after;
mod before;
mod controls;
mod forged;
mod harness;
mod packet;
mod stalled;
mod wire;
