//! The bytes of a key.

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::random::{self, NoRandomness};

/// 256 random bits. `Debug` does not show them, and they are overwritten when they are dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; 32]);

impl Secret {
    /// A new key.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn random() -> Result<Self, NoRandomness> {
        random::bytes().map(Self)
    }

    /// For a [`super::RootStore`], which must write it somewhere.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// For a [`super::RootStore`], which has read it.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<secret>")
    }
}
