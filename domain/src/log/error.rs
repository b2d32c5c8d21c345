//! Why a command to the log itself is refused.

/// Why a command to the log itself is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum LogError {
    #[error("this restore is recorded already: the next one has the next number")]
    AlreadyRecorded,
}
