//! What happened to a server.

use chrono::{DateTime, Utc};

use super::{ConnectFailure, Fingerprint, KeyAlgorithm, PublicKey};
use crate::privacy::{
    DeploymentConfig, DeploymentName, Personal, ServerHost, ServerName, ServerUser,
};
use crate::{DeploymentId, ServerCredentialId};

events! {
    /// What happened to a server.
    ServerEvent subject tenant {
        "server.registered" 1 => Registered {
            name: Personal<ServerName>,
            host: Personal<ServerHost>,
            port: u16,
            user: Personal<ServerUser>,
        }
        "server.renamed" 1 => Renamed { name: Personal<ServerName> }
        "server.host_key_observed" 1 => HostKeyObserved {
            algorithm: KeyAlgorithm,
            fingerprint: Fingerprint,
        }
        "server.host_key_approved" 1 => HostKeyApproved { fingerprint: Fingerprint }
        "server.host_key_mismatched" 1 => HostKeyMismatched {
            approved: Fingerprint,
            seen: Fingerprint,
            algorithm: KeyAlgorithm,
        }
        /// The keys that it holds besides the approved one: it proved that to a connection with that one.
        "server.host_keys_announced" 1 => HostKeysAnnounced { keys: Vec<PublicKey> }
        "server.credential_attached" 1 => CredentialAttached {
            credential: ServerCredentialId,
            algorithm: KeyAlgorithm,
            fingerprint: Fingerprint,
        }
        "server.credential_rotated" 1 => CredentialRotated {
            credential: ServerCredentialId,
            algorithm: KeyAlgorithm,
            fingerprint: Fingerprint,
        }
        "server.address_changed" 1 => AddressChanged {
            host: Personal<ServerHost>,
            port: u16,
            user: Personal<ServerUser>,
        }
        "server.reachable" 1 => Reachable {}
        "server.unreachable" 1 => Unreachable {
            cause: ConnectFailure,
            failures: u32,
            since: DateTime<Utc>,
        }
        /// Too many connections failed: nobody connects to watch it before something has changed.
        "server.watch_stopped" 1 => WatchStopped {
            cause: ConnectFailure,
            failures: u32,
            since: DateTime<Utc>,
        }
        "server.deployment_configured" 1 => DeploymentConfigured {
            deployment: DeploymentId,
            name: Personal<DeploymentName>,
            config: Personal<DeploymentConfig>,
        }
        "server.deployment_removed" 1 => DeploymentDeleted { deployment: DeploymentId }
        "server.removed" 1 => Deleted {}
    }
}
