//! The store of the root keys: outside of the events' database and of the keyring's.

use async_trait::async_trait;

use super::crypto;
use super::secret::Secret;

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
        "{path} holds another root key already, and is not replaced: if another keyring uses this folder, choose another root_dir"
    )]
    Taken { path: String },
    #[error("{path}: {reason}")]
    File { path: String, reason: std::io::Error },
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

/// Stores root keys. All nodes of an installation use the same store. Every call may be repeated.
#[async_trait]
pub trait RootStore: Send + Sync {
    /// `None` when there is no such root.
    async fn read(&self, id: RootId) -> Result<Option<Secret>, RootStoreError>;
    /// Returns when the key would survive a crash of the machine. Never replaces a root:
    /// [`RootStoreError::Taken`] when another key has the number.
    async fn create(&self, id: RootId, key: &Secret) -> Result<(), RootStoreError>;
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
