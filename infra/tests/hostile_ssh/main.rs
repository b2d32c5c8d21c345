//! Servers that mean harm: every call ends with an error in its time, memory stays flat, and no
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
mod harness;
mod packet;
mod stalled;
mod wire;
