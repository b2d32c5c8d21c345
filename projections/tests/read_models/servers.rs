//! What the projection of servers makes of host keys, and of a watch that has stopped.

use chrono::{DateTime, Utc};
use domain::server::{
    ConnectFailure, Fingerprint, HostKey, KeyAlgorithm, PublicKey, ServerEvent, Watch,
};
use domain::{ServerCredentialId, ServerId};
use projections::servers::{Server, Servers};
use uuid::Uuid;

use crate::harness::{LogHarness, sealed, time};

const SERVER: Uuid = Uuid::from_u128(7);
const OLD: PublicKey = key(KeyAlgorithm::Rsa, 1);
const NEW: PublicKey = key(KeyAlgorithm::Ed25519, 2);
const OTHER: PublicKey = key(KeyAlgorithm::Ed25519, 3);

const fn key(algorithm: KeyAlgorithm, byte: u8) -> PublicKey {
    PublicKey { algorithm, fingerprint: Fingerprint([byte; 32]) }
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
    let registered = ServerEvent::Registered {
        name: sealed("name"),
        host: sealed("host"),
        port: 22,
        user: sealed("user"),
    };
    let observed = ServerEvent::HostKeyObserved { algorithm, fingerprint };
    let credential = ServerEvent::CredentialAttached {
        credential: ServerCredentialId(Uuid::from_u128(1)),
        algorithm: NEW.algorithm,
        fingerprint: NEW.fingerprint,
    };
    let announced = ServerEvent::HostKeysAnnounced { keys: vec![NEW] };
    let (cause, since): (_, DateTime<Utc>) = (ConnectFailure::Authentication, time(1));
    let stopped = || ServerEvent::WatchStopped { cause, failures: 10, since };

    let row = after(&harness, vec![registered, observed, approved(OLD), credential]).await;
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
    let registered = ServerEvent::Registered {
        name: sealed("name"),
        host: sealed("host"),
        port: 22,
        user: sealed("user"),
    };
    let PublicKey { algorithm, fingerprint } = OLD;
    let observed = ServerEvent::HostKeyObserved { algorithm, fingerprint };
    let announced = ServerEvent::HostKeysAnnounced { keys: vec![third] };
    let mismatched = ServerEvent::HostKeyMismatched {
        approved: OLD.fingerprint,
        seen: NEW.fingerprint,
        algorithm: NEW.algorithm,
    };

    let row = after(&harness, vec![registered, observed, approved(OLD), announced]).await;
    assert_eq!(row.proposals.0, vec![third]);
    let row = after(&harness, vec![mismatched, approved(NEW)]).await;

    assert_eq!(row.host_key.0, HostKey::Approved { key: NEW });
    assert!(row.proposals.0.is_empty());
    readers.stop().await;
}
