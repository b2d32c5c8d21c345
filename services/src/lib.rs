//! The programme `lethe`: its routes, duties and words.

pub mod config;
pub mod databases;
pub mod wiring;
