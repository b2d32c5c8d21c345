//! Parts of a command's outputs, as they come from a server.

use std::fmt;

use bytes::Bytes;

use super::{TaskError, TaskId};

/// The most bytes that a login may print before the output.
pub(super) const NOISE_BYTES_MAX: usize = 64 * 1024;

/// One of the two outputs of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// A part of an output.
#[derive(Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Which of the two outputs.
    pub output: Output,
    /// The offset of its first byte in that output, from 0.
    pub offset: u64,
    /// Never empty.
    pub bytes: Bytes,
}

/// One output while it is read.
#[derive(Debug)]
pub(super) struct Side {
    output: Output,
    noise: Option<Noise>,
    /// Grows by what was returned.
    next_offset: u64,
    end: u64,
}

/// Skips what comes before a mark.
#[derive(Debug)]
struct Noise {
    seen: Vec<u8>,
    mark: Vec<u8>,
}

impl Side {
    /// What comes after the mark is the output from this byte on.
    pub fn new(output: Output, mark: &str, from: u64) -> Self {
        Self { output, noise: Some(Noise::until(mark)), next_offset: from, end: u64::MAX }
    }

    /// Leaves out what comes from this byte on.
    pub const fn up_to(mut self, end: u64) -> Self {
        self.end = end;
        self
    }

    /// Whether the mark has come.
    pub const fn has_begun(&self) -> bool {
        self.noise.is_none()
    }

    pub const fn is_whole(&self) -> bool {
        self.next_offset >= self.end
    }

    /// `None`: nothing of the output is in these bytes.
    pub fn take(&mut self, bytes: Bytes) -> Result<Option<Chunk>, TaskError> {
        let Some(mut bytes) = self.after_noise(bytes)? else { return Ok(None) };
        let left = self.end.saturating_sub(self.next_offset);
        bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        if bytes.is_empty() {
            return Ok(None);
        }
        let offset = self.next_offset;
        self.next_offset += bytes.len() as u64;
        Ok(Some(Chunk { output: self.output, offset, bytes }))
    }

    fn after_noise(&mut self, bytes: Bytes) -> Result<Option<Bytes>, TaskError> {
        let Some(noise) = &mut self.noise else { return Ok(Some(bytes)) };
        let rest = noise.take(&bytes)?;
        if rest.is_some() {
            self.noise = None;
        }
        Ok(rest)
    }
}

/// A line that no login prints by chance.
pub(super) fn mark(task: &TaskId) -> String {
    format!("lethe-{task}")
}

impl Noise {
    fn until(mark: &str) -> Self {
        Self { seen: Vec::new(), mark: format!("{mark}\n").into_bytes() }
    }

    /// The bytes after the mark; `None` until it was received.
    fn take(&mut self, bytes: &[u8]) -> Result<Option<Bytes>, TaskError> {
        self.seen.extend_from_slice(bytes);
        let mark_at = self.seen.windows(self.mark.len()).position(|window| window == self.mark);
        match mark_at {
            Some(at) => {
                let rest = self.seen.split_off(at + self.mark.len());
                Ok(Some(Bytes::from(rest)))
            }
            None if self.seen.len() > NOISE_BYTES_MAX => Err(TaskError::Answer),
            None => Ok(None),
        }
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (output, offset) = (self.output, self.offset);
        write!(f, "Chunk({output:?} from {offset}: {} bytes)", self.bytes.len())
    }
}
