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

use std::sync::{Arc, OnceLock};

use domain::server::{ConnectFailure, Fingerprint};
use russh::client;
use tokio::net::TcpStream;
use tokio::time::timeout;

use cancel::{AbortOnDrop, CancelHandle, CancellableStream};
use client_handler::ClientHandler;

/// Connects to servers under one egress policy and one set of time limits. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Remote {
    egress: Egress,
    options: RemoteOptions,
    config: Arc<client::Config>,
}

/// A server after the key exchange, before any credential is offered.
struct Handshake {
    outcome: Result<client::Handle<ClientHandler>, RemoteError>,
    seen: Option<HostKey>,
    abort: AbortOnDrop,
}

impl Remote {
    /// Connects nowhere yet.
    pub fn new(egress: Egress, options: RemoteOptions) -> Self {
        let config = Arc::new(settings::config(&options));
        Self { egress, options, config }
    }

    /// The host key that the server proves to hold. No credential is offered.
    ///
    /// # Errors
    /// [`RemoteError`], with the stage that was reached.
    pub async fn observe(&self, address: &Address) -> Result<HostKey, RemoteError> {
        let handshake = self.handshake(address, None).await?;
        handshake.seen.ok_or_else(|| {
            handshake.outcome.err().unwrap_or(RemoteError::Lost(ConnectFailure::Identification))
        })
    }

    /// Connects to the server with the `pinned` host key, as `user`, with `identity`. The connection
    /// is closed when it is dropped.
    ///
    /// # Errors
    /// `HostKey` when the server shows another key: no credential was offered. Else the stage that the
    /// connection reached.
    pub async fn connect(
        &self,
        address: &Address,
        user: &str,
        pinned: Fingerprint,
        identity: &Identity,
    ) -> Result<Connection, RemoteError> {
        let handshake = self.handshake(address, Some(pinned)).await?;
        let mut handle = handshake.outcome?;
        let within = self.options.authenticate_within;
        timeout(within, identity.authenticate(&mut handle, user))
            .await
            .unwrap_or(Err(RemoteError::TimedOut(ConnectFailure::Authentication)))?;
        Ok(Connection::new(handle, handshake.abort, &self.options))
    }

    async fn handshake(
        &self,
        address: &Address,
        pinned: Option<Fingerprint>,
    ) -> Result<Handshake, RemoteError> {
        let stream = dial::dial(&self.egress, &self.options, address).await?;
        let cancel = CancelHandle::default();
        let abort = AbortOnDrop(cancel.clone());
        let seen = Arc::new(OnceLock::new());
        let handler = ClientHandler::new(pinned, Arc::clone(&seen), cancel.clone());
        let outcome = self.exchange_keys(stream, &cancel, handler).await;
        let seen = seen.get().copied();
        let outcome = match seen {
            Some(seen) if Some(seen.fingerprint) != pinned => Err(RemoteError::HostKey { seen }),
            Some(_) | None => outcome,
        };
        Ok(Handshake { outcome, seen, abort })
    }

    /// russh has no time limit for the key exchange.
    async fn exchange_keys(
        &self,
        stream: TcpStream,
        cancel: &CancelHandle,
        handler: ClientHandler,
    ) -> Result<client::Handle<ClientHandler>, RemoteError> {
        let stream = CancellableStream::new(stream, cancel.clone());
        let exchange = client::connect_stream(Arc::clone(&self.config), stream, handler);
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
