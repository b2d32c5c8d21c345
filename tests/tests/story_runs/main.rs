//! Runs on a real sshd, through HTTP: watched, failed, cancelled, tried again, never told wrong.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may"
)]

mod asking;
mod ending;
mod secrets;
mod watching;
