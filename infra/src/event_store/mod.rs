//! Commands become events: load, decide, seal, append.

mod append;
mod attempt;
mod batcher;
mod cache;
mod config;
mod cqrs;
mod draft;
mod executor;
mod link;
mod pace;
mod queue;
mod recall;
mod request;
mod room;
mod snapshot;
mod step;
mod streams;
#[cfg(test)]
mod tests;

pub use config::{ExecutorConfig, StartError};
pub use cqrs::{CqrsContext, CqrsStore};
pub use executor::Executor;
pub use request::{ExecuteError, LoadError, Loaded, Receipt, Request, ReservationChange};
pub use step::{Step, Stored};
