//! Follows the output of a command from any offset.

use std::fmt;

use bytes::Bytes;
use domain::server::ConnectFailure;

use super::super::{Channel, ChannelEvent, Connection, RemoteError};
use super::script::Script;
use super::{TaskError, TaskId};

/// The most bytes that a login may print before the output.
const NOISE_BYTES_MAX: usize = 64 * 1024;
pub(super) const MISSING: u32 = 3;

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

/// Follows both outputs of a command until it is dropped. It does not end with the command:
/// [`super::wait`] says how much there is to read. No process is left on the server, however the
/// connection ends.
#[derive(Debug)]
pub struct Tail {
    channel: Channel,
    out: Side,
    err: Side,
}

/// One output. `next_offset` grows by what was returned.
#[derive(Debug)]
struct Side {
    noise: Option<Noise>,
    next_offset: u64,
}

/// Skips what comes before a mark.
#[derive(Debug)]
pub(super) struct Noise {
    seen: Vec<u8>,
    mark: Vec<u8>,
}

/// Follows the outputs, each from the given byte on.
///
/// # Errors
/// The server did not start the script; what is missing shows in [`Tail::next`].
pub async fn tail(
    connection: &Connection,
    task: &TaskId,
    out_offset: u64,
    err_offset: u64,
) -> Result<Tail, TaskError> {
    let mark = mark(task);
    let script = Script::follow(task, &mark, out_offset, err_offset);
    let channel = connection.open_held(&script.command, &script.stdin).await?;
    let side = |offset| Side { noise: Some(Noise::until(&mark)), next_offset: offset };
    Ok(Tail { channel, out: side(out_offset), err: side(err_offset) })
}

impl Tail {
    /// The next bytes of either output. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// `Missing` when the server has no record of the command; `Remote` when the connection is lost:
    /// what was returned before stays valid.
    pub async fn next(&mut self) -> Result<Chunk, TaskError> {
        loop {
            let (output, bytes) = match self.channel.next().await {
                Some(ChannelEvent::Out(bytes)) => (Output::Out, bytes),
                Some(ChannelEvent::Err(bytes)) => (Output::Err, bytes),
                Some(ChannelEvent::Exit(MISSING)) => return Err(TaskError::Missing),
                Some(ChannelEvent::Exit(_)) | None => {
                    return Err(RemoteError::Lost(ConnectFailure::Command).into());
                }
            };
            let side = match output {
                Output::Out => &mut self.out,
                Output::Err => &mut self.err,
            };
            let bytes = side.take(bytes)?;
            if !bytes.is_empty() {
                let offset = side.next_offset;
                side.next_offset += bytes.len() as u64;
                return Ok(Chunk { output, offset, bytes });
            }
        }
    }
}

impl Side {
    fn take(&mut self, bytes: Bytes) -> Result<Bytes, TaskError> {
        let Some(noise) = &mut self.noise else { return Ok(bytes) };
        let Some(rest) = noise.take(&bytes)? else { return Ok(Bytes::new()) };
        self.noise = None;
        Ok(rest)
    }
}

/// A line that no login prints by chance.
pub(super) fn mark(task: &TaskId) -> String {
    format!("lethe-{task}")
}

impl Noise {
    pub fn until(mark: &str) -> Self {
        Self { seen: Vec::new(), mark: format!("{mark}\n").into_bytes() }
    }

    /// The bytes after the mark; `None` until it was received.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Option<Bytes>, TaskError> {
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
