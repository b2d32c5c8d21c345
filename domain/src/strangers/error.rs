//! Why a command of strangers is refused.

/// Why a command of strangers is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum StrangersError {
    #[error("there is nothing to record: a count is 1 at least")]
    Nothing,
}
