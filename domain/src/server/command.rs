//! The commands of a server.

use chrono::{DateTime, Utc};

use super::{ConnectFailure, Credential, Fingerprint, KeyAlgorithm};
use crate::DeploymentId;
use crate::privacy::{
    DeploymentConfig, DeploymentName, Personal, ServerHost, ServerName, ServerUser,
};

#[derive(Clone, Debug)]
pub enum ServerCommand {
    Register {
        name: Personal<ServerName>,
        host: Personal<ServerHost>,
        port: u16,
        user: Personal<ServerUser>,
    },
    Rename {
        name: Personal<ServerName>,
    },
    /// The server showed this key.
    ObserveHostKey {
        algorithm: KeyAlgorithm,
        fingerprint: Fingerprint,
    },
    ApproveHostKey {
        fingerprint: Fingerprint,
    },
    AttachCredential {
        credential: Credential,
    },
    ChangeAddress {
        host: Personal<ServerHost>,
        port: u16,
        user: Personal<ServerUser>,
    },
    ReportReachable,
    /// As often and as long as the [`UnreachableThreshold`](super::UnreachableThreshold) says.
    ReportUnreachable {
        cause: ConnectFailure,
        failures: u32,
        since: DateTime<Utc>,
    },
    ConfigureDeployment {
        deployment: DeploymentId,
        name: Personal<DeploymentName>,
        config: Personal<DeploymentConfig>,
    },
    DeleteDeployment {
        deployment: DeploymentId,
    },
    Delete,
}
