//! The bytes of a chunk, and the counts of a log up to its end.

use chrono::{DateTime, Utc};
use domain::{RunId, SealedId, ServerId, WorkspaceId};
use zeroize::Zeroizing;

use super::lines::{LINE_BYTES_MAX, Piece, Place, Stream};
use crate::ids::hashed;

/// Of the clear bytes of a chunk.
pub(super) const CHUNK_BYTES_MAX: usize = 256 * 1024;
const VERSION: u8 = 1;
const CONTINUES: u8 = 0x80;
/// The stream, and one less than the length.
const HEAD_BYTES: usize = 3;
const _: () = assert!(LINE_BYTES_MAX - 1 == u16::MAX as usize);

/// The key of a log: one attempt of a run on one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct LogKey {
    pub workspace: WorkspaceId,
    pub run: RunId,
    pub server: ServerId,
    /// From 1.
    pub attempt: u32,
}

impl LogKey {
    /// The id that a chunk is sealed under: it opens only as this chunk of this log.
    pub(super) fn chunk_id(&self, seq: u64) -> SealedId {
        SealedId(hashed(&[
            b"run log chunk",
            self.run.0.as_bytes(),
            self.server.0.as_bytes(),
            &self.attempt.to_be_bytes(),
            &seq.to_be_bytes(),
        ]))
    }
}

/// A stored line, or a piece of one longer than 64 KiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// From 1, without a gap, over all streams.
    pub number: u64,
    /// Who wrote it.
    pub stream: Stream,
    /// It continues the previous line of this stream.
    pub continues: bool,
    /// When it was stored.
    pub at: DateTime<Utc>,
    /// With its line end, if it has one.
    pub bytes: Vec<u8>,
}

/// How much of a log is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    pub lines: u64,
    pub out_bytes: u64,
    pub err_bytes: u64,
    /// Lethe's own lines included.
    pub bytes: u64,
    pub out: Place,
    pub err: Place,
    /// The rest was dropped.
    pub truncated: bool,
}

/// Lines that are sealed together.
#[derive(Debug)]
pub(super) struct Chunk {
    pub seq: u64,
    pub before: Kept,
    pub after: Kept,
    pub clear: Zeroizing<Vec<u8>>,
}

impl Chunk {
    pub fn new(seq: u64, before: Kept) -> Self {
        let mut clear = Zeroizing::new(Vec::new());
        clear.push(VERSION);
        clear.extend((before.lines + 1).to_be_bytes());
        Self { seq, before, after: before, clear }
    }

    pub fn has_room(&self, bytes: usize) -> bool {
        self.clear.len() + HEAD_BYTES + bytes <= CHUNK_BYTES_MAX
    }

    pub const fn is_empty(&self) -> bool {
        self.after.lines == self.before.lines
    }

    pub fn add(&mut self, stream: Stream, piece: Piece<'_>) {
        let length = u16::try_from(piece.bytes.len().saturating_sub(1)).unwrap_or(u16::MAX);
        self.clear.push(stream_number(stream) | if piece.continues { CONTINUES } else { 0 });
        self.clear.extend(length.to_be_bytes());
        self.clear.extend_from_slice(piece.bytes);
        let bytes = piece.bytes.len() as u64;
        self.after.lines += 1;
        self.after.bytes += bytes;
        match stream {
            Stream::Out => {
                self.after.out_bytes += bytes;
                self.after.out = piece.place;
            }
            Stream::Err => {
                self.after.err_bytes += bytes;
                self.after.err = piece.place;
            }
            Stream::Lethe => {}
        }
    }
}

const fn stream_number(stream: Stream) -> u8 {
    match stream {
        Stream::Out => 0,
        Stream::Err => 1,
        Stream::Lethe => 2,
    }
}

fn numbered(number: u8) -> Option<Stream> {
    [Stream::Out, Stream::Err, Stream::Lethe].into_iter().find(|of| stream_number(*of) == number)
}

/// The lines of a chunk's clear bytes; `None` for bytes that are not a chunk's.
pub(super) struct Clear<'a> {
    number: u64,
    rest: &'a [u8],
}

pub(super) struct ClearLine<'a> {
    pub number: u64,
    pub stream: Stream,
    pub continues: bool,
    pub bytes: &'a [u8],
}

impl<'a> Clear<'a> {
    pub fn read(clear: &'a [u8]) -> Option<Self> {
        let (version, rest) = clear.split_first()?;
        let (first_line, rest) = rest.split_first_chunk::<8>()?;
        let number = u64::from_be_bytes(*first_line);
        (*version == VERSION).then_some(Self { number, rest })
    }

    /// The number of the next line.
    pub const fn number(&self) -> u64 {
        self.number
    }

    fn line(&mut self) -> Option<ClearLine<'a>> {
        let ([kind, length @ ..], rest) = self.rest.split_first_chunk::<HEAD_BYTES>()?;
        let (bytes, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)) + 1)?;
        let (number, stream) = (self.number, numbered(kind & !CONTINUES)?);
        (self.number, self.rest) = (number + 1, rest);
        Some(ClearLine { number, stream, continues: kind & CONTINUES != 0, bytes })
    }
}

impl<'a> Iterator for Clear<'a> {
    type Item = Option<ClearLine<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let line = self.line();
        if line.is_none() {
            self.rest = &[];
        }
        Some(line)
    }
}
