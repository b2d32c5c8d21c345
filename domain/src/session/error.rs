//! Why a command to a session is refused.

/// Why a command to a session is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum SessionError {
    #[error("there is no session with this id: sign in")]
    Unknown,
    #[error("this session has been closed: sign in again")]
    Closed,
    #[error("a session with this id was opened already: sign in with a new id")]
    AlreadyExists,
}
