//! Reads a part of an output that is there already.

use std::time::Duration;

use domain::server::ConnectFailure;
use tokio::time::timeout;

use super::super::{Channel, ChannelEvent, Connection, RemoteError};
use super::chunk::{Chunk, NOISE_BYTES_MAX, Output, Side, mark};
use super::script::Script;
use super::watch::MISSING;
use super::{TaskError, TaskId};

/// The longest pause between two pieces.
const PIECE_WITHIN: Duration = Duration::from_secs(20);

/// A part of an output, which comes in pieces.
#[derive(Debug)]
pub struct Rest {
    /// `None` once all has come.
    channel: Option<Channel>,
    side: Side,
    exit: Option<u32>,
    /// What came beside the output.
    ignored_bytes: usize,
}

/// Reads the bytes from `from` up to, not including, `to` of an output, from 0. Nothing is opened
/// where that is none.
///
/// # Errors
/// `Remote`: the server did not start the script. What is missing shows in [`Rest::next`].
pub async fn rest(
    connection: &Connection,
    task: &TaskId,
    output: Output,
    from: u64,
    to: u64,
) -> Result<Rest, TaskError> {
    let mark = mark(task);
    let channel = match to.saturating_sub(from) {
        0 => None,
        bytes => {
            let script = Script::rest(task, &mark, output, from, bytes);
            Some(connection.open(&script.command, &script.stdin).await?)
        }
    };
    let side = Side::new(output, &mark, from).up_to(to);
    Ok(Rest { channel, side, exit: None, ignored_bytes: 0 })
}

impl Rest {
    /// The next piece; `None` after the last one, when the channel is closed. Nothing is lost when the
    /// future is dropped.
    ///
    /// # Errors
    /// `Missing` when the server has no record of the command; `Answer` when it sends something else;
    /// `Remote` when the connection is lost, or nothing comes for 20 seconds: what was returned before
    /// stays valid.
    pub async fn next(&mut self) -> Result<Option<Chunk>, TaskError> {
        while let Some(channel) = &mut self.channel {
            let event = timeout(PIECE_WITHIN, channel.next())
                .await
                .map_err(|_| RemoteError::TimedOut(ConnectFailure::Command))?;
            match event {
                Some(ChannelEvent::Out(bytes)) => {
                    let came = bytes.len();
                    if let Some(chunk) = self.side.take(bytes)? {
                        return Ok(Some(chunk));
                    }
                    self.ignore(came)?;
                }
                Some(ChannelEvent::Err(bytes)) => self.ignore(bytes.len())?,
                Some(ChannelEvent::Exit(status)) => self.exit = Some(status),
                None => self.end()?,
            }
        }
        Ok(None)
    }

    /// Whether all has come, up to the last byte. After the last piece, `false` means that the file
    /// ends before: something on the server has cut it.
    pub const fn is_whole(&self) -> bool {
        self.side.is_whole()
    }

    /// A hostile server may send without end.
    fn ignore(&mut self, bytes: usize) -> Result<(), TaskError> {
        self.ignored_bytes += bytes.max(1);
        if self.ignored_bytes > NOISE_BYTES_MAX { Err(TaskError::Answer) } else { Ok(()) }
    }

    fn end(&mut self) -> Result<(), TaskError> {
        let has_ended = self.channel.take().is_some_and(|channel| channel.has_ended());
        match self.exit {
            Some(MISSING) if has_ended => Err(TaskError::Missing),
            Some(_) if has_ended && self.is_whole() => Ok(()),
            // It may be shorter, if that is what its reader has found.
            Some(0) if has_ended && self.side.has_begun() => Ok(()),
            Some(0) if has_ended => Err(TaskError::Answer),
            Some(_) | None => Err(RemoteError::Lost(ConnectFailure::Command).into()),
        }
    }
}
