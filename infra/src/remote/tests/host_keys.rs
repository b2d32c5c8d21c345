//! A server that has several host keys, and one whose keys change.

use std::fs;
use std::process::Command;

use domain::server::KeyAlgorithm;
use russh::keys::PublicKey;
use tempfile::{TempDir, tempdir};

use super::{SshHarness, run};
use crate::remote::{Connection, HostKey, Identity, RemoteError};
use test_support::sshd::keygen;

const ONLY_RSA: &str = "HostKeyAlgorithms rsa-sha2-512,rsa-sha2-256";
const ONLY_ED25519: &str = "HostKeyAlgorithms ssh-ed25519";

/// An sshd with an RSA and an ECDSA key besides the ed25519 key of each, whose configuration says which it shows.
struct KeyedServer {
    harness: SshHarness,
    folder: TempDir,
    rsa: HostKey,
    ecdsa: HostKey,
}

impl KeyedServer {
    fn new(line: &str) -> Self {
        let folder = tempdir().unwrap();
        let rsa = make_key(&folder, &["-t", "rsa", "-b", "2048"]);
        let ecdsa = make_key(&folder, &["-t", "ecdsa", "-b", "384"]);
        let at = folder.path().display();
        fs::write(folder.path().join("sshd.conf"), line).unwrap();
        let config =
            format!("LogLevel DEBUG1\nInclude {at}/*.conf\nHostKey {at}/rsa\nHostKey {at}/ecdsa\n");
        let harness = SshHarness::of(Identity::generate().unwrap(), config);
        Self { harness, folder, rsa, ecdsa }
    }

    /// From the next connection on.
    fn show(&self, line: &str) {
        fs::write(self.folder.path().join("sshd.conf"), line).unwrap();
        self.harness.sshd.restart().unwrap();
    }

    async fn connect(&self, pinned: HostKey) -> Result<Connection, RemoteError> {
        let SshHarness { sshd, remote, identity } = &self.harness;
        remote.connect(&self.harness.address(), sshd.user(), pinned, identity).await
    }
}

fn make_key(folder: &TempDir, kind: &[&str]) -> HostKey {
    let path = folder.path().join(kind[1]);
    let mut command = Command::new(keygen().unwrap());
    command.args(["-q", "-N", "", "-C", ""]).args(kind).arg("-f").arg(&path);
    assert!(command.status().unwrap().success());
    let public = fs::read_to_string(path.with_extension("pub")).unwrap();
    HostKey::of(&PublicKey::from_openssh(&public).unwrap()).unwrap()
}

fn sorted(mut keys: Vec<HostKey>) -> Vec<HostKey> {
    keys.sort_by_key(|key| key.fingerprint);
    keys
}

#[tokio::test]
async fn a_server_that_gains_a_key_of_another_algorithm_is_asked_for_the_approved_one() {
    let server = KeyedServer::new(ONLY_RSA);
    let pinned = server.harness.remote.observe(&server.harness.address()).await.unwrap();
    assert_eq!(pinned, server.rsa);
    server.connect(pinned).await.unwrap();

    server.show("");

    let connection = server.connect(pinned).await.unwrap();
    assert_eq!(run(&connection, "echo in").await.out, b"in\n");
    assert_eq!(connection.host_key(), Some(pinned));
    // Whoever has approved nothing sees the new key; and each of the three can be the approved one.
    let (remote, address) = (&server.harness.remote, server.harness.address());
    assert_eq!(remote.observe(&address).await.unwrap(), server.harness.key());
    for key in [server.rsa, server.ecdsa, server.harness.key()] {
        assert_eq!(remote.observe_first(&address, Some(key.algorithm)).await.unwrap(), key);
        assert_eq!(server.connect(key).await.unwrap().host_key(), Some(key));
    }
}

#[tokio::test]
async fn a_server_that_has_lost_the_approved_key_shows_another_before_any_credential() {
    let server = KeyedServer::new(ONLY_ED25519);
    let seen = server.harness.key();
    for pinned in [server.rsa, server.ecdsa] {
        let error = server.connect(pinned).await.unwrap_err();
        assert_eq!(error, RemoteError::HostKey { seen });
    }
    assert!(!server.harness.was_asked());
    server.connect(seen).await.unwrap();
}

#[tokio::test]
async fn a_server_announces_the_keys_that_it_has_besides_and_proves_them() {
    let server = KeyedServer::new("");
    let all = [server.rsa, server.ecdsa, server.harness.key()];
    for pinned in all {
        let connection = server.connect(pinned).await.unwrap();
        run(&connection, "true").await;
        let others: Vec<HostKey> = all.into_iter().filter(|key| *key != pinned).collect();
        let announced = connection.announced_host_keys().unwrap();
        assert_eq!(sorted(announced), sorted(others.clone()));
        // Those of RSA, too: with SHA-2, whichever algorithm is pinned.
        let proven = connection.prove_host_keys().await.unwrap();
        assert_eq!(sorted(proven), sorted(others), "{:?}", pinned.algorithm);
        assert!(connection.is_live());
        assert_eq!(run(&connection, "echo in").await.out, b"in\n");
    }
}

#[tokio::test]
async fn a_server_with_one_key_announces_no_other() {
    let harness = SshHarness::new();
    let connection = harness.connect().await;
    run(&connection, "true").await;
    assert_eq!(connection.announced_host_keys(), Some(vec![]));
    assert_eq!(connection.prove_host_keys().await, Some(vec![]));
    assert_eq!(connection.host_key().unwrap().algorithm, KeyAlgorithm::Ed25519);
}
