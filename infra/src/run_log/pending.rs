//! Lines that are to be stored, in chunks, and what ends a log.

use std::collections::VecDeque;

use super::chunk::{Chunk, Kept};
use super::lines::{Piece, Place, Stream};

/// After this many dropped bytes of a stream the read offset is stored.
const DROPPED_BYTES_NOTED: u64 = 16 * 1024 * 1024;

/// Lines that are to be stored.
pub(super) struct Chunks {
    pub full: VecDeque<Chunk>,
    pub open: Chunk,
    bytes_max: u64,
    /// What the workspace may still store today, as far as it is known.
    pub day_left: u64,
    /// What it may store in a day.
    day_max: u64,
    /// The day's limit has ended the log, and this is not counted yet.
    pub is_day_full: bool,
}

/// An output of which its server has not kept all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The bytes that the server has kept.
    pub kept: u64,
    /// The bytes that the command has written.
    pub written: u64,
}

/// Why a log is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    Log,
    Day,
}

impl Chunks {
    pub fn after(seq: u64, kept: Kept, bytes_max: u64, day_max: u64) -> Self {
        Self {
            full: VecDeque::new(),
            open: Chunk::new(seq, kept),
            bytes_max,
            day_left: day_max,
            day_max,
            is_day_full: false,
        }
    }

    pub const fn is_truncated(&self) -> bool {
        self.open.after.truncated
    }

    pub fn add(&mut self, stream: Stream, piece: Piece<'_>) {
        if self.is_truncated() {
            return;
        }
        if let Some(limit) = self.limit_of(piece.bytes.len() as u64) {
            self.end_with(&self.remark(limit));
            self.is_day_full = limit == Limit::Day;
        } else {
            self.put(stream, piece);
        }
    }

    /// Ends the log with a line about what its server has not kept. One that has ended says why.
    pub fn cut(&mut self, [out, err]: [Option<Cut>; 2]) {
        let parts = [(out, "standard output"), (err, "standard error")];
        let parts = parts.into_iter().filter_map(|(cut, name)| {
            cut.map(|Cut { kept, written }| format!("{kept} of the {written} bytes of {name}"))
        });
        let parts: Vec<String> = parts.collect();
        if !parts.is_empty() && !self.is_truncated() {
            let kept = parts.join(", and ");
            self.end_with(&format!("The output was cut on the server, which kept {kept}.\n"));
        }
    }

    fn end_with(&mut self, remark: &str) {
        let bytes = remark.as_bytes();
        self.put(Stream::Lethe, Piece { continues: false, bytes, place: Place::default() });
        self.open.after.truncated = true;
    }

    /// The limit that the next bytes do not keep.
    const fn limit_of(&self, bytes: u64) -> Option<Limit> {
        let Kept { out_bytes, err_bytes, .. } = self.open.after;
        if out_bytes + err_bytes + bytes > self.bytes_max {
            Some(Limit::Log)
        } else if bytes > self.day_left {
            Some(Limit::Day)
        } else {
            None
        }
    }

    fn put(&mut self, stream: Stream, piece: Piece<'_>) {
        if !self.open.has_room(piece.bytes.len()) {
            self.close();
        }
        self.day_left = self.day_left.saturating_sub(piece.bytes.len() as u64);
        self.open.add(stream, piece);
    }

    /// Bytes that are not stored yet.
    pub fn waiting(&self) -> u64 {
        let stored = self.full.front().unwrap_or(&self.open).before.bytes;
        self.open.after.bytes.saturating_sub(stored)
    }

    /// The number of the chunk after the last line, and the counts up to it.
    pub fn end(&self) -> (u64, Kept) {
        (self.open.seq + u64::from(!self.open.is_empty()), self.open.after)
    }

    fn close(&mut self) {
        let next = Chunk::new(self.open.seq + 1, self.open.after);
        self.full.push_back(std::mem::replace(&mut self.open, next));
    }

    fn remark(&self, limit: Limit) -> String {
        let Kept { lines, out_bytes, err_bytes, .. } = self.open.after;
        let may_have = match limit {
            Limit::Log => format!("It may have {} bytes", self.bytes_max),
            Limit::Day => {
                format!("The logs of a workspace may have {} bytes a day", self.day_max)
            }
        };
        format!(
            "Lethe kept the first {lines} lines of this log, {} bytes. {may_have}: the rest was \
             dropped.\n",
            out_bytes + err_bytes,
        )
    }

    /// Closes the open chunk if it has lines, or if many bytes were dropped, or any and `all` is set.
    pub fn flush(&mut self, out: Place, err: Place, all: bool) {
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
