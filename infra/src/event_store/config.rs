//! The options of an executor, and why it was not started.

use std::time::Duration;

use domain::account::AccountEvent;
use domain::check_upcasters;
use domain::log::LogEvent;
use domain::operator::OperatorEvent;
use domain::run::RunEvent;
use domain::seat::SeatEvent;
use domain::server::ServerEvent;
use domain::session::SessionEvent;
use domain::strangers::StrangersEvent;
use domain::workspace::WorkspaceEvent;

use super::load::state::LoadError;
use crate::log::FeedError;
use crate::log::watermark::Watermark;
use crate::postgres::ConnectOptions;

/// The limits of an executor.
#[derive(Clone, Debug)]
pub struct ExecutorConfig {
    /// How the appending connection is opened.
    pub connect: ConnectOptions,
    /// Appends in one batch, at most.
    pub appends_max: usize,
    /// Appends that wait for a batch, at most; the next one is refused as `Overloaded`.
    pub waiting_max: usize,
    /// The approximate number of states in memory.
    pub states_max: usize,
    /// A snapshot is written after a load that has read this many events, or more, besides the last one.
    pub snapshot_events: i64,
    /// The number of positions in one partition of the log.
    pub partition_events: i64,
    /// The newest event that this node knows. The log is compared with it, and nothing is appended once
    /// it went back.
    pub watermark: Watermark,
    /// After so long without an append the server is asked whether it would take one.
    pub ask_every: Duration,
}

impl Default for ExecutorConfig {
    fn default() -> Self {
        Self {
            connect: ConnectOptions { application: "lethe append", ..ConnectOptions::app() },
            appends_max: 256,
            waiting_max: 4096,
            states_max: 65_536,
            snapshot_events: 25,
            partition_events: 100_000_000,
            watermark: Watermark::default(),
            ask_every: Duration::from_secs(30),
        }
    }
}

/// Why an executor was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Events of this version could not be read: this version of Lethe lacks a step.
    #[error("{event_type} has no upcaster from version {version} to the next")]
    Upcaster {
        /// The event's type.
        event_type: &'static str,
        /// The version that the missing upcaster starts from.
        version: i16,
    },
    /// The appending connection cannot be opened.
    #[error("the appending connection cannot be opened: {0}")]
    Append(String),
    /// The database cannot be reached, or the partition not be created.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The log's last position cannot be read.
    #[error(transparent)]
    Feed(#[from] FeedError),
}

/// Checks that every event of the log can be converted to its newest version.
pub(super) fn check_all() -> Result<(), StartError> {
    check::<AccountEvent>()?;
    check::<SessionEvent>()?;
    check::<StrangersEvent>()?;
    check::<LogEvent>()?;
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
