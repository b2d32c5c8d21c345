//! Each event as the log keeps it.

use chrono::DateTime;
use uuid::Uuid;

use super::{ConnectFailure, Fingerprint, KeyAlgorithm, PublicKey, ServerEvent};
use crate::privacy::Personal;
use crate::{DeploymentId, ServerCredentialId, golden};

#[test]
fn every_event_of_a_server_is_kept_as_it_ever_was() {
    let (one, other) = (Fingerprint([1; 32]), Fingerprint([2; 32]));
    let credential = ServerCredentialId(Uuid::from_u128(1));
    let deployment = DeploymentId(Uuid::from_u128(2));
    let algorithm = KeyAlgorithm::Ed25519;
    let since = DateTime::from_timestamp(1_763_800_000, 0).unwrap_or_default();
    golden::check(
        "server",
        vec![
            ServerEvent::Registered {
                name: Personal::Apart,
                host: Personal::Apart,
                port: 22,
                user: Personal::Apart,
            },
            ServerEvent::Renamed { name: Personal::Apart },
            ServerEvent::HostKeyObserved { algorithm, fingerprint: one },
            ServerEvent::HostKeyApproved { fingerprint: one },
            ServerEvent::HostKeyMismatched {
                approved: one,
                seen: other,
                algorithm: KeyAlgorithm::EcdsaP256,
            },
            ServerEvent::HostKeysAnnounced {
                keys: vec![PublicKey { algorithm, fingerprint: other }],
            },
            ServerEvent::CredentialAttached { credential, algorithm, fingerprint: one },
            ServerEvent::CredentialRotated {
                credential,
                algorithm: KeyAlgorithm::Rsa,
                fingerprint: other,
            },
            ServerEvent::AddressChanged {
                host: Personal::Apart,
                port: 2222,
                user: Personal::Apart,
            },
            ServerEvent::Reachable {},
            ServerEvent::Unreachable { cause: ConnectFailure::Tcp, failures: 4, since },
            ServerEvent::WatchStopped {
                cause: ConnectFailure::Authentication,
                failures: 10,
                since,
            },
            ServerEvent::DeploymentConfigured {
                deployment,
                name: Personal::Apart,
                config: Personal::Apart,
            },
            ServerEvent::DeploymentDeleted { deployment },
            ServerEvent::Deleted {},
        ],
    );
}
