//! The end of a log: checks that it has no gap, and says its counts and its hash. What its writer has hashed
//! as it stored it is not read back.

use std::cmp::Ordering;

use domain::run::{Digest, LogSeal, StreamSeal};
use ring::digest::{Context, SHA256};

use super::chunk::{Kept, LogKey};
use super::lines::Stream;
use super::read::Opened;
use super::rows::{self, ReadFrom};
use super::{RunLogError, RunLogs};

/// The counts and the hash of one stored stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamSummary {
    /// Stored lines; a line longer than 64 KiB is several.
    pub lines: u64,
    /// Stored bytes, which are masked.
    pub bytes: u64,
    /// SHA-256 of the stored bytes, which are masked.
    pub sha256: [u8; 32],
    /// Bytes that were read from the command, stored or not.
    pub read: u64,
}

/// The counts of a stored log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Standard output.
    pub out: StreamSummary,
    /// Standard error.
    pub err: StreamSummary,
    /// Lethe's own lines included.
    pub lines: u64,
    /// Of all lines.
    pub bytes: u64,
    /// Whether the rest was dropped, or cut on the server; then Lethe's last line says so.
    pub truncated: bool,
}

impl From<Summary> for LogSeal {
    fn from(summary: Summary) -> Self {
        let Summary { out, err, lines, bytes, truncated } = summary;
        Self { out: out.into(), err: err.into(), lines, bytes, truncated }
    }
}

impl From<StreamSummary> for StreamSeal {
    fn from(summary: StreamSummary) -> Self {
        let StreamSummary { lines, bytes, sha256, .. } = summary;
        Self { lines, bytes, sha256: Digest(sha256) }
    }
}

struct Counted {
    lines: u64,
    hash: Context,
}

impl Counted {
    fn new() -> Self {
        Self { lines: 0, hash: Context::new(&SHA256) }
    }

    fn add(&mut self, bytes: &[u8]) {
        self.lines += 1;
        self.hash.update(bytes);
    }

    fn finish(self, bytes: u64, read: u64) -> StreamSummary {
        let sha256 = self.hash.finish().as_ref().first_chunk().copied().unwrap_or_default();
        StreamSummary { lines: self.lines, bytes, sha256, read }
    }
}

/// The lines and the hash of each stream, chunk by chunk.
pub(super) struct StreamCounts {
    out: Counted,
    err: Counted,
}

impl StreamCounts {
    pub fn new() -> Self {
        Self { out: Counted::new(), err: Counted::new() }
    }

    /// The next chunk.
    pub fn add(&mut self, chunk: &Opened) -> Result<(), RunLogError> {
        chunk.each(|line| match line.stream {
            Stream::Out => self.out.add(line.bytes),
            Stream::Err => self.err.add(line.bytes),
            Stream::Lethe => {}
        })
    }

    fn finish(self, kept: &Kept) -> Summary {
        Summary {
            out: self.out.finish(kept.out_bytes, kept.out.raw),
            err: self.err.finish(kept.err_bytes, kept.err.raw),
            lines: kept.lines,
            bytes: kept.bytes,
            truncated: kept.truncated,
        }
    }
}

/// The rows of a log from its first on, none of which is missing.
#[derive(Default)]
struct Chain {
    /// The number of the next chunk.
    next: u64,
    kept: Kept,
}

impl Chain {
    fn add(&mut self, seq: u64, before: &Kept, after: Kept) -> Result<(), RunLogError> {
        if seq != self.next || !follows(before, &after, &self.kept) {
            return Err(RunLogError::Gap { seq });
        }
        (self.next, self.kept) = (seq + 1, after);
        Ok(())
    }

    fn last(&self) -> Option<u64> {
        self.next.checked_sub(1)
    }
}

impl RunLogs {
    /// Reads the whole log back in parts. Call it after [`super::Writer::finish`] or
    /// [`super::Writer::pause`]; [`super::Writer::seal`] may have less to do. A gap is an error.
    pub async fn seal(&self, task: &LogKey) -> Result<Summary, RunLogError> {
        let (mut counts, mut chain) = (StreamCounts::new(), Chain::default());
        loop {
            let page = rows::read(&self.0.pool, task, ReadFrom::Chunk(chain.last())).await?;
            for sealed in page.rows {
                chain.add(sealed.seq, &sealed.before, sealed.after)?;
                counts.add(&self.open(task, sealed).await?)?;
            }
            if page.is_last {
                return Ok(counts.finish(&chain.kept));
            }
        }
    }

    /// Seals a log that its writer has counted from the first line on, without opening it. `next` is the number
    /// of the chunk after its last one, `kept` are the counts up to there: the rows must say the same.
    ///
    /// # Errors
    /// `Gap`, `Damaged`: they do not. `Fenced`: there are more.
    pub(super) async fn seal_counted(
        &self,
        task: &LogKey,
        counts: StreamCounts,
        (next, kept): (u64, Kept),
    ) -> Result<Summary, RunLogError> {
        let mut chain = Chain::default();
        loop {
            let page = rows::counts(&self.0.pool, task, chain.last()).await?;
            for (seq, before, after) in page.rows {
                chain.add(seq, &before, after)?;
            }
            if page.is_last {
                break;
            }
        }
        match chain.next.cmp(&next) {
            Ordering::Less => Err(RunLogError::Gap { seq: chain.next }),
            Ordering::Greater => Err(RunLogError::Fenced),
            Ordering::Equal if chain.kept != kept => {
                Err(RunLogError::Damaged { seq: next.saturating_sub(1) })
            }
            Ordering::Equal => Ok(counts.finish(&kept)),
        }
    }
}

/// Whether a chunk begins where the one before it ended.
fn follows(before: &Kept, after: &Kept, kept: &Kept) -> bool {
    let Kept { lines, out_bytes, err_bytes, bytes, .. } = *kept;
    (before.lines, before.out_bytes, before.err_bytes, before.bytes)
        == (lines, out_bytes, err_bytes, bytes)
        && after.out.raw >= kept.out.raw
        && after.err.raw >= kept.err.raw
        && after.truncated >= kept.truncated
}
