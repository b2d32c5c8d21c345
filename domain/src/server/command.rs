//! The commands of a server.

use chrono::{DateTime, Utc};

use super::{ConnectFailure, Credential, Fingerprint, KeyAlgorithm, PublicKey};
use crate::DeploymentId;
use crate::privacy::{
    DeploymentConfig, DeploymentName, Personal, ServerHost, ServerName, ServerUser,
};

/// What can be requested of a server.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields are those of the event that follows")]
pub enum ServerCommand {
    /// Registers a server. Nothing connects before its host key is approved.
    Register {
        name: Personal<ServerName>,
        host: Personal<ServerHost>,
        port: u16,
        user: Personal<ServerUser>,
    },
    /// Changes the name only.
    Rename { name: Personal<ServerName> },
    /// The server showed this key.
    ObserveHostKey { algorithm: KeyAlgorithm, fingerprint: Fingerprint },
    /// The server has proven over an approved connection that it holds these keys. Changes nothing while
    /// they are the ones that are known.
    AnnounceHostKeys { keys: Vec<PublicKey> },
    /// A person has compared it. It must be one that was observed, or announced over an approved
    /// connection.
    ApproveHostKey { fingerprint: Fingerprint },
    /// Replaces an earlier credential. Its private key is stored already.
    AttachCredential { credential: Credential },
    /// The approval ends: the host key must be observed and approved anew.
    ChangeAddress { host: Personal<ServerHost>, port: u16, user: Personal<ServerUser> },
    /// A connection with the credential succeeded. Changes nothing while it is reachable.
    ReportReachable,
    /// As often and as long as the [`UnreachableThreshold`](super::UnreachableThreshold) says.
    ReportUnreachable { cause: ConnectFailure, failures: u32, since: DateTime<Utc> },
    /// Too many connections to watch it failed. Changes nothing while the watch is stopped.
    StopWatch { cause: ConnectFailure, failures: u32, since: DateTime<Utc> },
    /// Adds a deployment. Changes nothing when there is one with this id.
    CreateDeployment {
        deployment: DeploymentId,
        name: Personal<DeploymentName>,
        config: Personal<DeploymentConfig>,
    },
    /// Refused when there is no deployment with this id.
    ReplaceDeployment {
        deployment: DeploymentId,
        name: Personal<DeploymentName>,
        config: Personal<DeploymentConfig>,
    },
    /// Runs that were requested keep their steps.
    DeleteDeployment { deployment: DeploymentId },
    /// Changes nothing if the server is deleted already.
    Delete,
}
