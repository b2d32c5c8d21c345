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
#[cfg(test)]
mod tests;
mod unreachable;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

pub use command::ServerCommand;
pub use connect_failure::ConnectFailure;
pub use error::ServerError;
pub use event::ServerEvent;
pub use host_key::HostKey;
pub use key::{Fingerprint, KeyAlgorithm, NotAFingerprint};
pub use unreachable::{Failures, UnreachableThreshold};

use crate::privacy::{
    DeploymentConfig, DeploymentName, Personal, ServerHost, ServerName, ServerUser,
};
use crate::{AggregateRoot, DeploymentId, ServerCredentialId};

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

/// What decisions about a server rest on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveServer {
    /// What people call it.
    pub name: Personal<ServerName>,
    /// Its host name or address.
    pub host: Personal<ServerHost>,
    /// Its TCP port for SSH.
    pub port: u16,
    /// Whom Lethe logs in as.
    pub user: Personal<ServerUser>,
    /// What is known of the key that it shows.
    pub host_key: HostKey,
    /// The key that is offered to it, once one is attached.
    pub credential: Option<Credential>,
    /// Whether it was reached, as far as is known.
    pub reach: Reach,
    /// At most [`LiveServer::DEPLOYMENTS_MAX`].
    pub deployments: BTreeMap<DeploymentId, Deployment>,
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
    const SNAPSHOT_VERSION: i16 = 3;

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
            *self = Self::Live(Box::new(LiveServer {
                name,
                host,
                port,
                user,
                host_key: HostKey::Unobserved,
                credential: None,
                reach: Reach::Unknown,
                deployments: BTreeMap::new(),
            }));
        } else if let ServerEvent::Deleted {} = event {
            *self = Self::Ended;
        } else if let Self::Live(live) = self {
            live.apply(event);
        }
    }
}

impl LiveServer {
    /// The most deployments that a server may have.
    pub const DEPLOYMENTS_MAX: usize = 32;

    /// Whether Lethe may connect with the credential, and so watches the server.
    pub const fn is_usable(&self) -> bool {
        self.host_key.pinned().is_some() && self.credential.is_some()
    }

    fn decide(&self, command: ServerCommand) -> Result<Vec<ServerEvent>, ServerError> {
        Ok(match command {
            ServerCommand::Register { .. } => return Err(ServerError::AlreadyExists),
            ServerCommand::Rename { name } => vec![ServerEvent::Renamed { name }],
            ServerCommand::ObserveHostKey { algorithm, fingerprint } => {
                self.host_key.observe(algorithm, fingerprint).into_iter().collect()
            }
            ServerCommand::ApproveHostKey { fingerprint } => self.host_key.approve(fingerprint)?,
            ServerCommand::AttachCredential { credential } => self.attach(credential),
            ServerCommand::ChangeAddress { host, port, user } => {
                vec![ServerEvent::AddressChanged { host, port, user }]
            }
            // What was measured before the stop, or before the address changed, says nothing.
            ServerCommand::ReportReachable | ServerCommand::ReportUnreachable { .. }
                if !self.is_usable() =>
            {
                vec![]
            }
            ServerCommand::ReportReachable => match self.reach {
                Reach::Reachable => vec![],
                Reach::Unknown | Reach::Unreachable { .. } => vec![ServerEvent::Reachable {}],
            },
            ServerCommand::ReportUnreachable { cause, failures, since } => match self.reach {
                Reach::Unreachable { .. } => vec![],
                Reach::Unknown | Reach::Reachable => {
                    vec![ServerEvent::Unreachable { cause, failures, since }]
                }
            },
            ServerCommand::CreateDeployment { deployment, .. }
                if self.deployments.contains_key(&deployment) =>
            {
                vec![]
            }
            ServerCommand::CreateDeployment { deployment, name, config } => {
                if self.deployments.len() >= Self::DEPLOYMENTS_MAX {
                    return Err(ServerError::TooManyDeployments);
                }
                vec![ServerEvent::DeploymentConfigured { deployment, name, config }]
            }
            ServerCommand::ReplaceDeployment { deployment, name, config } => {
                self.check_deployment(deployment)?;
                vec![ServerEvent::DeploymentConfigured { deployment, name, config }]
            }
            ServerCommand::DeleteDeployment { deployment } => {
                self.check_deployment(deployment)?;
                vec![ServerEvent::DeploymentDeleted { deployment }]
            }
            ServerCommand::Delete => vec![ServerEvent::Deleted {}],
        })
    }

    fn check_deployment(&self, deployment: DeploymentId) -> Result<(), ServerError> {
        let known = self.deployments.contains_key(&deployment);
        if known { Ok(()) } else { Err(ServerError::UnknownDeployment) }
    }

    fn attach(&self, credential: Credential) -> Vec<ServerEvent> {
        let Credential { id, algorithm, fingerprint } = credential;
        match self.credential {
            Some(before) if before.id == id => vec![],
            Some(_) => {
                vec![ServerEvent::CredentialRotated { credential: id, algorithm, fingerprint }]
            }
            None => {
                vec![ServerEvent::CredentialAttached { credential: id, algorithm, fingerprint }]
            }
        }
    }

    fn apply(&mut self, event: ServerEvent) {
        match event {
            ServerEvent::Renamed { name } => self.name = name,
            ServerEvent::HostKeyObserved { fingerprint, .. } => {
                self.host_key = HostKey::Observed { fingerprint };
            }
            ServerEvent::HostKeyApproved { fingerprint } => {
                self.host_key = HostKey::Approved { fingerprint };
            }
            ServerEvent::HostKeyMismatched { approved, seen, .. } => {
                self.host_key = HostKey::Mismatched { approved, seen };
                self.reach = Reach::Unknown;
            }
            ServerEvent::CredentialAttached { credential: id, algorithm, fingerprint }
            | ServerEvent::CredentialRotated { credential: id, algorithm, fingerprint } => {
                self.credential = Some(Credential { id, algorithm, fingerprint });
            }
            ServerEvent::AddressChanged { host, port, user } => {
                (self.host, self.port, self.user) = (host, port, user);
                (self.host_key, self.reach) = (HostKey::Unobserved, Reach::Unknown);
            }
            ServerEvent::Reachable {} => self.reach = Reach::Reachable,
            ServerEvent::Unreachable { cause, since, .. } => {
                self.reach = Reach::Unreachable { cause, since };
            }
            ServerEvent::DeploymentConfigured { deployment, name, config } => {
                self.deployments.insert(deployment, Deployment { name, config });
            }
            ServerEvent::DeploymentDeleted { deployment } => {
                self.deployments.remove(&deployment);
            }
            ServerEvent::Registered { .. } | ServerEvent::Deleted {} => {}
        }
    }
}
