//! An authenticated connection, on which commands run.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use domain::server::ConnectFailure;
use russh::client::Handle;
use russh::{ChannelReadHalf, Error};
use tokio::time::timeout;

use super::cancel::AbortOnDrop;
use super::channel::{Channel, ChannelEvent, Inlet};
use super::client_handler::ClientHandler;
use super::host_key::ShownKeys;
use super::{HostKey, RemoteError, RemoteOptions};

const LOST: RemoteError = RemoteError::Lost(ConnectFailure::Command);
/// For the proofs of all announced host keys together.
const PROVE_WITHIN: Duration = Duration::from_secs(5);

/// An authenticated connection. Dropping it closes the socket and ends its channels and its task.
pub struct Connection {
    handle: Handle<ClientHandler>,
    abort: AbortOnDrop,
    open_within: Duration,
    shown: Arc<ShownKeys>,
    inlets: Mutex<Vec<Weak<Inlet>>>,
}

/// Limits of one command.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the request to the end of the command.
    pub within: Duration,
    /// Of standard output and standard error together.
    pub bytes_max: usize,
}

/// What a command wrote, and its exit status: `None` when a signal ended it.
#[derive(Clone, PartialEq, Eq)]
pub struct CommandOutput {
    /// `None`: a signal ended the command.
    pub exit: Option<u32>,
    /// Standard output.
    pub out: Vec<u8>,
    /// Standard error.
    pub err: Vec<u8>,
}

impl Connection {
    pub(super) fn new(
        handle: Handle<ClientHandler>,
        abort: AbortOnDrop,
        shown: Arc<ShownKeys>,
        options: &RemoteOptions,
    ) -> Self {
        let inlets = Mutex::new(Vec::new());
        Self { handle, abort, open_within: options.open_within, shown, inlets }
    }

    /// Whether commands can still be started on it, as far as this side knows.
    pub fn is_live(&self) -> bool {
        !self.abort.0.is_cancelled() && !self.handle.is_closed()
    }

    /// The pinned key, which the server has shown.
    pub fn host_key(&self) -> Option<HostKey> {
        self.shown.seen()
    }

    /// The host keys that the server announced besides the pinned one, at most
    /// [`LiveServer::PROPOSALS_MAX`](domain::server::LiveServer::PROPOSALS_MAX). It may not hold them: see
    /// [`Self::prove_host_keys`]. `None`: it has announced nothing so far; OpenSSH does before it opens the
    /// first channel (its PROTOCOL, 2.5).
    pub fn announced_host_keys(&self) -> Option<Vec<HostKey>> {
        let announced = self.shown.announced()?;
        Some(announced.iter().map(|(key, _)| *key).collect())
    }

    /// Those of the announced host keys that the server proves to hold, each by a signature over this
    /// session. `None`: it has announced nothing, the connection was lost, or not every answer came within
    /// 5 seconds.
    pub async fn prove_host_keys(&self) -> Option<Vec<HostKey>> {
        timeout(PROVE_WITHIN, self.prove_each()).await.ok().flatten()
    }

    /// One by one, since a request for several keys fails as a whole.
    async fn prove_each(&self) -> Option<Vec<HostKey>> {
        let mut proven = Vec::new();
        for (known, key) in self.shown.announced()? {
            match self.handle.hostkeys_prove(vec![key.clone()]).await {
                Ok(()) => proven.push(*known),
                Err(Error::Disconnect | Error::SendError) => return None,
                // The server refuses, or the signature is wrong, or of a kind that is not checked.
                Err(_) => {}
            }
        }
        Some(proven)
    }

    /// Runs `command` to its end, with `stdin` as its whole standard input.
    ///
    /// # Errors
    /// `Refused`: the server does not run it; the connection stays usable. `TimedOut`, `Lost` and
    /// `TooMuch` close the connection, since output of this command could still arrive on it.
    pub async fn exec(
        &self,
        command: &str,
        stdin: &[u8],
        limits: Limits,
    ) -> Result<CommandOutput, RemoteError> {
        let done = timeout(limits.within, self.gather(command, stdin, limits.bytes_max))
            .await
            .unwrap_or(Err(RemoteError::TimedOut(ConnectFailure::Command)));
        if done.as_ref().is_err_and(|error| *error != RemoteError::Refused(ConnectFailure::Command))
        {
            self.abort.0.cancel();
        }
        done
    }

    async fn gather(
        &self,
        command: &str,
        stdin: &[u8],
        bytes_max: usize,
    ) -> Result<CommandOutput, RemoteError> {
        let mut channel = self.open(command, stdin).await?;
        let mut output = CommandOutput { exit: None, out: Vec::new(), err: Vec::new() };
        while let Some(event) = channel.next().await {
            match event {
                ChannelEvent::Out(bytes) => output.out.extend_from_slice(&bytes),
                ChannelEvent::Err(bytes) => output.err.extend_from_slice(&bytes),
                ChannelEvent::Exit(status) => output.exit = Some(status),
            }
            if output.out.len() + output.err.len() > bytes_max {
                return Err(RemoteError::TooMuch);
            }
        }
        if channel.has_ended() { Ok(output) } else { Err(LOST) }
    }

    /// Starts `command` and returns a channel that yields its output as it comes. A channel that is
    /// not read blocks every other channel of its connection.
    ///
    /// # Errors
    /// As for [`Self::exec`], within [`RemoteOptions::open_within`].
    pub async fn open(&self, command: &str, stdin: &[u8]) -> Result<Channel, RemoteError> {
        self.channel(command, stdin, true).await
    }

    /// Like [`Self::open`], but the standard input stays open until the channel is dropped, by which
    /// the command learns that nobody reads its output any more.
    pub(super) async fn open_held(
        &self,
        command: &str,
        stdin: &[u8],
    ) -> Result<Channel, RemoteError> {
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
            .unwrap_or(Err(RemoteError::TimedOut(ConnectFailure::Command)));
        if matches!(opened, Err(RemoteError::TimedOut(_) | RemoteError::Lost(_))) {
            self.abort.0.cancel();
        }
        let mut channel = opened?;
        channel.feed(stdin, ends);
        Ok(channel)
    }

    async fn start(&self, command: &str) -> Result<Channel, RemoteError> {
        let mut opened = self.handle.channel_open_session().await;
        if matches!(opened, Err(Error::ChannelOpenFailure(_))) {
            // A server frees the place of a closed channel after it has read what came with the
            // close. An answer shows that it has.
            self.handle.send_ping().await.map_err(|_| LOST)?;
            opened = self.handle.channel_open_session().await;
        }
        let opened = opened.map_err(|error| {
            let refused = matches!(error, Error::ChannelOpenFailure(_));
            if refused { RemoteError::Refused(ConnectFailure::Command) } else { LOST }
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
    /// russh's task may wait for a channel that nobody reads. Then it does not read the socket, and
    /// would not notice that it is closed.
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

impl fmt::Debug for CommandOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommandOutput({:?}, {} + {} bytes)", self.exit, self.out.len(), self.err.len())
    }
}
