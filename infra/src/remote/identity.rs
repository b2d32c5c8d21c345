//! The private key with which Lethe authenticates to a server.

use std::fmt;
use std::sync::Arc;

use domain::server::{ConnectFailure, Fingerprint, KeyAlgorithm};
use russh::client::{AuthResult, Handle};
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::ssh_key::public::RsaPublicKey;
use russh::keys::ssh_key::{Kdf, LineEnding};
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, decode_secret_key};
use zeroize::Zeroizing;

use super::client_handler::ClientHandler;
use super::{HostKey, RemoteError};
use crate::random::{self, NoRandomness};

const PEM_BYTES_MAX: usize = 32 * 1024;
/// bcrypt rounds. `ssh-keygen` uses 16 to 24; each round takes some milliseconds.
const ROUNDS_MAX: u32 = 256;
const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=8192;

/// A private key. Its memory is zeroed when the last clone is dropped; `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Identity {
    key: Arc<PrivateKey>,
    public: HostKey,
}

/// Why a key is not accepted. No text holds a part of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not a key in a known format, or too long.
    #[error("this is not a private key: use OpenSSH's format, PKCS#1 or PKCS#8, of at most 32 KiB")]
    Format,
    /// The key is encrypted and no passphrase came with it.
    #[error("the key is encrypted: send its passphrase too")]
    PassphraseNeeded,
    /// The key is encrypted under another passphrase.
    #[error("the passphrase does not decrypt this key")]
    Passphrase,
    /// The key is encrypted in a way that is not read, or that costs too much to try.
    #[error(
        "this kind of encryption is not supported: use OpenSSH's format with at most {ROUNDS_MAX} rounds"
    )]
    Encryption,
    /// The key can be read, but Lethe does not use this algorithm or this length.
    #[error("this kind of key is not supported: use ed25519, ECDSA, or RSA of 2048 to 8192 bits")]
    Algorithm,
    /// No key could be drawn.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

impl Identity {
    /// A new ed25519 key.
    ///
    /// # Errors
    /// `Random`.
    pub fn generate() -> Result<Self, IdentityError> {
        let seed = Zeroizing::new(random::bytes()?);
        let pair = KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed));
        Self::of(PrivateKey::new(pair, "").map_err(|_| IdentityError::Format)?)
    }

    /// Reads a key that a user sent. With a passphrase this takes about a second of one core: call it
    /// on a blocking thread.
    ///
    /// # Errors
    /// Any but `Random`.
    pub fn parse(pem: &str, passphrase: Option<&str>) -> Result<Self, IdentityError> {
        if pem.len() > PEM_BYTES_MAX {
            return Err(IdentityError::Format);
        }
        let pem = pem.trim();
        let openssh = pem.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----");
        let key = if openssh { openssh_key(pem, passphrase)? } else { other_key(pem)? };
        Self::of(key)
    }

    fn of(mut key: PrivateKey) -> Result<Self, IdentityError> {
        // A comment often names a person and a machine.
        key.set_comment("");
        let public = HostKey::of(key.public_key()).ok_or(IdentityError::Algorithm)?;
        let bits = key.public_key().key_data().rsa().map(RsaPublicKey::key_size);
        if bits.is_some_and(|bits| !RSA_BITS.contains(&bits)) {
            return Err(IdentityError::Algorithm);
        }
        Ok(Self { key: Arc::new(key), public })
    }

    /// The public key as a line of `authorized_keys`.
    pub fn public_line(&self) -> String {
        self.key.public_key().to_openssh().unwrap_or_default()
    }

    /// SHA-256 of the public key.
    pub const fn fingerprint(&self) -> Fingerprint {
        self.public.fingerprint
    }

    /// The algorithm of the key.
    pub const fn algorithm(&self) -> KeyAlgorithm {
        self.public.algorithm
    }

    /// The private key in OpenSSH's format, not encrypted.
    pub fn to_pem(&self) -> Zeroizing<String> {
        self.key.to_openssh(LineEnding::LF).unwrap_or_default()
    }

    pub(super) async fn authenticate(
        &self,
        handle: &mut Handle<ClientHandler>,
        user: &str,
    ) -> Result<(), RemoteError> {
        let lost = |_: russh::Error| RemoteError::Lost(ConnectFailure::Authentication);
        let hash = if self.key.algorithm().is_rsa() {
            match handle.best_supported_rsa_hash().await.map_err(lost)? {
                // The server accepts only SHA-1, which is not offered.
                Some(None) => return Err(RemoteError::Refused(ConnectFailure::Authentication)),
                Some(Some(hash)) => Some(hash),
                None => Some(HashAlg::Sha256),
            }
        } else {
            None
        };
        let key = PrivateKeyWithHashAlg::new(Arc::clone(&self.key), hash);
        match handle.authenticate_publickey(user, key).await.map_err(lost)? {
            AuthResult::Success => Ok(()),
            // russh reports the end of a connection as a refusal without remaining methods.
            AuthResult::Failure { remaining_methods, .. } if remaining_methods.is_empty() => {
                Err(RemoteError::Lost(ConnectFailure::Authentication))
            }
            AuthResult::Failure { .. } => Err(RemoteError::Refused(ConnectFailure::Authentication)),
        }
    }
}

fn openssh_key(pem: &str, passphrase: Option<&str>) -> Result<PrivateKey, IdentityError> {
    let key = PrivateKey::from_openssh(pem).map_err(|_| IdentityError::Format)?;
    if !key.is_encrypted() {
        return Ok(key);
    }
    // The file sets the number of rounds that are needed to open it.
    let is_affordable = matches!(key.kdf(), Kdf::Bcrypt { rounds, .. } if *rounds <= ROUNDS_MAX);
    if !is_affordable {
        return Err(IdentityError::Encryption);
    }
    let passphrase = passphrase.ok_or(IdentityError::PassphraseNeeded)?;
    key.decrypt(passphrase).map_err(|_| IdentityError::Passphrase)
}

fn other_key(pem: &str) -> Result<PrivateKey, IdentityError> {
    let encrypted = pem.contains("ENCRYPTED") || pem.starts_with("PuTTY-User-Key-File-");
    if encrypted {
        return Err(IdentityError::Encryption);
    }
    decode_secret_key(pem, None).map_err(|_| IdentityError::Format)
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(..)")
    }
}
