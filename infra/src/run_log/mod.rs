//! The logs of runs: masked, numbered by line, sealed in chunks, and read back by line or by byte.

mod chunk;
mod days;
mod error;
mod escape_sequences;
mod forms;
mod lines;
mod machine;
mod mask;
mod pending;
mod read;
mod rows;
mod seal;
mod shared_masks;
#[cfg(test)]
mod tests;
mod usage;
mod wake;
mod writer;

use std::sync::Arc;
use std::sync::atomic::AtomicI32;

use chrono::NaiveDate;

use crate::clock::Clock;
use crate::keyring::Sealer;
use crate::postgres::Pool;
use chunk::Kept;
use shared_masks::SharedMasks;
use usage::Usage;
use wake::Wakes;

pub use chunk::{LogKey, LogLine};
pub use error::RunLogError;
pub use lines::Stream;
pub use mask::{MaskError, Masks};
pub use pending::Cut;
pub use read::{Extent, LogPage};
pub use rows::{LogPart, OF_WORKSPACE};
pub use seal::{StreamSummary, Summary};
pub use usage::{DayLimit, USAGE_OF_WORKSPACE};
pub use wake::{News, Watch};
pub use writer::Writer;

/// The logs of all runs. Cheap to clone.
#[derive(Clone)]
pub struct RunLogs(Arc<Inner>);

struct Inner {
    pool: Pool,
    sealer: Sealer,
    content_days: u32,
    clock: Clock,
    wakes: Wakes,
    usage: Usage,
    masks: SharedMasks,
    /// Days since the year 1 up to which there are tables.
    made_until: AtomicI32,
}

/// Where a log ends, and from where the node that takes over its task reads the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The number of the next line, from 1.
    pub next_line: u64,
    /// Offsets in the command's output. The writer skips what is stored already.
    pub out_offset: u64,
    /// The same for standard error.
    pub err_offset: u64,
    /// Stored bytes of all streams.
    pub bytes: u64,
    /// The number of the next chunk.
    pub seq: u64,
    kept: Kept,
}

impl RunLogs {
    /// `pool` leads to the log's database. A day's chunks are deleted `content_days` after it, when
    /// the keyring erases their key. A log ends at `limit`, too.
    pub fn new(
        pool: Pool,
        sealer: Sealer,
        content_days: u32,
        limit: DayLimit,
        clock: Clock,
    ) -> Self {
        Self(Arc::new(Inner {
            pool,
            sealer,
            content_days,
            clock,
            wakes: Wakes::default(),
            usage: Usage::new(limit),
            masks: SharedMasks::default(),
            made_until: AtomicI32::new(0),
        }))
    }

    /// In UTC.
    fn today(&self) -> NaiveDate {
        self.0.clock.now().date_naive()
    }

    /// Where the log ends. Claim the task under a greater fence first, so that no earlier node writes
    /// any more.
    pub async fn resume(&self, task: &LogKey) -> Result<Resume, RunLogError> {
        let (seq, kept) = rows::last(&self.0.pool, task).await?;
        Ok(Resume {
            next_line: kept.lines + 1,
            out_offset: kept.out.raw,
            err_offset: kept.err.raw,
            bytes: kept.bytes,
            seq,
            kept,
        })
    }

    /// Deletes the log; returns the number of its chunks.
    pub async fn delete(&self, task: &LogKey) -> Result<u64, RunLogError> {
        rows::delete(&self.0.pool, task).await
    }
}
