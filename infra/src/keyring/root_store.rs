//! The store of the root keys: outside of the events' database and of the keyring's.

use std::io::ErrorKind;

use async_trait::async_trait;

use super::crypto;
use super::secret::Secret;
use crate::random::NoRandomness;

/// The number of a root key; a later root has a higher one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootId(pub i64);

impl std::fmt::Display for RootId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Identifies a root key without showing it: a MAC under the key, over a label that nothing else
/// uses. The row of each root has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootFingerprint([u8; 32]);

impl RootFingerprint {
    /// That of this key.
    pub fn of(key: &Secret) -> Self {
        Self(crypto::root_fingerprint(key))
    }

    /// For a [`RootStore`], which has read it. `None` when these are not 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// For a [`RootStore`], which writes it somewhere.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A root key was not read, written or erased. No text holds a key.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum RootStoreError {
    #[error(
        "the folder of root keys {path} is inside the data directory {data}, so a backup of the data would hold the keys: choose a folder outside"
    )]
    InsideData { path: String, data: String },
    #[error(
        "users other than the owner can access {path} (mode {mode:o}): use chmod go=, or chmod 0600 for a file"
    )]
    Exposed { path: String, mode: u32 },
    #[error("{path} does not hold a root key")]
    NotAKey { path: String },
    #[error(
        "{path} is a root key already, and is not replaced: if another keyring uses this place, choose another root_dir or root_vault_prefix"
    )]
    Taken { path: String },
    #[error("{path}: {reason}")]
    File { path: String, reason: std::io::Error },
    #[error("no root key could be drawn: {0}")]
    Random(#[from] NoRandomness),
    #[error("the certificates of root_vault_ca, {path}: {reason}")]
    Authority { path: String, reason: String },
    #[error("Vault at {address}: {reason}")]
    Vault { address: String, reason: String },
}

impl RootStoreError {
    /// Whether the place was not reached, or did not answer what was asked: of the root it says
    /// nothing, not that it is there and not that it is gone.
    pub(super) fn says_nothing(&self) -> bool {
        match self {
            Self::Vault { .. } => true,
            Self::File { reason, .. } => reason.kind() == ErrorKind::TimedOut,
            Self::InsideData { .. }
            | Self::Exposed { .. }
            | Self::NotAKey { .. }
            | Self::Taken { .. }
            | Self::Random(_)
            | Self::Authority { .. } => false,
        }
    }
}

/// What [`RootStore::erase`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootErasure {
    /// The key was here and is erased, by this call or by an earlier one that was not noted.
    Erased,
    /// It is not here, and no mark says that it was erased here: it may be somewhere else.
    NotFound,
    /// Another key has this number here. It is left as it is.
    OtherKey,
}

/// Stores root keys. All nodes of an installation use the same store. Every call may be repeated, and ends
/// within a minute, if need be with an error. What fails says nothing of a root: neither "it is gone" nor "it was never here".
#[async_trait]
pub trait RootStore: Send + Sync {
    /// `None` when there is no such root.
    async fn read(&self, id: RootId) -> Result<Option<Secret>, RootStoreError>;
    /// Makes a key, and returns it when it would survive a crash of the machine. Never replaces a
    /// root: [`RootStoreError::Taken`] when one has the number. If the answer is lost,
    /// [`RootStore::read`] has the key.
    async fn create(&self, id: RootId) -> Result<Secret, RootStoreError>;
    /// Erases the key that has this fingerprint, and leaves a mark that it was erased here, which
    /// survives a crash.
    async fn erase(&self, id: RootId, key: RootFingerprint) -> Result<RootErasure, RootStoreError>;
    /// Deletes the mark of an erased root. Succeeds if there is none.
    async fn delete_mark(&self, id: RootId) -> Result<(), RootStoreError>;
    /// The roots that are stored, or have a mark, in any order.
    async fn list(&self) -> Result<Vec<RootId>, RootStoreError>;
    /// Where roots are stored, for an error.
    fn place(&self) -> String;
}
