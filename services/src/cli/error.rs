//! Why a subcommand was not carried out: one line, and an exit code.

use std::process::ExitCode;

use infra::event_store::ExecuteError;
use infra::installation::InstallationError;
use infra::keyring::{KeyringError, KeyringWentBack};
use infra::log::watermark::WentBack;

use super::terminal;
use crate::config::ConfigError;
use crate::databases::DatabasesError;
use crate::operations::owners::OwnersError;
use crate::operations::request_erasure::RequestErasureError;
use crate::wiring::WiringError;

#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The request cannot be carried out as it was given.
    #[error("{0}")]
    Input(String),
    /// Something failed on the way.
    #[error("{0}")]
    Failed(String),
    /// The log is not the one that this process knew: its next start deals with it.
    #[error(transparent)]
    WentBack(WentBack),
    /// The same of the keyring: its next start refuses it if there is a copy that knows more.
    #[error("the keyring: {0}")]
    KeyringWentBack(KeyringWentBack),
}

/// A supervisor can tell it from other failures.
const WENT_BACK: u8 = 3;

impl CliError {
    pub fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }

    pub(super) fn report(&self) -> ExitCode {
        let line = self.to_string().lines().map(str::trim).collect::<Vec<_>>().join(" | ");
        terminal::complain(&format!("lethe: {line}"));
        match self {
            Self::Input(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::FAILURE,
            Self::WentBack(_) | Self::KeyringWentBack(_) => ExitCode::from(WENT_BACK),
        }
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::Input(error.to_string())
    }
}

macro_rules! failed {
    ($($error:ty),+ $(,)?) => {$(
        impl From<$error> for CliError {
            fn from(error: $error) -> Self {
                Self::failed(error)
            }
        }
    )+};
}

failed! {
    std::io::Error,
    infra::postgres::PgError,
    infra::metrics::MetricsError,
    infra::log::ReplayError,
    infra::log::GenerationError,
}

/// What is not there may be mistyped.
impl From<DatabasesError> for CliError {
    fn from(error: DatabasesError) -> Self {
        if let DatabasesError::Installation(error) = error {
            return error.into();
        }
        if matches!(
            error,
            DatabasesError::NoData(_)
                | DatabasesError::NoDatabase { .. }
                | DatabasesError::TwoDatabases { .. }
                | DatabasesError::SharedDatabase(_)
        ) {
            Self::Input(error.to_string())
        } else {
            Self::failed(error)
        }
    }
}

/// A database may be mistyped or lost.
impl From<InstallationError> for CliError {
    fn from(error: InstallationError) -> Self {
        if error.is_refusal() { Self::Input(error.to_string()) } else { Self::failed(error) }
    }
}

impl From<WiringError> for CliError {
    fn from(error: WiringError) -> Self {
        match error {
            WiringError::Keyring(error) => error.into(),
            WiringError::Installation(error) => error.into(),
            WiringError::AnotherLog { .. } => Self::Input(error.to_string()),
            WiringError::Log(_)
            | WiringError::KeyringDatabase(_)
            | WiringError::Watermark(_)
            | WiringError::Executor(_)
            | WiringError::Mail(_) => Self::failed(error),
        }
    }
}

impl From<KeyringError> for CliError {
    fn from(error: KeyringError) -> Self {
        use KeyringError::{
            CopyMissing, CopyStatement, Forked, NoRoot, NothingToRestore, RootMissing, WentBack,
        };
        let text = format!("the keyring: {error}");
        let is_input = matches!(
            error,
            NoRoot
                | NothingToRestore(_)
                | RootMissing { .. }
                | WentBack { .. }
                | CopyMissing { .. }
                | CopyStatement(_)
                | Forked { .. }
        );
        if is_input { Self::Input(text) } else { Self::Failed(text) }
    }
}

impl From<RequestErasureError> for CliError {
    fn from(error: RequestErasureError) -> Self {
        match error {
            RequestErasureError::Execute(error) => error.into(),
            RequestErasureError::Owners(OwnersError::OwnsWorkspaces | OwnersError::OwnsTooMany) => {
                Self::Input(error.to_string())
            }
            RequestErasureError::Owners(_)
            | RequestErasureError::InProgress { .. }
            | RequestErasureError::Keyring(_)
            | RequestErasureError::Earlier(_) => Self::failed(error),
        }
    }
}

impl From<ExecuteError> for CliError {
    fn from(error: ExecuteError) -> Self {
        match error {
            ExecuteError::Refused(refused) => Self::Input(refused.to_string()),
            ExecuteError::Stale { .. }
            | ExecuteError::Reused
            | ExecuteError::Reserved { .. }
            | ExecuteError::Fenced
            | ExecuteError::Conflict
            | ExecuteError::Overloaded
            | ExecuteError::Unavailable(_)
            | ExecuteError::Load(_) => Self::failed(error),
        }
    }
}
