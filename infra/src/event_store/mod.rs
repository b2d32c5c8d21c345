//! Commands become events: load, decide, seal, append.

mod append;
mod batcher;
mod cache;
mod draft;
mod executor;
mod link;
mod recall;
mod request;
mod room;
mod snapshot;
mod step;
mod streams;

pub use executor::{Executor, ExecutorConfig, StartError};
pub use request::{Claim, ExecuteError, LoadError, Loaded, Receipt, Request};
pub use step::{Step, Stored};
