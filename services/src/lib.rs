//! The programme `lethe`: its routes, duties and words.

pub mod api;
pub mod cli;
pub mod config;
pub mod databases;
pub mod duties;
mod gauges;
pub mod logging;
pub mod metrics;
pub mod reach;
mod reaping;
pub mod wiring;
