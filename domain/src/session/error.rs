//! Why a command to a session is refused.

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    #[error("there is no such session")]
    Unknown,
    #[error("this session was opened already")]
    AlreadyExists,
}
