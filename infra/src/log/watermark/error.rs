//! How the log differs from what was known of it.

use crate::postgres::PgError;

/// Why this node stops: the log is not the one that it knew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum WentBack {
    #[error(
        "the log went back: it ends at position {head}, and position {known} was known. The database \
         was restored, or failed over without its last events: this node serves nothing until its next \
         start has dealt with it"
    )]
    Behind { known: i64, head: i64 },
    #[error(
        "the log is another one: at position {known} stands another event than was known, and it ends \
         at position {head}. The database was restored, or failed over without its last events: this \
         node serves nothing until its next start has dealt with it"
    )]
    Other { known: i64, head: i64 },
    #[error(
        "another node has found that the log went back: this node serves nothing until a start has \
         dealt with it"
    )]
    Noticed,
    #[error(
        "the log went back, and another node has dealt with it meanwhile: what this node knows of the \
         log is over, and it has to be started again"
    )]
    DealtWith,
}

/// Why the log was not found to be the one that is known.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum CompareError {
    #[error(transparent)]
    WentBack(#[from] WentBack),
    /// It could not look: the log may be as it was.
    #[error(transparent)]
    Postgres(#[from] PgError),
    #[error("this server is a standby, which may be behind: the log is not read from it")]
    Standby,
    #[error("the log has a hole: position {at} is missing")]
    Hole { at: i64 },
}

impl From<CompareError> for PgError {
    fn from(error: CompareError) -> Self {
        match error {
            CompareError::Postgres(error) => error,
            error @ (CompareError::WentBack(_)
            | CompareError::Standby
            | CompareError::Hole { .. }) => Self::Database(error.to_string()),
        }
    }
}
