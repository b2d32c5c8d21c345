//! A server's host key.

use std::sync::OnceLock;

use domain::server::{Fingerprint, KeyAlgorithm, LiveServer};
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PublicKey};

/// The host key that a server proved to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostKey {
    /// Of the key, not of its signature.
    pub algorithm: KeyAlgorithm,
    /// SHA-256 of the public key.
    pub fingerprint: Fingerprint,
}

impl HostKey {
    pub(super) fn of(key: &PublicKey) -> Option<Self> {
        let fingerprint = key.fingerprint(HashAlg::Sha256).sha256().map(Fingerprint)?;
        Some(Self { algorithm: algorithm(&key.algorithm())?, fingerprint })
    }
}

impl From<domain::server::PublicKey> for HostKey {
    fn from(key: domain::server::PublicKey) -> Self {
        let domain::server::PublicKey { algorithm, fingerprint } = key;
        Self { algorithm, fingerprint }
    }
}

impl From<HostKey> for domain::server::PublicKey {
    fn from(key: HostKey) -> Self {
        let HostKey { algorithm, fingerprint } = key;
        Self { algorithm, fingerprint }
    }
}

/// What a server has shown of its host keys on one connection.
#[derive(Debug, Default)]
pub(super) struct ShownKeys {
    seen: OnceLock<HostKey>,
    announced: OnceLock<Vec<(HostKey, PublicKey)>>,
}

impl ShownKeys {
    /// The key that it proved to hold in the first key exchange.
    pub(super) fn seen(&self) -> Option<HostKey> {
        self.seen.get().copied()
    }

    /// `false`: it has shown one before.
    pub(super) fn show(&self, key: HostKey) -> bool {
        self.seen.set(key).is_ok()
    }

    /// The keys that it announced besides, of algorithms that are known; it may not hold them. `None`: it
    /// has announced nothing.
    pub(super) fn announced(&self) -> Option<&[(HostKey, PublicKey)]> {
        self.announced.get().map(Vec::as_slice)
    }

    /// Keeps at most [`LiveServer::PROPOSALS_MAX`] of them. `false`: it has announced keys before.
    pub(super) fn announce(&self, keys: Vec<PublicKey>) -> bool {
        let mut others: Vec<(HostKey, PublicKey)> = Vec::new();
        for key in keys {
            let Some(of) = HostKey::of(&key) else { continue };
            let is_new = Some(of) != self.seen() && others.iter().all(|(other, _)| *other != of);
            if is_new {
                others.push((of, key));
            }
            if others.len() == LiveServer::PROPOSALS_MAX {
                break;
            }
        }
        self.announced.set(others).is_ok()
    }
}

const KNOWN: &[(Algorithm, KeyAlgorithm)] = &[
    (Algorithm::Ed25519, KeyAlgorithm::Ed25519),
    (Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 }, KeyAlgorithm::EcdsaP256),
    (Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 }, KeyAlgorithm::EcdsaP384),
    (Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 }, KeyAlgorithm::EcdsaP521),
];

pub(super) fn algorithm(of: &Algorithm) -> Option<KeyAlgorithm> {
    if matches!(of, Algorithm::Rsa { .. }) {
        return Some(KeyAlgorithm::Rsa);
    }
    KNOWN.iter().find(|(known, _)| known == of).map(|(_, algorithm)| *algorithm)
}
