//! Why a password was not hashed, checked or stored.

use crate::postgres::PgError;

/// A password was not hashed, checked or stored.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// 32 callers for each core wait in the queue already.
    #[error("too many passwords are being checked: try again in a moment")]
    Overloaded,
    /// Argon2 refused its input, or the stored text is not a PHC string.
    #[error("a password could not be hashed")]
    Hashing,
    /// The database refused or did not answer.
    #[error(transparent)]
    Unavailable(#[from] PgError),
}
