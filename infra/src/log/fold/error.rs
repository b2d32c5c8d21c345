//! Why rows were not made from events.

use crate::log::FeedError;
use crate::postgres::{PgError, PoolError};

/// Why rows were not made from events. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum FoldError {
    #[error("a worker has no rows")]
    Worker,
    /// As those of the audit trail.
    #[error("each of its rows is one event, and no stream's")]
    EachEvent,
    #[error("nobody has read the log for this projection yet")]
    NotFollowed,
    #[error("there is no such stream")]
    NoStream,
    #[error("the log ends at {head}")]
    Beyond { head: i64 },
    #[error(
        "the event at position {position} ({event_type}, version {version}) is not known to this version of \
         Lethe: ask a newer node"
    )]
    Unknown { position: i64, event_type: String, version: i16 },
    /// The projection is wrong: a row comes from one stream.
    #[error("two streams have made the row of {key}")]
    TwoStreams { key: String },
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error(transparent)]
    Postgres(#[from] PgError),
}

impl From<tokio_postgres::Error> for FoldError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error.into())
    }
}

impl From<PoolError> for FoldError {
    fn from(error: PoolError) -> Self {
        Self::Postgres(error.into())
    }
}
