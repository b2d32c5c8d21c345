//! Why a generation was not changed or compared.

use super::GenerationState;
use crate::log::FeedError;
use crate::postgres::{PgError, PoolError};

/// Why a generation was not changed or compared. The view shows what it did.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum GenerationError {
    #[error("a worker acts once, and has no generations")]
    Worker,
    #[error("there is no such generation")]
    NotFound,
    #[error("generation {generation} is {}: {needed}", .state.as_str())]
    State { generation: i32, state: GenerationState, needed: &'static str },
    #[error("no generation is kept")]
    NothingKept,
    /// Its table was changed, and the version was not raised.
    #[error(
        "generation {generation} has other columns than the live one: raise the projection's VERSION"
    )]
    OtherColumns { generation: i32 },
    #[error("the table or the checkpoint was in use all the time")]
    Busy,
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error(transparent)]
    Postgres(#[from] PgError),
}

impl From<tokio_postgres::Error> for GenerationError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error.into())
    }
}

impl From<PoolError> for GenerationError {
    fn from(error: PoolError) -> Self {
        Self::Postgres(error.into())
    }
}
