//! A server's host key.

use domain::server::{Fingerprint, KeyAlgorithm};
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
