//! Errors of a log. No text holds a byte of the log.

use crate::keyring::{OpenError, SealError};
use crate::postgres::PgError;

/// A log was not written or not read.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum RunLogError {
    #[error(transparent)]
    Database(#[from] PgError),
    #[error("a chunk was not sealed: {0}")]
    Seal(#[from] SealError),
    #[error("a chunk was not opened: {0}")]
    Open(#[from] OpenError),
    #[error("another node has taken this task")]
    Fenced,
    #[error(
        "output from byte {from} on was handed in, but the log ends at byte {until}: hand in what is between"
    )]
    Skipped { from: u64, until: u64 },
    #[error("the log has a gap before chunk {seq}")]
    Gap { seq: u64 },
    #[error("chunk {seq} of the log is damaged: its content does not match its row")]
    Damaged { seq: u64 },
    #[error("a number of this log is too large to be stored")]
    Number,
}
