//! Where root keys are kept: neither in the events' database nor in the keyring's.

use async_trait::async_trait;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::KeyringError;

/// The number of a root key; a later root has a higher one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootId(pub i64);

impl std::fmt::Display for RootId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// 256 random bits that show nothing of themselves and are overwritten when they go.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret(pub(super) [u8; 32]);

impl Secret {
    pub fn random() -> Result<Self, KeyringError> {
        let mut bytes = [0; 32];
        SystemRandom::new().fill(&mut bytes).map_err(|_| KeyringError::Random)?;
        Ok(Self(bytes))
    }

    /// For a [`RootStore`], which must write it somewhere.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<secret>")
    }
}

#[derive(Debug, thiserror::Error)]
pub enum RootStoreError {
    #[error("{path} is in the data directory {data}: a copy of the one would hold the other")]
    InsideData { path: String, data: String },
    #[error("{path} can be read by others than its owner (mode {mode:o})")]
    Readable { path: String, mode: u32 },
    #[error("{path} does not hold a root key")]
    NotAKey { path: String },
    #[error("{path}: {reason}")]
    File { path: String, reason: std::io::Error },
}

/// What keeps root keys. Every call may be repeated.
#[async_trait]
pub trait RootStore: Send + Sync {
    /// `None` when there is no such root.
    async fn read(&self, id: RootId) -> Result<Option<Secret>, RootStoreError>;
    /// Answers once the key would survive a crash of the machine.
    async fn write(&self, id: RootId, key: &Secret) -> Result<(), RootStoreError>;
    /// Answers once the key is gone; a root that is not there is gone.
    async fn destroy(&self, id: RootId) -> Result<(), RootStoreError>;
    async fn list(&self) -> Result<Vec<RootId>, RootStoreError>;
}
