//! Why an attempt does not go on.

use domain::run::StartFailure;
use domain::server::ConnectFailure;
use infra::event_store::LoadError;
use infra::keyring::{OpenError, SealError};
use infra::postgres::PgError;
use infra::remote::RemoteError;
use infra::remote::task::TaskError;
use infra::run_log::RunLogError;

use super::super::start_failure;
use crate::reach::Unreached;

#[derive(Debug, thiserror::Error)]
pub(in crate::workers::runner) enum Halt {
    #[error("another node has the task")]
    Gone,
    #[error("the workspace has been erased")]
    Erased,
    #[error("the server is not reached, or does not answer as it should")]
    Server(StartFailure),
    /// Nothing is known of the server: something of our own is not there.
    #[error("{0}")]
    Ours(String),
}

impl Halt {
    pub fn ours(error: &dyn std::error::Error) -> Self {
        Self::Ours(error.to_string())
    }
}

impl From<RemoteError> for Halt {
    fn from(error: RemoteError) -> Self {
        Self::Server(StartFailure::Connect(error.cause()))
    }
}

impl From<TaskError> for Halt {
    fn from(error: TaskError) -> Self {
        match error {
            TaskError::Remote(error) => error.into(),
            TaskError::Launch(_)
            | TaskError::Unsupported(_)
            | TaskError::Missing
            | TaskError::NotProven
            | TaskError::Running
            | TaskError::Answer => Self::Server(StartFailure::Connect(ConnectFailure::Command)),
        }
    }
}

impl From<Unreached> for Halt {
    fn from(unreached: Unreached) -> Self {
        start_failure::of(&unreached).map_or_else(|| Self::ours(&unreached), Self::Server)
    }
}

impl From<RunLogError> for Halt {
    fn from(error: RunLogError) -> Self {
        let erased = matches!(
            error,
            RunLogError::Seal(SealError::Erased(_)) | RunLogError::Open(OpenError::Erased)
        );
        if erased {
            Self::Erased
        } else if matches!(error, RunLogError::Fenced) {
            Self::Gone
        } else {
            Self::ours(&error)
        }
    }
}

macro_rules! ours {
    ($($error:ty)*) => {$(
        impl From<$error> for Halt {
            fn from(error: $error) -> Self {
                Self::ours(&error)
            }
        }
    )*};
}

ours!(PgError LoadError);
