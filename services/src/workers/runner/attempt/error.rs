//! Why an attempt cannot continue.

use domain::run::StartCause;
use domain::server::ConnectFailure;
use infra::event_store::LoadError;
use infra::keyring::{OpenError, SealError};
use infra::log::watermark::CompareError;
use infra::postgres::PgError;
use infra::remote::RemoteError;
use infra::remote::task::TaskError;
use infra::run_log::RunLogError;

use super::super::start_failure;
use crate::operations::connect::ConnectError;
use crate::unseal::UnknownField;

#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    #[error("another node has claimed the task")]
    LeaseLost,
    #[error("the workspace has been erased")]
    Erased,
    #[error("the deletion of the workspace is requested: nothing begins there")]
    Paused,
    #[error("whoever requested the run may not start runs in the workspace any more")]
    RequesterNotAllowed,
    #[error("the server is not reached, or its answer is not valid")]
    Server(StartCause),
    #[error("the server was removed from its workspace")]
    ServerDeleted,
    #[error("nothing is left of the attempt")]
    NothingLeft,
    /// Lethe's own database or keyring failed: this says nothing about the server.
    #[error("{0}")]
    Internal(String),
}

impl AttemptError {
    pub fn internal(error: &dyn std::error::Error) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<CompareError> for AttemptError {
    fn from(error: CompareError) -> Self {
        Self::internal(&error)
    }
}

impl From<RemoteError> for AttemptError {
    fn from(error: RemoteError) -> Self {
        Self::Server(StartCause::Connect(error.cause()))
    }
}

impl From<TaskError> for AttemptError {
    fn from(error: TaskError) -> Self {
        match error {
            TaskError::Remote(error) => error.into(),
            TaskError::Launch(_)
            | TaskError::Unsupported(_)
            | TaskError::Missing
            | TaskError::NotProven
            | TaskError::Running
            | TaskError::Answer => Self::Server(StartCause::Connect(ConnectFailure::Command)),
        }
    }
}

impl From<ConnectError> for AttemptError {
    fn from(error: ConnectError) -> Self {
        start_failure::of(&error).map_or_else(|| Self::internal(&error), Self::Server)
    }
}

impl From<RunLogError> for AttemptError {
    fn from(error: RunLogError) -> Self {
        let erased = matches!(
            error,
            RunLogError::Seal(SealError::Erased(_)) | RunLogError::Open(OpenError::Erased)
        );
        if erased {
            Self::Erased
        } else if matches!(error, RunLogError::Fenced) {
            Self::LeaseLost
        } else {
            Self::internal(&error)
        }
    }
}

macro_rules! internal {
    ($($error:ty)*) => {$(
        impl From<$error> for AttemptError {
            fn from(error: $error) -> Self {
                Self::internal(&error)
            }
        }
    )*};
}

internal!(PgError LoadError UnknownField);
