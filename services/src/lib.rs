#![doc = include_str!("../README.md")]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test may"
    )
)]

pub mod api;
pub mod cli;
pub mod config;
pub mod databases;
mod gauges;
pub mod logging;
pub mod metrics;
pub mod operations;
pub mod unseal;
pub mod wiring;
pub mod workers;
