//! Commands become events: load, decide, seal, append.

mod append;
mod config;
mod cqrs;
mod decide;
mod error;
mod executor;
mod guard;
mod load;
mod receipt;
mod request;
mod step;
#[cfg(test)]
mod tests;

pub use config::{ExecutorConfig, StartError};
pub use cqrs::{CqrsContext, CqrsStore};
pub use error::ExecuteError;
pub use executor::Executor;
pub use guard::{Guard, GuardedStream};
pub use load::snapshot::SNAPSHOTS_OF_WORKSPACE;
pub use load::state::{LoadError, Loaded, Stored, Until};
pub use receipt::{AppendedEvent, Receipt};
pub use request::{Request, ReservationChange};
pub use step::Step;
