//! Writes the log of one task, under the fence of whoever works on it.

use std::collections::VecDeque;
use std::time::Duration;

use domain::privacy::RunLog;
use tokio::time::Instant;

use super::chunk::{Chunk, Kept, LogKey};
use super::lines::{Lines, Piece, Place, Stream};
use super::mask::{Mask, Masks};
use super::rows::{self, Sealed, Written};
use super::{Inner, Resume, RunLogError, RunLogs};

/// A line waits for others as long as the last chunk is younger than this: lines that come slowly
/// are written at once, and those that come fast are written together.
pub const FLUSH_AFTER: Duration = Duration::from_millis(40);
/// How often it is noted how far a stream has been read of which no more is kept.
const DROPPED_BYTES_NOTED: u64 = 16 * 1024 * 1024;

/// Takes what a command writes, and keeps it as lines. What was pushed is written once
/// [`Writer::flush`], [`Writer::pause`] or [`Writer::finish`] has answered; after an error the same
/// may be called again, and nothing is lost or doubled. Dropping a call half-way does no harm.
pub struct Writer {
    logs: RunLogs,
    task: LogKey,
    fence: i64,
    out: Feed,
    err: Feed,
    chunks: Chunks,
    /// On its way, and so not to be sealed again.
    sealed: Option<Sealed>,
    due: Option<Instant>,
    /// When the last chunk was known to be there.
    written: Option<Instant>,
}

/// One stream on its way in.
struct Feed {
    mask: Mask,
    lines: Lines,
    /// How far the stream has been read.
    read: u64,
}

/// Lines on their way out.
struct Chunks {
    full: VecDeque<Chunk>,
    open: Chunk,
    bytes_max: u64,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("task", &self.task).finish_non_exhaustive()
    }
}

impl RunLogs {
    /// Writes on where `resume` says. More than `bytes_max` is not kept.
    pub fn writer(
        &self,
        task: LogKey,
        fence: i64,
        masks: &Masks,
        bytes_max: u64,
        resume: &Resume,
    ) -> Writer {
        let Resume { kept, seq, .. } = *resume;
        Writer {
            logs: self.clone(),
            task,
            fence,
            out: Feed::new(masks, kept.out),
            err: Feed::new(masks, kept.err),
            chunks: Chunks { full: VecDeque::new(), open: Chunk::new(seq, kept), bytes_max },
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

    /// What is new of `bytes`, which begin at `offset` of the stream.
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

impl Chunks {
    const fn is_truncated(&self) -> bool {
        self.open.after.truncated
    }

    fn add(&mut self, stream: Stream, piece: Piece<'_>) {
        let kept = self.open.after;
        if kept.truncated {
            return;
        }
        if kept.out_bytes + kept.err_bytes + piece.bytes.len() as u64 > self.bytes_max {
            let remark = self.remark();
            let bytes = remark.as_bytes();
            self.put(Stream::Lethe, Piece { continues: false, bytes, place: Place::default() });
            self.open.after.truncated = true;
        } else {
            self.put(stream, piece);
        }
    }

    fn put(&mut self, stream: Stream, piece: Piece<'_>) {
        if !self.open.has_room(piece.bytes.len()) {
            self.close();
        }
        self.open.add(stream, piece);
    }

    fn close(&mut self) {
        let next = Chunk::new(self.open.seq + 1, self.open.after);
        self.full.push_back(std::mem::replace(&mut self.open, next));
    }

    fn remark(&self) -> String {
        let Kept { lines, out_bytes, err_bytes, .. } = self.open.after;
        format!(
            "Lethe kept the first {lines} lines of this log, {} bytes. It may have {} bytes: the \
             rest was dropped.\n",
            out_bytes + err_bytes,
            self.bytes_max,
        )
    }

    /// Closes the open chunk if it has lines, or if it notes that much, or `all`, was dropped.
    fn flush(&mut self, out: Place, err: Place, all: bool) {
        if self.is_truncated() {
            (self.open.after.out, self.open.after.err) = (out, err);
        }
        let Chunk { before, after, .. } = &self.open;
        let dropped = (out.raw + err.raw).saturating_sub(before.out.raw + before.err.raw);
        let noted = after.truncated && dropped >= DROPPED_BYTES_NOTED;
        if !self.open.is_empty() || noted || (all && after != before) {
            self.close();
        }
    }
}

impl Writer {
    /// Takes what stands at `offset` of the command's output. What was taken before is left out.
    pub async fn out(&mut self, offset: u64, bytes: &[u8]) -> Result<(), RunLogError> {
        let news = self.out.news(offset, bytes)?;
        self.out.push(Stream::Out, news, &mut self.chunks);
        self.pushed().await
    }

    /// The same for its error output.
    pub async fn err(&mut self, offset: u64, bytes: &[u8]) -> Result<(), RunLogError> {
        let news = self.err.news(offset, bytes)?;
        self.err.push(Stream::Err, news, &mut self.chunks);
        self.pushed().await
    }

    async fn pushed(&mut self) -> Result<(), RunLogError> {
        if self.due.is_none() && !self.chunks.open.is_empty() {
            let now = Instant::now();
            self.due = Some(self.written.map_or(now, |at| now.max(at + FLUSH_AFTER)));
        }
        self.write().await
    }

    /// When to call [`Writer::flush`]; none while no whole line waits.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Writes every whole line that was pushed.
    pub async fn flush(&mut self) -> Result<(), RunLogError> {
        self.chunks.flush(self.out.place(), self.err.place(), false);
        self.write().await
    }

    /// Nobody knows whether the command goes on. Also the part of a line that has come is written,
    /// but not what may be the beginning of a secret: whoever resumes goes on with the same line.
    pub async fn pause(&mut self) -> Result<(), RunLogError> {
        let Self { out, err, chunks, .. } = self;
        out.lines.pause(&mut |piece| chunks.add(Stream::Out, piece));
        err.lines.pause(&mut |piece| chunks.add(Stream::Err, piece));
        self.flush().await
    }

    /// The command has ended and everything was pushed: also a last line without an end is written.
    pub async fn finish(&mut self) -> Result<(), RunLogError> {
        self.out.finish(Stream::Out, &mut self.chunks);
        self.err.finish(Stream::Err, &mut self.chunks);
        self.chunks.flush(self.out.place(), self.err.place(), true);
        self.write().await
    }

    /// Writes what is full, in order. Each chunk stays until it is known to be there.
    async fn write(&mut self) -> Result<(), RunLogError> {
        let Inner { pool, wakes, .. } = &*self.logs.0;
        while let Some(chunk) = self.chunks.full.front() {
            if self.sealed.as_ref().is_none_or(|sealed| sealed.seq != chunk.seq) {
                self.sealed = Some(self.logs.seal_chunk(&self.task, chunk).await?);
            }
            let Some(sealed) = &self.sealed else { continue };
            if rows::write(pool, &self.task, self.fence, sealed).await? == Written::Fenced {
                return Err(RunLogError::Fenced);
            }
            wakes.notify(&self.task, chunk.after.lines);
            self.chunks.full.pop_front();
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
        let Inner { keyring, clock, .. } = &*self.0;
        let (tenant, subject) = (task.workspace.into(), task.workspace.into());
        let at = clock.now();
        self.ensure_day(at.date_naive()).await?;
        let clear = chunk.clear.to_vec();
        let id = task.chunk_id(chunk.seq);
        let sealed = keyring.sealer.seal_bytes::<RunLog>(tenant, subject, id, clear).await?;
        let Chunk { seq, before, after, .. } = *chunk;
        Ok(Sealed { seq, before, after, at, envelope: sealed.envelope })
    }
}
