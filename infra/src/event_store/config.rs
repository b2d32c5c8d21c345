//! What an executor is started with, and why it is not.

use domain::account::AccountEvent;
use domain::check_upcasters;
use domain::operator::OperatorEvent;
use domain::run::RunEvent;
use domain::seat::SeatEvent;
use domain::server::ServerEvent;
use domain::session::SessionEvent;
use domain::workspace::WorkspaceEvent;

use super::LoadError;
use crate::log::FeedError;
use crate::postgres::ConnectOptions;

#[derive(Clone, Debug)]
pub struct ExecutorConfig {
    /// How the appending connection is made.
    pub connect: ConnectOptions,
    /// Appends in one batch.
    pub appends_max: usize,
    /// Appends that may wait; more are refused as overloaded.
    pub waiting_max: usize,
    /// States kept in memory.
    pub states_max: usize,
    pub snapshot_events: i64,
    pub partition_events: i64,
}

impl Default for ExecutorConfig {
    fn default() -> Self {
        Self {
            connect: ConnectOptions { application: "lethe append", ..ConnectOptions::app() },
            appends_max: 256,
            waiting_max: 4096,
            states_max: 65_536,
            snapshot_events: 100,
            partition_events: 100_000_000,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{event_type} has no step up from version {version}")]
    Upcaster { event_type: &'static str, version: i16 },
    #[error("the appending connection: {0}")]
    Append(String),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Feed(#[from] FeedError),
}

/// Every event that may stand in the log can be lifted to its shape of today.
pub(super) fn check_all() -> Result<(), StartError> {
    check::<AccountEvent>()?;
    check::<SessionEvent>()?;
    check::<OperatorEvent>()?;
    check::<WorkspaceEvent>()?;
    check::<ServerEvent>()?;
    check::<RunEvent>()?;
    check::<SeatEvent>()?;
    Ok(())
}

pub(super) fn check<E: domain::Event>() -> Result<(), StartError> {
    let checked = check_upcasters::<E>();
    checked.map_err(|(event_type, version)| StartError::Upcaster { event_type, version })
}
