//! What decisions about a server rest on, and these decisions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Credential, Deployment, Fingerprint, HostKey, PublicKey, Reach, ServerCommand, ServerError,
    ServerEvent, Watch,
};
use crate::DeploymentId;
use crate::privacy::{Personal, ServerHost, ServerName, ServerUser};

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
    /// At most [`LiveServer::PROPOSALS_MAX`]: the keys that it proved to hold besides the approved one,
    /// while it showed that one. Nobody has approved them.
    pub proposals: Vec<PublicKey>,
    /// How often it may have become another machine: its address changed, or a person approved a key
    /// that it had not announced in place of the approved one.
    pub moves: u32,
    /// The key that is offered to it, once one is attached.
    pub credential: Option<Credential>,
    /// Whether it was reached, as far as is known.
    pub reach: Reach,
    /// Whether anybody connects to find that out.
    pub watch: Watch,
    /// At most [`LiveServer::DEPLOYMENTS_MAX`].
    pub deployments: BTreeMap<DeploymentId, Deployment>,
}

impl LiveServer {
    /// The most deployments that a server may have.
    pub const DEPLOYMENTS_MAX: usize = 32;
    /// The most announced host keys that are kept of a server.
    pub const PROPOSALS_MAX: usize = 8;

    pub(super) fn new(
        name: Personal<ServerName>,
        host: Personal<ServerHost>,
        port: u16,
        user: Personal<ServerUser>,
    ) -> Self {
        Self {
            name,
            host,
            port,
            user,
            host_key: HostKey::Unobserved,
            proposals: Vec::new(),
            moves: 0,
            credential: None,
            reach: Reach::Unknown,
            watch: Watch::On,
            deployments: BTreeMap::new(),
        }
    }

    /// Whether Lethe may connect with the credential, and so watches the server.
    pub const fn is_usable(&self) -> bool {
        self.host_key.pinned().is_some() && self.credential.is_some()
    }

    pub(super) fn decide(&self, command: ServerCommand) -> Result<Vec<ServerEvent>, ServerError> {
        Ok(match command {
            ServerCommand::Register { .. } => return Err(ServerError::AlreadyExists),
            ServerCommand::Rename { name } => vec![ServerEvent::Renamed { name }],
            ServerCommand::ObserveHostKey { algorithm, fingerprint } => {
                let seen = PublicKey { algorithm, fingerprint };
                self.host_key.observe(seen).into_iter().collect()
            }
            ServerCommand::AnnounceHostKeys { keys } => self.announce(keys),
            ServerCommand::ApproveHostKey { fingerprint } => {
                self.host_key.decide_approval(fingerprint, &self.proposals)?
            }
            ServerCommand::AttachCredential { credential } => self.attach(credential),
            ServerCommand::ChangeAddress { host, port, user } => {
                vec![ServerEvent::AddressChanged { host, port, user }]
            }
            // What was measured before the stop, or before the address changed, says nothing.
            ServerCommand::ReportReachable
            | ServerCommand::ReportUnreachable { .. }
            | ServerCommand::StopWatch { .. }
                if !self.is_usable() =>
            {
                vec![]
            }
            ServerCommand::ReportReachable => match (self.reach, self.watch) {
                (Reach::Reachable, Watch::On) => vec![],
                (Reach::Unknown | Reach::Reachable | Reach::Unreachable { .. }, _) => {
                    vec![ServerEvent::Reachable {}]
                }
            },
            ServerCommand::ReportUnreachable { cause, failures, since } => match self.reach {
                Reach::Unreachable { .. } => vec![],
                Reach::Unknown | Reach::Reachable => {
                    vec![ServerEvent::Unreachable { cause, failures, since }]
                }
            },
            ServerCommand::StopWatch { cause, failures, since } => match self.watch {
                Watch::Stopped { .. } => vec![],
                Watch::On => vec![ServerEvent::WatchStopped { cause, failures, since }],
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

    /// In an order of their own, so that the same keys are the same proposals.
    fn announce(&self, mut keys: Vec<PublicKey>) -> Vec<ServerEvent> {
        let Some(pinned) = self.host_key.pinned() else { return vec![] };
        keys.retain(|key| key.fingerprint != pinned.fingerprint);
        keys.sort_unstable_by_key(|key| key.fingerprint);
        keys.dedup_by_key(|key| key.fingerprint);
        keys.truncate(Self::PROPOSALS_MAX);
        if keys == self.proposals { vec![] } else { vec![ServerEvent::HostKeysAnnounced { keys }] }
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

    fn approve(&mut self, fingerprint: Fingerprint) {
        if self.host_key.is_replaced_by(fingerprint, &self.proposals) {
            self.moves = self.moves.saturating_add(1);
            // It was the machine before that has proven to hold them.
            self.proposals.clear();
        }
        self.host_key = self.host_key.approve(fingerprint, &self.proposals);
        self.proposals.retain(|key| key.fingerprint != fingerprint);
        self.watch = Watch::On;
    }

    pub(super) fn apply(&mut self, event: ServerEvent) {
        match event {
            ServerEvent::Renamed { name } => self.name = name,
            ServerEvent::HostKeyObserved { algorithm, fingerprint } => {
                self.host_key = HostKey::Observed { key: PublicKey { algorithm, fingerprint } };
            }
            ServerEvent::HostKeyApproved { fingerprint } => self.approve(fingerprint),
            ServerEvent::HostKeyMismatched { seen: fingerprint, algorithm, .. } => {
                self.host_key = self.host_key.mismatch(PublicKey { algorithm, fingerprint });
                self.reach = Reach::Unknown;
            }
            ServerEvent::HostKeysAnnounced { keys } => self.proposals = keys,
            ServerEvent::CredentialAttached { credential: id, algorithm, fingerprint }
            | ServerEvent::CredentialRotated { credential: id, algorithm, fingerprint } => {
                self.credential = Some(Credential { id, algorithm, fingerprint });
                self.watch = Watch::On;
            }
            ServerEvent::AddressChanged { host, port, user } => {
                (self.host, self.port, self.user) = (host, port, user);
                (self.host_key, self.reach) = (HostKey::Unobserved, Reach::Unknown);
                (self.proposals, self.watch) = (Vec::new(), Watch::On);
                self.moves = self.moves.saturating_add(1);
            }
            ServerEvent::Reachable {} => {
                (self.reach, self.watch) = (Reach::Reachable, Watch::On);
            }
            ServerEvent::Unreachable { cause, since, .. } => {
                self.reach = Reach::Unreachable { cause, since };
            }
            ServerEvent::WatchStopped { cause, since, .. } => {
                self.watch = Watch::Stopped { cause, since };
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
