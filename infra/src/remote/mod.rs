//! Servers reached over SSH. Their addresses come from users, so the other end may be hostile.

mod address;
mod channel;
mod connection;
mod dial;
mod egress;
mod error;
mod client_handler;
mod host_key;
mod identity;
mod line;
mod options;
pub mod sample;
mod settings;
pub mod sshd;
pub mod task;
#[cfg(test)]
mod tests;

pub use address::Address;
pub use channel::{Channel, Piece};
pub use connection::{Connection, Done, Limits};
pub use egress::{Egress, NotAnAllowance};
pub use error::{Refusal, RemoteError};
pub use host_key::HostKey;
pub use identity::{Identity, IdentityError};
pub use options::RemoteOptions;

use std::sync::{Arc, OnceLock};

use domain::server::{Cause, Fingerprint};
use russh::client;
use tokio::net::TcpStream;
use tokio::time::timeout;

use client_handler::ClientHandler;
use line::{Guarded, Hold, Line};

/// What every connection to a server starts from; cheap to clone.
#[derive(Clone, Debug)]
pub struct Remote {
    egress: Egress,
    options: RemoteOptions,
    config: Arc<client::Config>,
}

/// A server before it was asked to let anybody in.
struct Met {
    outcome: Result<client::Handle<ClientHandler>, RemoteError>,
    seen: Option<HostKey>,
    hold: Hold,
}

impl Remote {
    pub fn new(egress: Egress, options: RemoteOptions) -> Self {
        let config = Arc::new(settings::config(&options));
        Self { egress, options, config }
    }

    pub const fn egress(&self) -> &Egress {
        &self.egress
    }

    /// The key that the server proves to hold. No credential is offered.
    pub async fn observe(&self, address: &Address) -> Result<HostKey, RemoteError> {
        let met = self.meet(address, None).await?;
        met.seen
            .ok_or_else(|| met.outcome.err().unwrap_or(RemoteError::Lost(Cause::Identification)))
    }

    /// A connection on which `identity` was let in as `user`, by the server of the `pinned` key.
    /// It ends when it is dropped.
    pub async fn connect(
        &self,
        address: &Address,
        user: &str,
        pinned: Fingerprint,
        identity: &Identity,
    ) -> Result<Connection, RemoteError> {
        let met = self.meet(address, Some(pinned)).await?;
        let mut handle = met.outcome?;
        let within = self.options.authenticate_within;
        timeout(within, identity.authenticate(&mut handle, user))
            .await
            .unwrap_or(Err(RemoteError::TimedOut(Cause::Authentication)))?;
        Ok(Connection::new(handle, met.hold, &self.options))
    }

    async fn meet(
        &self,
        address: &Address,
        pinned: Option<Fingerprint>,
    ) -> Result<Met, RemoteError> {
        let stream = dial::dial(&self.egress, &self.options, address).await?;
        let line = Line::default();
        let hold = Hold(line.clone());
        let seen = Arc::new(OnceLock::new());
        let handler = ClientHandler::new(pinned, Arc::clone(&seen), line.clone());
        let outcome = self.shake_hands(stream, &line, handler).await;
        let seen = seen.get().copied();
        let outcome = match seen {
            Some(seen) if Some(seen.fingerprint) != pinned => Err(RemoteError::HostKey { seen }),
            Some(_) | None => outcome,
        };
        Ok(Met { outcome, seen, hold })
    }

    /// russh sets no limit of its own to what comes before the end of the key exchange.
    async fn shake_hands(
        &self,
        stream: TcpStream,
        line: &Line,
        handler: ClientHandler,
    ) -> Result<client::Handle<ClientHandler>, RemoteError> {
        let guarded = Guarded::new(stream, line.clone());
        let exchange = client::connect_stream(Arc::clone(&self.config), guarded, handler);
        tokio::pin!(exchange);
        let identified = timeout(self.options.identify_within, async {
            tokio::select! {
                biased;
                () = line.identified() => None,
                done = &mut exchange => Some(done),
            }
        });
        let done =
            match identified.await.map_err(|_| RemoteError::TimedOut(Cause::Identification))? {
                Some(done) => done,
                None => timeout(self.options.exchange_within, exchange)
                    .await
                    .map_err(|_| RemoteError::TimedOut(Cause::Identification))?,
            };
        // What the server said stays in russh's error, and goes no further.
        done.map_err(|_| RemoteError::Lost(Cause::Identification))
    }
}
