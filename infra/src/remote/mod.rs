//! Servers reached over SSH. Their addresses come from users, so the other end may be hostile.

mod address;
mod cancel;
mod channel;
mod client_handler;
mod connection;
mod dial;
mod egress;
mod error;
mod host_key;
mod identity;
mod options;
mod resolver;
pub mod sample;
mod settings;
pub mod task;
#[cfg(test)]
mod tests;

pub use address::Address;
pub use channel::{Channel, ChannelEvent};
pub use connection::{CommandOutput, Connection, Limits};
pub use egress::{AddressError, AllowanceError, Egress};
pub use error::RemoteError;
pub use host_key::HostKey;
pub use identity::{Identity, IdentityError};
pub use options::RemoteOptions;

use std::sync::Arc;

use domain::server::{ConnectFailure, KeyAlgorithm};
use russh::client;
use tokio::net::TcpStream;
use tokio::time::timeout;

use cancel::{AbortOnDrop, CancelHandle, CancellableStream};
use client_handler::ClientHandler;
use host_key::ShownKeys;
use resolver::Resolver;

/// Connects to servers under one egress policy and one set of time limits. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Remote {
    egress: Egress,
    resolver: Resolver,
    options: RemoteOptions,
}

/// A server after the key exchange, before any credential is offered.
struct Handshake {
    outcome: Result<client::Handle<ClientHandler>, RemoteError>,
    shown: Arc<ShownKeys>,
    abort: AbortOnDrop,
}

impl Remote {
    /// Connects nowhere yet.
    pub fn new(egress: Egress, options: RemoteOptions) -> Self {
        let resolver = Resolver::new(options.resolve_within);
        Self { egress, resolver, options }
    }

    /// The host key that the server proves to hold. No credential is offered.
    ///
    /// # Errors
    /// [`RemoteError`], with the stage that was reached.
    pub async fn observe(&self, address: &Address) -> Result<HostKey, RemoteError> {
        self.observe_first(address, None).await
    }

    /// The same: its key of the `first` algorithm, if it has one.
    ///
    /// # Errors
    /// [`RemoteError`], with the stage that was reached.
    pub async fn observe_first(
        &self,
        address: &Address,
        first: Option<KeyAlgorithm>,
    ) -> Result<HostKey, RemoteError> {
        let handshake = self.handshake(address, None, first).await?;
        handshake.shown.seen().ok_or_else(|| {
            handshake.outcome.err().unwrap_or(RemoteError::Lost(ConnectFailure::Identification))
        })
    }

    /// Connects to the server with the `pinned` host key, as `user`, with `identity`. A server that has
    /// other keys besides is asked for this one. The connection is closed when it is dropped.
    ///
    /// # Errors
    /// `HostKey` when the server shows another key: no credential was offered. Else the stage that the
    /// connection reached.
    pub async fn connect(
        &self,
        address: &Address,
        user: &str,
        pinned: HostKey,
        identity: &Identity,
    ) -> Result<Connection, RemoteError> {
        let handshake = self.handshake(address, Some(pinned), Some(pinned.algorithm)).await?;
        let mut handle = handshake.outcome?;
        let within = self.options.authenticate_within;
        timeout(within, identity.authenticate(&mut handle, user))
            .await
            .unwrap_or(Err(RemoteError::TimedOut(ConnectFailure::Authentication)))?;
        Ok(Connection::new(handle, handshake.abort, handshake.shown, &self.options))
    }

    async fn handshake(
        &self,
        address: &Address,
        pinned: Option<HostKey>,
        first: Option<KeyAlgorithm>,
    ) -> Result<Handshake, RemoteError> {
        let Self { egress, resolver, options } = self;
        let stream = dial::dial(egress, resolver, options, address).await?;
        let cancel = CancelHandle::default();
        let abort = AbortOnDrop(cancel.clone());
        let shown = Arc::new(ShownKeys::default());
        let pinned = pinned.map(|pinned| pinned.fingerprint);
        let handler = ClientHandler::new(pinned, Arc::clone(&shown), cancel.clone());
        let config = Arc::new(settings::config(options, first));
        let outcome = self.exchange_keys(stream, &cancel, config, handler).await;
        let outcome = match shown.seen() {
            Some(seen) if Some(seen.fingerprint) != pinned => Err(RemoteError::HostKey { seen }),
            Some(_) | None => outcome,
        };
        Ok(Handshake { outcome, shown, abort })
    }

    /// russh has no time limit for the key exchange.
    async fn exchange_keys(
        &self,
        stream: TcpStream,
        cancel: &CancelHandle,
        config: Arc<client::Config>,
        handler: ClientHandler,
    ) -> Result<client::Handle<ClientHandler>, RemoteError> {
        let stream = CancellableStream::new(stream, cancel.clone());
        let exchange = client::connect_stream(config, stream, handler);
        tokio::pin!(exchange);
        let identified = timeout(self.options.identify_within, async {
            tokio::select! {
                biased;
                () = cancel.identified() => None,
                done = &mut exchange => Some(done),
            }
        });
        let done = match identified
            .await
            .map_err(|_| RemoteError::TimedOut(ConnectFailure::Identification))?
        {
            Some(done) => done,
            None => timeout(self.options.exchange_within, exchange)
                .await
                .map_err(|_| RemoteError::TimedOut(ConnectFailure::Identification))?,
        };
        // russh's error may repeat what the server sent: it is not passed on.
        done.map_err(|_| RemoteError::Lost(ConnectFailure::Identification))
    }
}
