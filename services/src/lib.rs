#![doc = include_str!("../README.md")]

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
