//! Seats, through HTTP: leased, renewed, taken over, given back, and never one too many.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may"
)]

mod house;
mod leasing;
mod limits;
mod others;
