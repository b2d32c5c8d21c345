//! Why a command to an operator's token is refused.

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperatorError {
    #[error("there is no such token")]
    Unknown,
    #[error("this token was issued already")]
    AlreadyExists,
    #[error("this token has been revoked")]
    Revoked,
}
