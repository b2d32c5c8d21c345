//! Why a command to an operator's token is refused.

use super::Scope;

/// Why a command to an operator's token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum OperatorError {
    #[error("there is no operator's token with this id: `lethe token list` shows the ids")]
    Unknown,
    #[error("a token with this id was issued already: issue one with a new id")]
    AlreadyExists,
    #[error("this token has been revoked: issue a new one")]
    Revoked,
    #[error("this token has expired: issue a new one")]
    Expired,
    #[error("this needs an operator's token with the scope {}", .0.needed())]
    NeedsScope(Scope),
}
