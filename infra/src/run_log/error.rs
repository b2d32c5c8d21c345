//! What went wrong with a log, told without a byte of it.

use crate::keyring::{OpenError, SealError};
use crate::postgres::PgError;

#[derive(Debug, thiserror::Error)]
pub enum RunLogError {
    #[error(transparent)]
    Database(#[from] PgError),
    #[error("a chunk was not sealed: {0}")]
    Seal(#[from] SealError),
    #[error("a chunk was not opened: {0}")]
    Open(#[from] OpenError),
    #[error("another node has taken this task")]
    Fenced,
    #[error("the stream was read from byte {from}, but is kept up to byte {until} only")]
    Skipped { from: u64, until: u64 },
    #[error("the log has a gap before chunk {seq}")]
    Gap { seq: u64 },
    #[error("chunk {seq} is not what it says it is")]
    Damaged { seq: u64 },
    #[error("a number of this log is beyond what can be counted")]
    Number,
}
