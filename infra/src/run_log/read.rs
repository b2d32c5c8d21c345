//! Reads a log, by line or by byte.

use chrono::{DateTime, Utc};
use domain::privacy::{RunLog, Sealed as SealedBytes};
use zeroize::Zeroizing;

use super::chunk::{Clear, ClearLine, Kept, LogKey, LogLine};
use super::lines::Stream;
use super::rows::{self, LogPart, ReadFrom, Sealed};
use super::{RunLogError, RunLogs};

/// An opened chunk whose content matches its row.
pub(super) struct Opened {
    pub seq: u64,
    pub before: Kept,
    pub after: Kept,
    at: DateTime<Utc>,
    clear: Zeroizing<Vec<u8>>,
}

impl Opened {
    pub fn lines(&self) -> Result<Vec<ClearLine<'_>>, RunLogError> {
        let damaged = || RunLogError::Damaged { seq: self.seq };
        let clear = Clear::read(&self.clear).ok_or_else(damaged)?;
        if clear.number() != self.before.lines + 1 {
            return Err(damaged());
        }
        clear.map(|line| line.ok_or_else(damaged)).collect()
    }

    /// Compares the counts in the row with its content.
    fn check(&self) -> Result<(), RunLogError> {
        let Kept { mut lines, mut out_bytes, mut err_bytes, mut bytes, .. } = self.before;
        for line in self.lines()? {
            let length = line.bytes.len() as u64;
            lines = line.number;
            bytes += length;
            match line.stream {
                Stream::Out => out_bytes += length,
                Stream::Err => err_bytes += length,
                Stream::Lethe => {}
            }
        }
        let after = Kept { lines, out_bytes, err_bytes, bytes, ..self.after };
        if after == self.after { Ok(()) } else { Err(RunLogError::Damaged { seq: self.seq }) }
    }
}

impl RunLogs {
    pub(super) async fn open(&self, task: &LogKey, sealed: Sealed) -> Result<Opened, RunLogError> {
        let (tenant, subject) = (task.workspace.into(), task.workspace.into());
        let Sealed { seq, before, after, at, envelope } = sealed;
        let sealed = SealedBytes { id: task.chunk_id(seq), envelope };
        let clear = self.0.sealer.open_bytes::<RunLog>(tenant, subject, &sealed).await?;
        let opened = Opened { seq, before, after, at, clear };
        opened.check()?;
        Ok(opened)
    }

    /// At most `limit` lines after line `after` (0: from the first). Fewer may be returned although there
    /// are more; none only at the end of what is stored.
    pub async fn read(
        &self,
        task: &LogKey,
        after: u64,
        limit: usize,
    ) -> Result<Vec<LogLine>, RunLogError> {
        let mut lines = Vec::new();
        let mut last = after;
        for sealed in rows::read(&self.0.pool, task, ReadFrom::Line(after)).await? {
            if lines.len() >= limit {
                break;
            }
            let chunk = self.open(task, sealed).await?;
            if chunk.before.lines > last {
                return Err(RunLogError::Gap { seq: chunk.seq });
            }
            let news = chunk.lines()?.into_iter().filter(|line| line.number > last);
            lines.extend(news.take(limit - lines.len()).map(|line| LogLine {
                number: line.number,
                stream: line.stream,
                continues: line.continues,
                at: chunk.at,
                bytes: line.bytes.to_vec(),
            }));
            last = chunk.after.lines;
        }
        Ok(lines)
    }

    /// The stored bytes of a stream from `from` to before `until`, perhaps only the first of them; empty
    /// only if there are none.
    pub async fn read_range(
        &self,
        task: &LogKey,
        part: LogPart,
        from: u64,
        until: u64,
    ) -> Result<Vec<u8>, RunLogError> {
        let mut bytes = Vec::new();
        let mut at = from;
        for sealed in rows::read(&self.0.pool, task, ReadFrom::Byte(part, from, until)).await? {
            let chunk = self.open(task, sealed).await?;
            let mut line_at = end(part, &chunk.before);
            if line_at > at {
                return Err(RunLogError::Gap { seq: chunk.seq });
            }
            for line in chunk.lines()?.iter().filter(|line| is_of(part, line.stream)) {
                let line_end = line_at + line.bytes.len() as u64;
                bytes.extend_from_slice(cut(line.bytes, line_at, at, until));
                (line_at, at) = (line_end, at.max(line_end.min(until)));
            }
        }
        Ok(bytes)
    }

    /// The number of stored bytes of a stream.
    pub async fn length(&self, task: &LogKey, part: LogPart) -> Result<u64, RunLogError> {
        let (_, kept) = rows::last(&self.0.pool, task).await?;
        Ok(end(part, &kept))
    }
}

/// The part of `bytes`, which begin at `at`, from `from` to before `until`.
fn cut(bytes: &[u8], at: u64, from: u64, until: u64) -> &[u8] {
    let within = |place: u64| usize::try_from(place.saturating_sub(at)).unwrap_or(usize::MAX);
    let (from, until) = (within(from), within(until).min(bytes.len()));
    bytes.get(from..until).unwrap_or_default()
}

const fn end(part: LogPart, kept: &Kept) -> u64 {
    match part {
        LogPart::Out => kept.out_bytes,
        LogPart::Err => kept.err_bytes,
        LogPart::All => kept.bytes,
    }
}

const fn is_of(part: LogPart, stream: Stream) -> bool {
    match part {
        LogPart::Out => matches!(stream, Stream::Out),
        LogPart::Err => matches!(stream, Stream::Err),
        LogPart::All => true,
    }
}
