//! Why a generation was not changed or compared.

use std::time::{Duration, Instant};

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::GenerationState;
use crate::log::FeedError;
use crate::postgres::{PgError, PoolError};

/// How long a change is tried that somebody else holds up.
const TRY_FOR: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(250);

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
    /// Asked for where two versions of the programme serve, or in words that this one does not know.
    #[error("it was asked of another version of the programme: send it to a node of that one")]
    OtherVersion,
    /// Its table was changed, and the version was not raised.
    #[error(
        "generation {generation} has other columns than the live one: raise the projection's VERSION"
    )]
    OtherColumns { generation: i32 },
    #[error("the view or the checkpoint was in use all the time")]
    Busy,
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error(transparent)]
    Postgres(#[from] PgError),
}

impl From<Error> for GenerationError {
    fn from(error: Error) -> Self {
        Self::Postgres(error.into())
    }
}

impl From<PoolError> for GenerationError {
    fn from(error: PoolError) -> Self {
        Self::Postgres(error.into())
    }
}

/// Why one try has changed nothing.
pub(super) enum Refused {
    /// Somebody held a table, the view or the checkpoint for longer than one waits for its lock.
    Busy,
    Error(GenerationError),
}

impl From<GenerationError> for Refused {
    fn from(error: GenerationError) -> Self {
        Self::Error(error)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        if is_busy(&error) { Self::Busy } else { Self::Error(error.into()) }
    }
}

/// Whether a lock was not to be had in time.
pub(in crate::log) fn is_busy(error: &Error) -> bool {
    matches!(error.code(), Some(&SqlState::LOCK_NOT_AVAILABLE | &SqlState::T_R_DEADLOCK_DETECTED))
}

/// Tries again for a while where somebody holds it up: a try waits for a lock so shortly that nobody waits long behind it.
pub(super) async fn retried<T, F>(attempt: impl FnMut() -> F) -> Result<T, GenerationError>
where
    F: Future<Output = Result<T, Refused>>,
{
    retried_for(TRY_FOR, attempt).await
}

async fn retried_for<T, F>(
    length: Duration,
    mut attempt: impl FnMut() -> F,
) -> Result<T, GenerationError>
where
    F: Future<Output = Result<T, Refused>>,
{
    let started = Instant::now();
    loop {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(Refused::Error(error)) => return Err(error),
            Err(Refused::Busy) if started.elapsed() >= length => {
                return Err(GenerationError::Busy);
            }
            Err(Refused::Busy) => tokio::time::sleep(PAUSE).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_somebody_holds_up_is_tried_again_until_its_time_is_over() {
        let mut tries = 0;
        let done = retried_for(TRY_FOR, || {
            tries += 1;
            let is_first = tries == 1;
            async move { if is_first { Err(Refused::Busy) } else { Ok(()) } }
        });
        done.await.unwrap();
        assert_eq!(tries, 2);

        let never = retried_for::<(), _>(Duration::ZERO, || async { Err(Refused::Busy) }).await;
        assert!(matches!(never, Err(GenerationError::Busy)), "{never:?}");
    }
}
