//! Why a command was not executed.

use domain::Refused;

use super::load::state::LoadError;
use crate::keyring::SealError;
use crate::log::{Poison, WorkerError};

/// Why a command was not executed. Only after `Unavailable` this call may have executed it, or found
/// that an earlier call did and could not read its events: send the same command id again to find
/// out. After `Load` this call has executed nothing; an earlier call with the same command id may
/// have.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// The aggregate refused, on its newest state.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A step expects another version of its stream: load it again.
    #[error("the stream is at version {version}, not at the version that was expected")]
    Stale {
        /// The current version of the stream.
        version: i64,
    },
    /// The command id was used before with another request.
    #[error("this command id was used before, with another request: use a new one")]
    Reused,
    /// Another owner has a reservation that the request takes.
    #[error("this {kind} is taken: another owner has it")]
    Reserved {
        /// The kind of that reservation.
        kind: String,
    },
    /// One of the subjects is erased: only closing events are still appended.
    #[error("the person or workspace that this is about has been erased")]
    Fenced,
    /// Other commands changed the same streams during each of 33 attempts, the first one included.
    #[error("others keep changing the same streams: try again later")]
    Conflict,
    /// More appends wait than `ExecutorConfig::waiting_max`.
    #[error("too many appends are waiting: try again later")]
    Overloaded,
    /// The database or the keyring cannot be reached, or this node is stopping.
    #[error("not available: {0}")]
    Unavailable(String),
    /// A stream cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl ExecuteError {
    /// Whether this call may have executed the command all the same.
    pub const fn may_have_appended(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// Whether it is about the streams of this command: a command on others may be executed.
    pub const fn is_of_stream(&self) -> bool {
        match self {
            Self::Refused(_)
            | Self::Stale { .. }
            | Self::Reused
            | Self::Reserved { .. }
            | Self::Fenced
            | Self::Conflict => true,
            Self::Load(error) => error.is_of_stream(),
            Self::Overloaded | Self::Unavailable(_) => false,
        }
    }
}

/// What a worker makes of a stream that it has to load: only what may be otherwise the next time is
/// tried again.
impl From<LoadError> for WorkerError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Postgres(error) => error.into(),
            LoadError::Undecodable { reason, .. } => reason.into(),
            error @ (LoadError::Missing { .. } | LoadError::WrongType { .. }) => {
                Poison::Unfit(error.to_string()).into()
            }
        }
    }
}

impl From<ExecuteError> for WorkerError {
    fn from(error: ExecuteError) -> Self {
        match error {
            ExecuteError::Load(error) => error.into(),
            ExecuteError::Conflict | ExecuteError::Overloaded | ExecuteError::Unavailable(_) => {
                Self::Unavailable(error.to_string())
            }
            ExecuteError::Refused(_)
            | ExecuteError::Stale { .. }
            | ExecuteError::Reused
            | ExecuteError::Reserved { .. }
            | ExecuteError::Fenced => Poison::Unfit(error.to_string()).into(),
        }
    }
}

impl From<SealError> for ExecuteError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Erased(_) => Self::Fenced,
            error @ (SealError::Expired | SealError::Unavailable(_)) => {
                Self::Unavailable(error.to_string())
            }
        }
    }
}
