//! Each event as the log keeps it.

use chrono::DateTime;
use uuid::Uuid;

use super::{Cause, Fingerprint, KeyAlgorithm, ServerEvent as Told};
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
            Told::Registered {
                name: Personal::Apart,
                host: Personal::Apart,
                port: 22,
                user: Personal::Apart,
            },
            Told::Renamed { name: Personal::Apart },
            Told::HostKeyObserved { algorithm, fingerprint: one },
            Told::HostKeyApproved { fingerprint: one },
            Told::HostKeyMismatched {
                approved: one,
                seen: other,
                algorithm: KeyAlgorithm::EcdsaP256,
            },
            Told::CredentialAttached { credential, algorithm, fingerprint: one },
            Told::CredentialRotated {
                credential,
                algorithm: KeyAlgorithm::Rsa,
                fingerprint: other,
            },
            Told::AddressChanged { host: Personal::Apart, port: 2222, user: Personal::Apart },
            Told::Reachable {},
            Told::Unreachable { cause: Cause::Tcp, failures: 4, since },
            Told::DeploymentConfigured {
                deployment,
                name: Personal::Apart,
                config: Personal::Apart,
            },
            Told::DeploymentRemoved { deployment },
            Told::Removed {},
        ],
    );
}
