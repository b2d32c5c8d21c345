//! Writes the log of one task, under the fence of the task's lease.

use std::time::Duration;

use domain::privacy::RunLog;
use tokio::time::Instant;

use super::chunk::{Chunk, LogKey};
use super::lines::{Lines, Place, Stream};
use super::mask::{Mask, Masks};
use super::pending::{Chunks, Cut};
use super::read::Opened;
use super::rows::{self, Sealed, Written};
use super::seal::StreamCounts;
use super::{Inner, Resume, RunLogError, RunLogs, Summary};
use crate::failpoint;

/// A line waits for more while the last chunk is younger than this: slow lines are written at once,
/// fast ones together.
pub(super) const FLUSH_AFTER: Duration = Duration::from_millis(40);
/// The same while somebody follows the log in this process.
pub(super) const FLUSH_FOLLOWED_AFTER: Duration = Duration::from_millis(5);

/// Stores the output of a command as lines. Pushed bytes are stored once [`Writer::flush`],
/// [`Writer::pause`] or [`Writer::finish`] has returned `Ok`. After an error the call may be repeated:
/// nothing is lost or doubled. Every call is cancel safe.
pub struct Writer {
    logs: RunLogs,
    task: LogKey,
    fence: i64,
    out: Feed,
    err: Feed,
    chunks: Chunks,
    /// Of standard output, and of standard error.
    cuts: [Option<Cut>; 2],
    /// Of all that is stored; `None`: another writer has begun the log.
    counts: Option<StreamCounts>,
    /// Sealed and perhaps sent: a repeated write must send the same bytes.
    sealed: Option<Sealed>,
    due: Option<Instant>,
    /// When the last chunk was stored.
    written: Option<Instant>,
}

/// The state of one input stream.
struct Feed {
    mask: Mask,
    lines: Lines,
    /// The offset up to which the stream has been read.
    read: u64,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("task", &self.task).finish_non_exhaustive()
    }
}

impl RunLogs {
    /// Continues after `resume`. Bytes beyond `bytes_max`, and beyond what the workspace may store today, are
    /// dropped.
    pub fn writer(
        &self,
        task: LogKey,
        fence: i64,
        masks: &Masks,
        bytes_max: u64,
        resume: &Resume,
    ) -> Writer {
        let Resume { kept, seq, .. } = *resume;
        let day_max = self.0.usage.bytes_a_day();
        Writer {
            logs: self.clone(),
            task,
            fence,
            out: Feed::new(masks, kept.out),
            err: Feed::new(masks, kept.err),
            chunks: Chunks::after(seq, kept, bytes_max, day_max),
            cuts: [None; 2],
            counts: (seq == 0).then(StreamCounts::new),
            sealed: None,
            due: None,
            written: None,
        }
    }
}

impl Feed {
    fn new(masks: &Masks, place: Place) -> Self {
        Self { mask: masks.stream(), lines: Lines::from(place), read: place.raw }
    }

    /// The part of `bytes`, which begin at `offset` of the stream, that was not read before.
    fn news<'a>(&self, offset: u64, bytes: &'a [u8]) -> Result<&'a [u8], RunLogError> {
        let Some(known) = self.read.checked_sub(offset) else {
            return Err(RunLogError::Skipped { from: offset, until: self.read });
        };
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        Ok(bytes.get(known..).unwrap_or_default())
    }

    fn push(&mut self, stream: Stream, bytes: &[u8], chunks: &mut Chunks) {
        let from = self.read;
        self.read += bytes.len() as u64;
        if chunks.is_truncated() {
            return;
        }
        let masked = self.mask.push(bytes);
        self.lines.push(from, bytes, &masked, &mut |piece| chunks.add(stream, piece));
    }

    fn finish(&mut self, stream: Stream, chunks: &mut Chunks) {
        if !chunks.is_truncated() {
            let masked = self.mask.finish();
            self.lines.finish(self.read, &masked, &mut |piece| chunks.add(stream, piece));
        }
    }

    const fn place(&self) -> Place {
        Place { raw: self.read, skip: 0 }
    }
}

impl Writer {
    /// Pushes bytes at `offset` of the command's standard output. Bytes that were pushed before are
    /// skipped.
    pub async fn out(&mut self, offset: u64, bytes: &[u8]) -> Result<(), RunLogError> {
        self.learn_day_left().await?;
        let news = self.out.news(offset, bytes)?;
        self.out.push(Stream::Out, news, &mut self.chunks);
        self.pushed().await
    }

    /// Like [`Self::out`], for the standard error.
    pub async fn err(&mut self, offset: u64, bytes: &[u8]) -> Result<(), RunLogError> {
        self.learn_day_left().await?;
        let news = self.err.news(offset, bytes)?;
        self.err.push(Stream::Err, news, &mut self.chunks);
        self.pushed().await
    }

    /// Learns how much other logs of the workspace have left.
    async fn learn_day_left(&mut self) -> Result<(), RunLogError> {
        if self.is_full() {
            return Ok(());
        }
        let Inner { pool, usage, .. } = &*self.logs.0;
        let left = usage.left(pool, self.task.workspace, self.logs.today()).await?;
        self.chunks.day_left = left.saturating_sub(self.chunks.waiting());
        Ok(())
    }

    async fn pushed(&mut self) -> Result<(), RunLogError> {
        if self.due.is_none() && !self.chunks.open.is_empty() {
            let is_followed = self.logs.0.wakes.is_followed(&self.task);
            let pause = if is_followed { FLUSH_FOLLOWED_AFTER } else { FLUSH_AFTER };
            let now = Instant::now();
            self.due = Some(self.written.map_or(now, |at| now.max(at + pause)));
        }
        self.write().await
    }

    /// Whether the log has reached a limit: it takes no more output, which need not be read any more.
    pub const fn is_full(&self) -> bool {
        self.chunks.is_truncated()
    }

    /// Notes how far the output goes, once the log is full and nobody reads it any more. [`Writer::finish`]
    /// stores it.
    pub fn skip_to(&mut self, out: u64, err: u64) {
        if self.is_full() {
            self.out.read = self.out.read.max(out);
            self.err.read = self.err.read.max(err);
        }
    }

    /// Notes what the server has not kept of the outputs: [`Writer::finish`] ends the log with a line that says so, unless
    /// it has ended before.
    pub fn note_cuts(&mut self, out: Option<Cut>, err: Option<Cut>) {
        self.cuts = [out, err];
    }

    /// When to call [`Writer::flush`]; `None` while no complete line waits.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Stores every complete line.
    pub async fn flush(&mut self) -> Result<(), RunLogError> {
        self.chunks.flush(self.out.place(), self.err.place(), false);
        self.write().await
    }

    /// Stores also the incomplete last line, except for bytes that may begin a secret. Use it when it is
    /// unknown whether the command continues: the next writer continues the same line.
    pub async fn pause(&mut self) -> Result<(), RunLogError> {
        let Self { out, err, chunks, .. } = self;
        out.lines.pause(&mut |piece| chunks.add(Stream::Out, piece));
        err.lines.pause(&mut |piece| chunks.add(Stream::Err, piece));
        self.flush().await
    }

    /// Stores everything. Use it when the command has ended and all its output was pushed.
    pub async fn finish(&mut self) -> Result<(), RunLogError> {
        self.out.finish(Stream::Out, &mut self.chunks);
        self.err.finish(Stream::Err, &mut self.chunks);
        self.chunks.cut(self.cuts);
        self.chunks.flush(self.out.place(), self.err.place(), true);
        self.write().await
    }

    /// Seals the log, once [`Writer::finish`] has returned `Ok`. One that this writer has begun is not read back:
    /// the hash is of the bytes that it has sealed and stored, and the rows must be all there and say the same
    /// counts. Whether a chunk still opens is found by whoever reads it.
    pub async fn seal(self) -> Result<Summary, RunLogError> {
        let Self { logs, task, chunks, counts, .. } = self;
        match counts {
            Some(counts) => logs.seal_counted(&task, counts, chunks.end()).await,
            None => logs.seal(&task).await,
        }
    }

    /// Writes the closed chunks in order. A chunk is removed from the queue once it is stored.
    async fn write(&mut self) -> Result<(), RunLogError> {
        let Inner { pool, wakes, usage, .. } = &*self.logs.0;
        if std::mem::take(&mut self.chunks.is_day_full) {
            usage.count_reached(self.task.workspace);
        }
        while let Some(chunk) = self.chunks.full.front() {
            if self.sealed.as_ref().is_none_or(|sealed| sealed.seq != chunk.seq) {
                self.sealed = Some(self.logs.seal_chunk(&self.task, chunk).await?);
            }
            let Some(sealed) = &self.sealed else { continue };
            if rows::write(pool, &self.task, self.fence, sealed).await? == Written::Fenced {
                return Err(RunLogError::Fenced);
            }
            failpoint!(RunLogStored);
            if let Some(chunk) = self.chunks.full.pop_front() {
                let bytes = chunk.after.bytes.saturating_sub(chunk.before.bytes);
                usage.add(self.task.workspace, sealed.at.date_naive(), bytes);
                let stored = Opened::stored(chunk, sealed.at);
                if self.counts.as_mut().is_some_and(|counts| counts.add(&stored).is_err()) {
                    self.counts = None;
                }
                wakes.stored(&self.task, stored);
            }
            self.written = Some(Instant::now());
        }
        if self.chunks.open.is_empty() {
            self.due = None;
        }
        Ok(())
    }
}

impl RunLogs {
    async fn seal_chunk(&self, task: &LogKey, chunk: &Chunk) -> Result<Sealed, RunLogError> {
        let Inner { sealer, clock, .. } = &*self.0;
        let (tenant, subject) = (task.workspace.into(), task.workspace.into());
        let at = clock.now();
        self.ensure_day(at.date_naive()).await?;
        let clear = chunk.clear.to_vec();
        let id = task.chunk_id(chunk.seq);
        let sealed = sealer.seal_bytes::<RunLog>(tenant, subject, id, clear).await?;
        let Chunk { seq, before, after, .. } = *chunk;
        Ok(Sealed { seq, before, after, at, envelope: sealed.envelope })
    }
}
