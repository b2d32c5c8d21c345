//! A worker: it acts on what happened, once for each event, and is never replayed.

use crate::postgres::Transaction;
use async_trait::async_trait;
use domain::DecodeError;

use super::{Poison, Recorded};
use crate::postgres::{PgError, describe};

/// Why a worker could not react.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// It never will: the event's stream is parked.
    #[error(transparent)]
    Poison(#[from] Poison),
    /// It may the next time: the same event is handed in again, after a pause.
    #[error("{0}")]
    Unavailable(String),
}

impl From<DecodeError> for WorkerError {
    fn from(error: DecodeError) -> Self {
        match error {
            // A newer node knows it: this one does not go past it.
            DecodeError::Type | DecodeError::Version => Self::Unavailable(error.to_string()),
            DecodeError::Data(_) | DecodeError::Sealed => Self::Poison(error.into()),
        }
    }
}

impl From<tokio_postgres::Error> for WorkerError {
    fn from(error: tokio_postgres::Error) -> Self {
        if refused_as_data(&error) {
            Self::Poison(Poison::Unfit(describe(&error)))
        } else {
            Self::Unavailable(describe(&error))
        }
    }
}

impl From<PgError> for WorkerError {
    fn from(error: PgError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// Whether the database refused a value (class 22), its size (54), or found a constraint broken
/// (23): asking again would be refused again.
pub(super) fn refused_as_data(error: &tokio_postgres::Error) -> bool {
    error
        .code()
        .is_some_and(|code| ["22", "23", "54"].contains(&code.code().get(..2).unwrap_or("")))
}

/// Acts on events, in the order of the log, from the first one on. One that reads types of events that are older
/// than itself gets its checkpoint from the migration that it comes with, at the end of the log (V24 of the log
/// does so): what was done with those events long ago is not done again.
#[async_trait]
pub trait Worker: Send + Sync + 'static {
    /// The name of its checkpoint, and its label in metrics.
    fn name(&self) -> &'static str;

    /// None is all of them.
    fn event_types(&self) -> &'static [&'static str];

    /// What it writes in `tx` is committed with the reader's checkpoint, once. Anything else can
    /// happen again after a crash, so it carries the event's id in its command id or its key.
    ///
    /// # Errors
    /// Whether to park the event's stream, or to hand the event in again.
    async fn react(&self, event: &Recorded, tx: &Transaction<'_>) -> Result<(), WorkerError>;
}
