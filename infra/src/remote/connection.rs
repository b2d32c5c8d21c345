//! A connection on which commands may run.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use domain::server::Cause;
use russh::client::Handle;
use russh::{ChannelReadHalf, Error};
use tokio::time::timeout;

use super::cancel::AbortOnDrop;
use super::channel::{Channel, Inlet, Piece};
use super::client_handler::ClientHandler;
use super::{RemoteError, RemoteOptions};

const LOST: RemoteError = RemoteError::Lost(Cause::Command);

/// Dropped, its socket is closed, its channels end and its task is gone.
pub struct Connection {
    handle: Handle<ClientHandler>,
    abort: AbortOnDrop,
    open_within: Duration,
    inlets: Mutex<Vec<Weak<Inlet>>>,
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the request to the end of the command.
    pub within: Duration,
    /// Of standard output and standard error together.
    pub bytes_max: usize,
}

/// What a command answered. `exit` is none when a signal ended it.
#[derive(Clone, PartialEq, Eq)]
pub struct Done {
    pub exit: Option<u32>,
    pub out: Vec<u8>,
    pub err: Vec<u8>,
}

impl Connection {
    pub(super) fn new(
        handle: Handle<ClientHandler>,
        abort: AbortOnDrop,
        options: &RemoteOptions,
    ) -> Self {
        let inlets = Mutex::new(Vec::new());
        Self { handle, abort, open_within: options.open_within, inlets }
    }

    pub fn is_live(&self) -> bool {
        !self.abort.0.is_cancelled() && !self.handle.is_closed()
    }

    /// Runs `command` to its end. Unless the server merely refused it, an error ends the
    /// connection: what still comes on it would belong to nobody.
    pub async fn exec(
        &self,
        command: &str,
        stdin: &[u8],
        limits: Limits,
    ) -> Result<Done, RemoteError> {
        let done = timeout(limits.within, self.gather(command, stdin, limits.bytes_max))
            .await
            .unwrap_or(Err(RemoteError::TimedOut(Cause::Command)));
        if done.as_ref().is_err_and(|error| *error != RemoteError::Refused(Cause::Command)) {
            self.abort.0.cancel();
        }
        done
    }

    async fn gather(
        &self,
        command: &str,
        stdin: &[u8],
        bytes_max: usize,
    ) -> Result<Done, RemoteError> {
        let mut channel = self.open(command, stdin).await?;
        let mut done = Done { exit: None, out: Vec::new(), err: Vec::new() };
        while let Some(piece) = channel.next().await {
            match piece {
                Piece::Out(bytes) => done.out.extend_from_slice(&bytes),
                Piece::Err(bytes) => done.err.extend_from_slice(&bytes),
                Piece::Exit(status) => done.exit = Some(status),
            }
            if done.out.len() + done.err.len() > bytes_max {
                return Err(RemoteError::TooMuch);
            }
        }
        if channel.has_ended() { Ok(done) } else { Err(LOST) }
    }

    /// Starts `command` and hands over its output as it comes. A channel that is not read holds
    /// up every other channel of its connection; a server that does not answer ends it.
    pub async fn open(&self, command: &str, stdin: &[u8]) -> Result<Channel, RemoteError> {
        self.channel(command, stdin, true).await
    }

    /// As `open`, but the standard input ends with the channel only: by it the command learns that
    /// nobody listens any more.
    pub async fn open_held(&self, command: &str, stdin: &[u8]) -> Result<Channel, RemoteError> {
        self.channel(command, stdin, false).await
    }

    async fn channel(
        &self,
        command: &str,
        stdin: &[u8],
        ends: bool,
    ) -> Result<Channel, RemoteError> {
        let opened = timeout(self.open_within, self.start(command))
            .await
            .unwrap_or(Err(RemoteError::TimedOut(Cause::Command)));
        if matches!(opened, Err(RemoteError::TimedOut(_) | RemoteError::Lost(_))) {
            self.abort.0.cancel();
        }
        let mut channel = opened?;
        channel.feed(stdin, ends);
        Ok(channel)
    }

    async fn start(&self, command: &str) -> Result<Channel, RemoteError> {
        let opened = self.handle.channel_open_session().await.map_err(|error| {
            let refused = matches!(error, Error::ChannelOpenFailure(_));
            if refused { RemoteError::Refused(Cause::Command) } else { LOST }
        });
        let (inlet, outlet) = opened?.split();
        // From here on a future that is dropped closes what it has opened.
        let mut channel = Channel::new(self.keep(inlet), outlet, self.abort.0.clone());
        channel.start(command).await?;
        Ok(channel)
    }

    fn keep(&self, half: ChannelReadHalf) -> Arc<Inlet> {
        let inlet = Arc::new(Inlet::new(half));
        let mut inlets = self.inlets.lock().unwrap_or_else(PoisonError::into_inner);
        inlets.retain(|inlet| inlet.strong_count() > 0);
        inlets.push(Arc::downgrade(&inlet));
        inlet
    }
}

impl Drop for Connection {
    /// russh's task may wait for a channel that is held but not read: no read of the socket, and
    /// so no cut, would reach it.
    fn drop(&mut self) {
        self.abort.0.cancel();
        let inlets = self.inlets.get_mut().unwrap_or_else(PoisonError::into_inner);
        for inlet in inlets.iter().filter_map(Weak::upgrade) {
            inlet.shut();
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("live", &self.is_live()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Done({:?}, {} + {} bytes)", self.exit, self.out.len(), self.err.len())
    }
}
