//! Why a stage of an erasure failed: it is tried again.

use infra::credentials::CredentialsError;
use infra::event_store::{ExecuteError, LoadError};
use infra::keyring::KeyringError;
use infra::log::WorkerError;
use infra::postgres::PgError;

use crate::operations::delete_mails::DeleteMailsError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum EraserError {
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error("the log could not be written: {0}")]
    Log(#[from] ExecuteError),
    #[error("the log could not be read: {0}")]
    Load(#[from] LoadError),
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Postgres(#[from] PgError),
    #[error(transparent)]
    Mails(#[from] DeleteMailsError),
}

impl From<EraserError> for WorkerError {
    fn from(error: EraserError) -> Self {
        match error {
            EraserError::Log(error) => error.into(),
            EraserError::Load(error) => error.into(),
            EraserError::Keyring(_)
            | EraserError::Credentials(_)
            | EraserError::Postgres(_)
            | EraserError::Mails(_) => Self::Unavailable(error.to_string()),
        }
    }
}

impl EraserError {
    /// Whether it is about one stream; everything else can go on.
    pub(crate) const fn is_of_one_stream(&self) -> bool {
        match self {
            Self::Log(error) => error.is_of_stream(),
            Self::Load(error) => error.is_of_stream(),
            Self::Keyring(_) | Self::Credentials(_) | Self::Postgres(_) | Self::Mails(_) => false,
        }
    }
}
