//! Bearer tokens: 256 random bits that are shown once and kept only as a hash.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::SecretString;
use zeroize::Zeroizing;

/// What a token is kept and looked up by: its SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

/// A token that has just been drawn.
pub struct BearerToken {
    pub secret: SecretString,
    pub hash: TokenHash,
}

#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomness;

impl BearerToken {
    /// Draws a token that begins with `prefix`, by which people and scanners know what it is.
    pub(crate) fn draw(prefix: &str) -> Result<Self, NoRandomness> {
        let mut random = Zeroizing::new([0; 32]);
        SystemRandom::new().fill(random.as_mut()).map_err(|_| NoRandomness)?;
        let secret = format!("{prefix}{}", URL_SAFE_NO_PAD.encode(*random));
        Ok(Self { hash: TokenHash::of(&secret), secret: SecretString::from(secret) })
    }
}

impl TokenHash {
    fn of(token: &str) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        Self(hash)
    }

    /// `None` for what cannot be a token with this prefix, so that it is never looked up.
    pub(crate) fn read(prefix: &str, token: &str) -> Option<Self> {
        let random = URL_SAFE_NO_PAD.decode(token.strip_prefix(prefix)?).ok()?;
        (random.len() == 32).then(|| Self::of(token))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}
