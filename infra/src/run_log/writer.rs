//! Writes the log of one task, under the fence of the task's lease.

use std::collections::VecDeque;
use std::time::Duration;

use domain::privacy::RunLog;
use tokio::time::Instant;

use super::chunk::{Chunk, Kept, LogKey};
use super::lines::{Lines, Piece, Place, Stream};
use super::mask::{Mask, Masks};
use super::rows::{self, Sealed, Written};
use super::{Inner, Resume, RunLogError, RunLogs};
use crate::failpoint;

/// A line waits for more while the last chunk is younger than this: slow lines are written at once,
/// fast ones together.
pub(super) const FLUSH_AFTER: Duration = Duration::from_millis(40);
/// After this many dropped bytes of a stream the read offset is stored.
const DROPPED_BYTES_NOTED: u64 = 16 * 1024 * 1024;

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

/// Lines that are to be stored.
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
    /// Continues after `resume`. Bytes beyond `bytes_max` are dropped.
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

    /// Closes the open chunk if it has lines, or if many bytes were dropped, or any and `all` is set.
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
    /// Pushes bytes at `offset` of the command's standard output. Bytes that were pushed before are
    /// skipped.
    pub async fn out(&mut self, offset: u64, bytes: &[u8]) -> Result<(), RunLogError> {
        let news = self.out.news(offset, bytes)?;
        self.out.push(Stream::Out, news, &mut self.chunks);
        self.pushed().await
    }

    /// Like [`Self::out`], for the standard error.
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
        self.chunks.flush(self.out.place(), self.err.place(), true);
        self.write().await
    }

    /// Writes the closed chunks in order. A chunk is removed from the queue once it is stored.
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
            failpoint!(RunLogStored);
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
