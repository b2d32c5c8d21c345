//! Reads a log, by line or by byte. What a day's key opened is over with the day: the rest is read on.

use chrono::{DateTime, Days, NaiveDate, Utc};
use domain::privacy::{RunLog, Sealed as SealedBytes};
use zeroize::Zeroizing;

use super::chunk::{Chunk, Clear, ClearLine, Kept, LogKey, LogLine};
use super::lines::Stream;
use super::rows::{self, FirstChunk, LogPart, ReadFrom, Sealed};
use super::{RunLogError, RunLogs};

/// A page ends with the line that reaches so many bytes.
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// An opened chunk whose content matches its row.
pub(super) struct Opened {
    pub seq: u64,
    pub before: Kept,
    pub after: Kept,
    at: DateTime<Utc>,
    clear: Zeroizing<Vec<u8>>,
}

impl Opened {
    /// A chunk that this process has stored.
    pub fn stored(chunk: Chunk, at: DateTime<Utc>) -> Self {
        let Chunk { seq, before, after, clear } = chunk;
        Self { seq, before, after, at, clear }
    }

    /// What it takes in memory.
    pub fn bytes(&self) -> usize {
        self.clear.len()
    }

    pub fn lines(&self) -> Result<Vec<ClearLine<'_>>, RunLogError> {
        self.clear_lines()?.map(|line| line.ok_or_else(|| self.damaged())).collect()
    }

    /// Calls `on_line` with each line.
    pub fn each(&self, mut on_line: impl FnMut(&ClearLine<'_>)) -> Result<(), RunLogError> {
        for line in self.clear_lines()? {
            on_line(&line.ok_or_else(|| self.damaged())?);
        }
        Ok(())
    }

    fn clear_lines(&self) -> Result<Clear<'_>, RunLogError> {
        let clear = Clear::read(&self.clear).ok_or_else(|| self.damaged())?;
        if clear.number() == self.before.lines + 1 { Ok(clear) } else { Err(self.damaged()) }
    }

    fn damaged(&self) -> RunLogError {
        RunLogError::Damaged { seq: self.seq }
    }

    /// Compares the counts in the row with its content.
    fn check(&self) -> Result<(), RunLogError> {
        let Kept { mut lines, mut out_bytes, mut err_bytes, mut bytes, .. } = self.before;
        self.each(|line| {
            let length = line.bytes.len() as u64;
            lines = line.number;
            bytes += length;
            match line.stream {
                Stream::Out => out_bytes += length,
                Stream::Err => err_bytes += length,
                Stream::Lethe => {}
            }
        })?;
        let after = Kept { lines, out_bytes, err_bytes, bytes, ..self.after };
        if after == self.after { Ok(()) } else { Err(self.damaged()) }
    }
}

/// Lines of a log, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPage {
    /// Where the beginning of the log is over, the first one is Lethe's, and says so.
    pub lines: Vec<LogLine>,
    /// More is stored, after the line of this number.
    pub next: Option<u64>,
    /// Whatever there was up to this line is in the page, or before it.
    pub through: u64,
    /// The lines up to this one are over; 0: that is not so, or was not met.
    pub over: u64,
}

/// What is stored of the bytes of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// What is before is over.
    pub begins: u64,
    /// The end, which is not stored.
    pub ends: u64,
    /// The lines up to this one are over.
    pub over: u64,
}

/// Gathers the lines of a page.
pub(super) struct PageBuilder {
    page: LogPage,
    part: LogPart,
    limit: usize,
    bytes: usize,
    /// The last line that was looked at.
    last: u64,
}

impl PageBuilder {
    pub fn new(part: LogPart, after: u64, limit: usize) -> Self {
        Self { page: LogPage::default(), part, limit, bytes: 0, last: after }
    }

    /// `false`: the page is full, and there is more.
    pub fn add(&mut self, chunk: &Opened) -> Result<bool, RunLogError> {
        let (part, last) = (self.part, self.last);
        let lines = chunk.lines()?.into_iter();
        for line in lines.filter(|line| line.number > last && is_of(part, line.stream)) {
            if self.page.lines.len() >= self.limit || self.bytes >= PAGE_BYTES_MAX {
                self.page.next = self.page.lines.last().map(|line| line.number);
                return Ok(false);
            }
            self.bytes += line.bytes.len();
            self.page.lines.push(LogLine {
                number: line.number,
                stream: line.stream,
                continues: line.continues,
                at: chunk.at,
                bytes: line.bytes.to_vec(),
            });
        }
        self.last = chunk.after.lines;
        Ok(true)
    }

    /// What is before this chunk is over.
    fn begin(&mut self, first: &FirstChunk, days: u32) {
        let over = first.before.lines;
        (self.page.over, self.last) = (over, over);
        self.page.lines.push(LogLine {
            number: over,
            stream: Stream::Lethe,
            continues: false,
            at: first.at,
            bytes: remark(over, days).into_bytes(),
        });
    }

    pub fn finish(self) -> LogPage {
        LogPage { through: self.page.next.unwrap_or(self.last), ..self.page }
    }
}

/// The line in place of those that are over.
fn remark(over: u64, days: u32) -> String {
    format!("Lines 1 to {over} of this log are over: lines are kept for {days} days.\n")
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

    /// At most `limit` lines after line `after` (0: from the first), and fewer only at the end of what is
    /// stored or where they have 4 MiB. Lines of one stream have the numbers that they have among all.
    pub async fn read(
        &self,
        task: &LogKey,
        part: LogPart,
        after: u64,
        limit: usize,
    ) -> Result<LogPage, RunLogError> {
        let since = self.kept_since();
        let mut page = PageBuilder::new(part, after, limit);
        if part != LogPart::All
            && let Some(first) = rows::first(&self.0.pool, task, since).await?
            && first.seq > 0
            && first.before.lines > after
        {
            page.begin(&first, self.0.content_days);
        }
        loop {
            let from = ReadFrom::Line { part, after: page.last, since };
            let chunks = rows::read(&self.0.pool, task, from).await?;
            for sealed in chunks.rows {
                if part == LogPart::All && sealed.before.lines > page.last {
                    let first = self.first(task, sealed.seq).await?;
                    page.begin(&first, self.0.content_days);
                }
                let chunk = self.open(task, sealed).await?;
                if !page.add(&chunk)? {
                    return Ok(page.finish());
                }
            }
            if chunks.is_last {
                return Ok(page.finish());
            }
        }
    }

    /// The chunk `seq`, before which lines are missing.
    ///
    /// # Errors
    /// `Gap`: it is not the first that is kept, so that the others cannot be over.
    async fn first(&self, task: &LogKey, seq: u64) -> Result<FirstChunk, RunLogError> {
        let first = rows::first(&self.0.pool, task, self.kept_since()).await?;
        first.filter(|first| first.seq == seq && seq > 0).ok_or(RunLogError::Gap { seq })
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
        let from = ReadFrom::Byte { part, from, until, since: self.kept_since() };
        for sealed in rows::read(&self.0.pool, task, from).await?.rows {
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

    /// Where the stored bytes of a stream begin and end. Where its beginning is over they keep their numbers.
    pub async fn extent(&self, task: &LogKey, part: LogPart) -> Result<Extent, RunLogError> {
        let (_, kept) = rows::last(&self.0.pool, task).await?;
        let first = rows::first(&self.0.pool, task, self.kept_since()).await?;
        let before = first.map_or(kept, |first| first.before);
        Ok(Extent { begins: end(part, &before), ends: end(part, &kept), over: before.lines })
    }

    /// Whether anything of the log is stored and not over.
    pub async fn is_stored(&self, task: &LogKey) -> Result<bool, RunLogError> {
        Ok(rows::first(&self.0.pool, task, self.kept_since()).await?.is_some())
    }

    /// What stands in place of lines that are over.
    pub fn remark_of_over(&self, over: u64) -> String {
        remark(over, self.0.content_days)
    }

    /// The first day whose lines are kept: those of earlier days are over.
    pub fn kept_since(&self) -> NaiveDate {
        let days = Days::new(u64::from(self.0.content_days));
        self.today().checked_sub_days(days).unwrap_or(NaiveDate::MIN)
    }

    /// Days for which a line is kept.
    pub fn content_days(&self) -> u32 {
        self.0.content_days
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
