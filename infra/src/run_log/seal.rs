//! The end of a log: reads it back, checks that it has no gap, counts and hashes it.

use domain::run::{Digest, LogSeal, StreamSeal};
use ring::digest::{Context, SHA256};

use super::chunk::{Kept, LogKey};
use super::lines::Stream;
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
    /// Whether the rest was dropped; then Lethe's last line says so.
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

impl RunLogs {
    /// Reads the whole log back in parts. Call it after [`super::Writer::finish`]. A gap is an error.
    pub async fn seal(&self, task: &LogKey) -> Result<Summary, RunLogError> {
        let (mut out, mut err) = (Counted::new(), Counted::new());
        let (mut seq, mut kept) = (None, Kept::default());
        loop {
            let page = rows::read(&self.0.pool, task, ReadFrom::Chunk(seq)).await?;
            for sealed in page.rows {
                let expected = seq.map_or(0, |seq| seq + 1);
                if sealed.seq != expected || !follows(&sealed.before, &sealed.after, &kept) {
                    return Err(RunLogError::Gap { seq: sealed.seq });
                }
                let chunk = self.open(task, sealed).await?;
                for line in chunk.lines()? {
                    match line.stream {
                        Stream::Out => out.add(line.bytes),
                        Stream::Err => err.add(line.bytes),
                        Stream::Lethe => {}
                    }
                }
                (seq, kept) = (Some(chunk.seq), chunk.after);
            }
            if page.is_last {
                break;
            }
        }
        Ok(Summary {
            out: out.finish(kept.out_bytes, kept.out.raw),
            err: err.finish(kept.err_bytes, kept.err.raw),
            lines: kept.lines,
            bytes: kept.bytes,
            truncated: kept.truncated,
        })
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
