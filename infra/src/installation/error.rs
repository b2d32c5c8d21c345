//! Why a log is not served with a keyring.

use super::InstallationId;
use crate::postgres::PgError;

/// Why a log and a keyring are not used together. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum InstallationError {
    #[error(
        "the keyring is lost, or keyring_url is mistyped: {log} has the events of installation {installation}, \
         and {keyring} has no keys. Correct keyring_url; or run `lethe restore --keyring`, which takes the \
         keys of the keyring's copy, or restore its database"
    )]
    KeyringLost { log: String, installation: InstallationId, keyring: String },
    #[error(
        "{log} is the log of installation {installation}, and {keyring} is the keyring of {other}: correct \
         database_url or keyring_url"
    )]
    OtherKeyring {
        log: String,
        installation: InstallationId,
        keyring: String,
        other: InstallationId,
    },
    #[error(
        "the events are lost, or database_url is mistyped: {log} has none, and {keyring} is the keyring of a \
         log that has. Correct database_url; or run `lethe restore FOLDER` with a backup of the events. Where \
         there is none, begin with two new databases"
    )]
    LogLost { log: String, keyring: String },
    #[error(
        "{log} has events, and {keyring} has none of the keys that they are sealed under: correct database_url \
         or keyring_url; or, if the keyring is lost, run `lethe restore --keyring`, or restore its database"
    )]
    Unrelated { log: String, keyring: String },
    #[error("{keyring} has lost the row of keyring.copy: restore the keyring's database")]
    NoId { keyring: String },
    #[error("the events' database: {0}")]
    Log(PgError),
    #[error("the keyring's database: {0}")]
    Keyring(PgError),
}

impl InstallationError {
    /// Whether both databases were looked at.
    pub const fn is_refusal(&self) -> bool {
        !matches!(self, Self::Log(_) | Self::Keyring(_))
    }
}
