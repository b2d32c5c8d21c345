#![doc = include_str!("../README.md")]
// Futures of requests are nested deeper than the usual 128 types.
#![recursion_limit = "256"]

pub mod api;
pub mod cli;
pub mod config;
pub mod databases;
pub mod gauges;
mod installation;
pub mod logging;
pub mod metrics;
pub mod operations;
pub mod panicked;
mod readiness;
mod stuck_erasures;
pub mod unseal;
pub mod wiring;
pub mod workers;
