//! Private keys that people send.

use std::process::Command;

use domain::server::KeyAlgorithm;
use russh::keys::PrivateKey;
use tempfile::tempdir;

use super::{SshHarness, run};
use crate::remote::{Identity, IdentityError};
use test_support::sshd::keygen;

/// A key as people make it, with the comment that names them, and its public half.
fn made(options: &[&str]) -> (String, String) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("key");
    let mut command = Command::new(keygen().unwrap());
    command.args(["-q", "-C", "ada@home"]).args(options).arg("-f").arg(&path);
    assert!(command.status().unwrap().success());
    let public = std::fs::read_to_string(folder.path().join("key.pub")).unwrap();
    (std::fs::read_to_string(&path).unwrap(), public)
}

pub(super) fn plain(kind: &[&str]) -> (String, String) {
    made(&[kind, &["-N", ""]].concat())
}

async fn is_let_in(identity: Identity) {
    let rsa = identity.algorithm() == KeyAlgorithm::Rsa;
    let harness = SshHarness::with(identity);
    assert_eq!(run(&harness.connect().await, "echo in").await.out, b"in\n");
    let log = harness.sshd.log();
    let offered = log.lines().find(|line| line.contains("pkalg")).unwrap();
    assert!(!offered.contains("pkalg ssh-rsa"), "{offered}");
    assert_eq!(offered.contains("pkalg rsa-sha2-512"), rsa, "{offered}");
}

#[tokio::test]
async fn keys_of_every_kind_are_let_in() {
    let kinds: [(&[&str], KeyAlgorithm); 6] = [
        (&["-t", "ed25519"], KeyAlgorithm::Ed25519),
        (&["-t", "ecdsa", "-b", "256"], KeyAlgorithm::EcdsaP256),
        (&["-t", "ecdsa", "-b", "384"], KeyAlgorithm::EcdsaP384),
        (&["-t", "rsa", "-b", "2048"], KeyAlgorithm::Rsa),
        (&["-t", "rsa", "-b", "2048", "-m", "PEM"], KeyAlgorithm::Rsa),
        (&["-t", "ecdsa", "-b", "256", "-m", "PKCS8"], KeyAlgorithm::EcdsaP256),
    ];
    for (kind, algorithm) in kinds {
        let (pem, public) = plain(kind);
        let identity = Identity::parse(&pem, None).unwrap();
        assert_eq!(identity.algorithm(), algorithm, "{kind:?}");
        assert_eq!(format!("{} ada@home\n", identity.public_line()), public, "{kind:?}");
        let kept = Identity::parse(&identity.to_pem(), None).unwrap();
        assert_eq!(kept.fingerprint(), identity.fingerprint());
        let written = PrivateKey::from_openssh(&*identity.to_pem()).unwrap();
        assert!(written.comment().as_bytes().is_empty(), "{kind:?}");
        let pasted = format!("\r\n {}", pem.replace('\n', "\r\n"));
        assert_eq!(Identity::parse(&pasted, None).unwrap().fingerprint(), identity.fingerprint());
        is_let_in(kept).await;
    }
}

#[tokio::test]
async fn an_encrypted_key_is_opened_by_its_passphrase_only() {
    let (pem, _) = made(&["-t", "ed25519", "-N", "open sesame"]);
    assert_eq!(Identity::parse(&pem, None).unwrap_err(), IdentityError::PassphraseNeeded);
    assert_eq!(Identity::parse(&pem, Some("no")).unwrap_err(), IdentityError::Passphrase);
    is_let_in(Identity::parse(&pem, Some("open sesame")).unwrap()).await;
}

#[test]
fn a_key_that_would_take_long_to_open_is_not_tried() {
    let (pem, _) = made(&["-t", "ed25519", "-a", "300", "-N", "open sesame"]);
    let outcome = Identity::parse(&pem, Some("open sesame"));
    assert_eq!(outcome.unwrap_err(), IdentityError::Encryption);
    let (pem, _) = made(&["-t", "ecdsa", "-m", "PKCS8", "-N", "open sesame"]);
    let outcome = Identity::parse(&pem, Some("open sesame"));
    assert_eq!(outcome.unwrap_err(), IdentityError::Encryption);
    let putty = "PuTTY-User-Key-File-3: ssh-ed25519\nKey-Derivation: Argon2id\n";
    assert_eq!(Identity::parse(putty, None).unwrap_err(), IdentityError::Encryption);
}

#[test]
fn what_is_no_key_or_a_weak_one_is_refused() {
    let (pem, public) = plain(&["-t", "rsa", "-b", "1024"]);
    assert_eq!(Identity::parse(&pem, None).unwrap_err(), IdentityError::Algorithm);
    let cut = pem.get(..pem.len() / 2).unwrap();
    for wrong in ["", "no key", &public, cut, &"x".repeat(40_000)] {
        assert_eq!(Identity::parse(wrong, None).unwrap_err(), IdentityError::Format);
    }
}

#[test]
fn generated_keys_differ_and_name_nobody() {
    let (one, other) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    assert_ne!(one.fingerprint(), other.fingerprint());
    assert_eq!(one.algorithm(), KeyAlgorithm::Ed25519);
    assert_eq!(one.public_line().split(' ').count(), 2);
}
