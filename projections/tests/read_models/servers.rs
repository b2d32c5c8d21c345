//! What the projection of servers makes of host keys, of a watch that has stopped, and of another address.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain::server::{
    ConnectFailure, Credential, Fingerprint, HostKey, KeyAlgorithm, PublicKey, Reach, ServerEvent,
    Watch,
};
use domain::{DeploymentId, ServerCredentialId, ServerId};
use projections::servers::{Server, Servers};
use uuid::Uuid;

use crate::harness::{LogHarness, bytes, sealed, time};

const SERVER: Uuid = Uuid::from_u128(7);
const OLD: PublicKey = key(KeyAlgorithm::Rsa, 1);
const NEW: PublicKey = key(KeyAlgorithm::Ed25519, 2);
const OTHER: PublicKey = key(KeyAlgorithm::Ed25519, 3);

const fn key(algorithm: KeyAlgorithm, byte: u8) -> PublicKey {
    PublicKey { algorithm, fingerprint: Fingerprint([byte; 32]) }
}

fn registered() -> ServerEvent {
    ServerEvent::Registered {
        name: sealed("name"),
        host: sealed("host"),
        port: 22,
        user: sealed("user"),
    }
}

fn approved(key: PublicKey) -> ServerEvent {
    ServerEvent::HostKeyApproved { fingerprint: key.fingerprint }
}

/// The row after these events, which are all read.
async fn after(harness: &LogHarness, events: Vec<ServerEvent>) -> Server {
    for event in events {
        harness.record("server", SERVER, event).await;
    }
    harness.caught_up(&["servers"]).await;
    harness.row::<Servers>(ServerId(SERVER)).await.unwrap()
}

#[tokio::test]
async fn a_server_shows_its_keys_with_their_algorithms_and_whether_it_is_watched() {
    let harness = LogHarness::new().await;
    let readers = harness.read(projections::all()).await;
    let PublicKey { algorithm, fingerprint } = OLD;
    let observed = ServerEvent::HostKeyObserved { algorithm, fingerprint };
    let credential = ServerEvent::CredentialAttached {
        credential: ServerCredentialId(Uuid::from_u128(1)),
        algorithm: NEW.algorithm,
        fingerprint: NEW.fingerprint,
    };
    let announced = ServerEvent::HostKeysAnnounced { keys: vec![NEW] };
    let (cause, since): (_, DateTime<Utc>) = (ConnectFailure::Authentication, time(1));
    let stopped = || ServerEvent::WatchStopped { cause, failures: 10, since };

    let row = after(&harness, vec![registered(), observed, approved(OLD), credential]).await;
    assert_eq!((row.host_key.0, row.watch.0), (HostKey::Approved { key: OLD }, Watch::On));
    let row = after(&harness, vec![announced, stopped()]).await;
    assert_eq!((row.version, row.proposals.0), (6, vec![NEW]));
    assert_eq!(row.watch.0, Watch::Stopped { cause, since });
    let row = after(&harness, vec![ServerEvent::Reachable {}, stopped()]).await;
    assert_eq!(row.watch.0, Watch::Stopped { cause, since });
    let row = after(&harness, vec![approved(NEW)]).await;
    assert_eq!((row.host_key.0, row.watch.0), (HostKey::Approved { key: NEW }, Watch::On));
    assert!(row.proposals.0.is_empty());
    let mismatched = ServerEvent::HostKeyMismatched {
        approved: NEW.fingerprint,
        seen: OLD.fingerprint,
        algorithm: OLD.algorithm,
    };
    let announced = ServerEvent::HostKeysAnnounced { keys: vec![OTHER] };
    let row = after(&harness, vec![announced, mismatched]).await;
    assert_eq!(row.host_key.0, HostKey::Mismatched { approved: NEW, seen: OLD });
    assert_eq!(row.proposals.0, [OTHER]);
    let row = after(&harness, vec![approved(OLD)]).await;
    assert_eq!(row.host_key.0, HostKey::Approved { key: OLD });
    assert!(row.proposals.0.is_empty(), "they are another machine's");
    readers.stop().await;
}

#[tokio::test]
async fn what_a_server_announced_is_not_shown_once_another_machines_key_is_approved() {
    let harness = LogHarness::new().await;
    let readers = harness.read(projections::all()).await;
    let third = key(KeyAlgorithm::EcdsaP256, 3);
    let PublicKey { algorithm, fingerprint } = OLD;
    let observed = ServerEvent::HostKeyObserved { algorithm, fingerprint };
    let announced = ServerEvent::HostKeysAnnounced { keys: vec![third] };
    let mismatched = ServerEvent::HostKeyMismatched {
        approved: OLD.fingerprint,
        seen: NEW.fingerprint,
        algorithm: NEW.algorithm,
    };

    let row = after(&harness, vec![registered(), observed, approved(OLD), announced]).await;
    assert_eq!(row.proposals.0, vec![third]);
    let row = after(&harness, vec![mismatched, approved(NEW)]).await;

    assert_eq!(row.host_key.0, HostKey::Approved { key: NEW });
    assert!(row.proposals.0.is_empty());
    readers.stop().await;
}

#[tokio::test]
async fn behind_another_address_a_server_is_another_machine_with_the_same_name_and_credential() {
    let harness = LogHarness::new().await;
    let readers = harness.read(projections::all()).await;
    let PublicKey { algorithm, fingerprint } = OLD;
    let observed = ServerEvent::HostKeyObserved { algorithm, fingerprint };
    let announced = ServerEvent::HostKeysAnnounced { keys: vec![OTHER] };
    let PublicKey { algorithm, fingerprint } = NEW;
    let id = ServerCredentialId(Uuid::from_u128(1));
    let attached = ServerEvent::CredentialAttached { credential: id, algorithm, fingerprint };
    let deployment = DeploymentId(Uuid::from_u128(4));
    let configured = ServerEvent::DeploymentConfigured {
        deployment,
        name: sealed("deployment"),
        config: sealed("config"),
    };
    let (cause, since) = (ConnectFailure::Tcp, time(1));
    let unreachable = ServerEvent::Unreachable { cause, failures: 3, since };
    let stopped = ServerEvent::WatchStopped { cause, failures: 10, since };

    let events = vec![registered(), observed, approved(OLD), attached, announced, configured];
    after(&harness, events).await;
    let row = after(&harness, vec![unreachable, stopped]).await;
    assert_eq!((row.host_key.0, row.proposals.0), (HostKey::Approved { key: OLD }, vec![OTHER]));
    assert_eq!(row.reach.0, Reach::Unreachable { cause, since });
    assert_eq!(row.watch.0, Watch::Stopped { cause, since });
    let (host, user) = (sealed("another host"), sealed("another user"));
    let moved = ServerEvent::AddressChanged { host, port: 2222, user };
    let row = after(&harness, vec![moved]).await;

    let address = (bytes("another host"), 2222, bytes("another user"));
    assert_eq!((row.host, row.port, row.login), address);
    assert_eq!((row.host_key.0, row.proposals.0), (HostKey::Unobserved, vec![]));
    assert_eq!((row.reach.0, row.watch.0), (Reach::Unknown, Watch::On));
    assert_eq!((row.name, row.registered_at), (bytes("name"), time(1)));
    assert_eq!(row.credential.0, Some(Credential { id, algorithm, fingerprint }));
    assert_eq!(row.deployments.0, BTreeSet::from([deployment]));
    assert_eq!(row.version, 9);
    readers.stop().await;
}
