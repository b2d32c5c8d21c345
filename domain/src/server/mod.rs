//! A server that a workspace has Lethe reach over SSH. Nothing connects with a credential before
//! a person approved the key that the server shows, nor once it shows another.

mod command;
mod connect_failure;
mod error;
mod event;
#[cfg(test)]
mod golden;
mod host_key;
mod key;
mod live;
#[cfg(test)]
mod tests;
mod unreachable;

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

pub use command::ServerCommand;
pub use connect_failure::ConnectFailure;
pub use error::ServerError;
pub use event::ServerEvent;
pub use host_key::HostKey;
pub use key::{Fingerprint, KeyAlgorithm, NotAFingerprint, PublicKey};
pub use live::LiveServer;
pub use unreachable::{Failures, UnreachableThreshold};

use crate::privacy::{DeploymentConfig, DeploymentName, Personal};
use crate::{AggregateRoot, ServerCredentialId};

/// The state of a server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Server {
    /// Not registered.
    #[default]
    Absent,
    /// Registered, and not deleted.
    Live(Box<LiveServer>),
    /// Deleted.
    Ended,
}

/// The key that is offered to the server; its private half stands elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The row that holds the private half.
    pub id: ServerCredentialId,
    /// Of the key.
    pub algorithm: KeyAlgorithm,
    /// Of the public half.
    pub fingerprint: Fingerprint,
}

/// Whether a server is reached with its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Nothing was measured since the address or the key changed.
    Unknown,
    /// The last connection succeeded.
    Reachable,
    /// Too many connections failed, for too long.
    Unreachable {
        /// Why the connection failed with which it became unreachable.
        cause: ConnectFailure,
        /// When the first failure in a row was.
        since: DateTime<Utc>,
    },
}

/// Whether connections are made to watch a server that may be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Watch {
    /// They are.
    On,
    /// None is made before its credential, its host key or its address is another one, or somebody
    /// reaches it.
    Stopped {
        /// Why the last one failed.
        cause: ConnectFailure,
        /// When the first failure in a row was.
        since: DateTime<Utc>,
    },
}

/// A named way to deploy on the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    /// What people call it.
    pub name: Personal<DeploymentName>,
    /// Its steps.
    pub config: Personal<DeploymentConfig>,
}

impl Server {
    /// The server, unless it is not registered yet or deleted.
    pub fn live(&self) -> Option<&LiveServer> {
        match self {
            Self::Live(live) => Some(live),
            Self::Absent | Self::Ended => None,
        }
    }
}

impl AggregateRoot for Server {
    const SNAPSHOT_VERSION: i16 = 4;

    fn decide(&self, command: ServerCommand) -> Result<Vec<ServerEvent>, ServerError> {
        match (self, command) {
            (Self::Absent, ServerCommand::Register { name, host, port, user }) => {
                Ok(vec![ServerEvent::Registered { name, host, port, user }])
            }
            (Self::Ended, ServerCommand::Register { .. }) => Err(ServerError::AlreadyExists),
            (Self::Ended, ServerCommand::Delete) => Ok(vec![]),
            (Self::Absent | Self::Ended, _) => Err(ServerError::Unknown),
            (Self::Live(live), command) => live.decide(command),
        }
    }
}

impl Aggregate for Server {
    const TYPE: &'static str = "server";
    type Command = ServerCommand;
    type Event = ServerEvent;
    type Error = ServerError;
    type Services = ();

    async fn handle(
        &mut self,
        command: ServerCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), ServerError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: ServerEvent) {
        if let ServerEvent::Registered { name, host, port, user } = event {
            *self = Self::Live(Box::new(LiveServer::new(name, host, port, user)));
        } else if let ServerEvent::Deleted {} = event {
            *self = Self::Ended;
        } else if let Self::Live(live) = self {
            live.apply(event);
        }
    }
}
