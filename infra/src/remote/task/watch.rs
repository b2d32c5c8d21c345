//! Watches a command on one channel: its output from any offset, and its end.

use std::time::Duration;

use domain::server::ConnectFailure;
use tokio::time::{Instant, timeout_at};

use super::super::{Channel, ChannelEvent, Connection, RemoteError};
use super::chunk::{Chunk, Output, Side, mark};
use super::script::{END_SIGNAL, Script};
use super::{TaskError, TaskId};

/// The exit status of the scripts where the server has no record of the command.
pub(super) const MISSING: u32 = 3;
/// The exit status of a watch when the command does not run any more.
const ENDED: u32 = 4;
/// How often the script is asked whether the command still runs: nobody may have signalled the end.
const ASK_EVERY: Duration = Duration::from_secs(30);
/// The script takes each line for such a question.
const QUESTION: &[u8] = b"\n";

/// Follows a command until it ends. No process is left on the server when it is dropped, however the
/// connection ends.
#[derive(Debug)]
pub struct Watch {
    channel: Channel,
    out: Side,
    err: Side,
    exit: Option<u32>,
    ask_every: Duration,
    ask_at: Instant,
}

/// What a watch has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watched {
    /// The next bytes of either output.
    Chunk(Chunk),
    /// The command does not run any more, or the server has no record of it: [`super::probe`] tells
    /// which, on the same connection, and [`super::rest()`] reads what has not come. The channel is
    /// closed by then, so that a server that allows one at a time opens the next.
    Ended,
    /// The connection was lost, or the server does not watch. That says nothing about the command.
    Lost,
}

/// Watches a command, on one channel of the connection. With offsets its outputs come, each from that
/// byte on; without, only its end. Of an output that has become shorter than its offset, only what is
/// added comes: the numbers of bytes at the end of the command show it.
///
/// # Errors
/// `Remote`: the server did not start the script.
pub async fn watch(
    connection: &Connection,
    task: &TaskId,
    offsets: Option<(u64, u64)>,
) -> Result<Watch, TaskError> {
    watch_until(connection, task, offsets, END_SIGNAL, ASK_EVERY).await
}

pub(super) async fn watch_until(
    connection: &Connection,
    task: &TaskId,
    offsets: Option<(u64, u64)>,
    signal: &str,
    ask_every: Duration,
) -> Result<Watch, TaskError> {
    let mark = mark(task);
    let script = Script::watch(task, &mark, offsets, signal);
    let channel = connection.open_held(&script.command, &script.stdin).await?;
    let (out, err) = offsets.unwrap_or_default();
    Ok(Watch {
        channel,
        out: Side::new(Output::Out, &mark, out),
        err: Side::new(Output::Err, &mark, err),
        exit: None,
        ask_every,
        ask_at: Instant::now() + ask_every,
    })
}

impl Watch {
    /// What comes next. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Watched {
        match self.read().await {
            Ok(Some(chunk)) => Watched::Chunk(chunk),
            Ok(None) | Err(TaskError::Missing) => Watched::Ended,
            Err(_) => Watched::Lost,
        }
    }

    /// Ends the watch, not the command, and waits up to 5 seconds for the server to close the channel.
    /// By then a server that allows one channel at a time opens another.
    pub async fn close(self) {
        self.channel.end().await;
    }

    /// The next bytes; `None` when the command does not run any more.
    pub(super) async fn read(&mut self) -> Result<Option<Chunk>, TaskError> {
        loop {
            let taken = match self.event().await {
                Some(ChannelEvent::Out(bytes)) => self.out.take(bytes)?,
                Some(ChannelEvent::Err(bytes)) => self.err.take(bytes)?,
                Some(ChannelEvent::Exit(status)) => {
                    self.exit = Some(status);
                    None
                }
                None => return self.end(),
            };
            if taken.is_some() {
                return Ok(taken);
            }
        }
    }

    async fn event(&mut self) -> Option<ChannelEvent> {
        loop {
            if let Ok(event) = timeout_at(self.ask_at, self.channel.next()).await {
                return event;
            }
            self.channel.say(QUESTION);
            self.ask_at = Instant::now() + self.ask_every;
        }
    }

    fn end(&self) -> Result<Option<Chunk>, TaskError> {
        match self.exit {
            Some(ENDED) if self.channel.has_ended() => Ok(None),
            Some(MISSING) if self.channel.has_ended() => Err(TaskError::Missing),
            Some(_) | None => Err(RemoteError::Lost(ConnectFailure::Command).into()),
        }
    }
}
