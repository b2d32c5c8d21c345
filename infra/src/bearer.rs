//! Bearer tokens: 256 random bits that are shown once and kept only as a hash.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::random::{self, NoRandomness};

/// SHA-256 of a token, by which it is stored and looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

/// A new token. Its secret is shown once.
pub struct BearerToken {
    /// Given to the client, and kept nowhere.
    pub secret: SecretString,
    /// What is stored, and found again by.
    pub hash: TokenHash,
}

impl BearerToken {
    /// Draws a token that begins with `prefix`, by which people and scanners know what it is.
    pub(crate) fn draw(prefix: &str) -> Result<Self, NoRandomness> {
        let random = Zeroizing::new(random::bytes::<32>()?);
        Ok(Self::of_secret(prefix, &random))
    }

    /// The token of 256 bits that nobody can guess.
    pub(crate) fn of_secret(prefix: &str, secret: &[u8; 32]) -> Self {
        Self::of(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(secret)))
    }

    /// Like [`Self::draw`], with a checksum at the end that finds typing errors.
    pub(crate) fn draw_checked(prefix: &str) -> Result<Self, NoRandomness> {
        let random = Zeroizing::new(random::bytes::<32>()?);
        Ok(Self::of_secret_checked(prefix, &random))
    }

    /// Like [`Self::of_secret`], with that checksum.
    pub(crate) fn of_secret_checked(prefix: &str, secret: &[u8; 32]) -> Self {
        let with_checksum = Zeroizing::new([secret.as_slice(), &checksum(prefix, secret)].concat());
        Self::of(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(&*with_checksum)))
    }

    fn of(secret: String) -> Self {
        Self { hash: TokenHash::of(&secret), secret: SecretString::from(secret) }
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

    /// The same, for one that was drawn with a checksum.
    pub(crate) fn read_checked(prefix: &str, token: &str) -> Option<Self> {
        let decoded = URL_SAFE_NO_PAD.decode(token.strip_prefix(prefix)?).ok()?;
        let (random, sum) = decoded.split_first_chunk::<32>()?;
        (sum == checksum(prefix, random)).then(|| Self::of(token))
    }

    /// The 32 bytes of the hash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

/// The first four bytes of SHA-256 over prefix and random bytes.
fn checksum(prefix: &str, random: &[u8; 32]) -> [u8; 4] {
    let hash = digest(&SHA256, &[prefix.as_bytes(), random].concat());
    hash.as_ref().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_mistyped_token_is_known_by_its_checksum() {
        let drawn = BearerToken::draw_checked("lw_").unwrap();
        let token = drawn.secret.expose_secret();
        assert_eq!(token.len(), 51);
        assert_eq!(TokenHash::read_checked("lw_", token), Some(drawn.hash));
        assert_eq!(TokenHash::read("lw_", token), None);
        assert_eq!(TokenHash::read_checked("lo_", &token.replace("lw_", "lo_")), None);
        for at in 3..token.len() {
            let mut mistyped = token.to_owned().into_bytes();
            let Some(byte) = mistyped.get_mut(at) else { continue };
            *byte = if *byte == b'A' { b'B' } else { b'A' };
            let mistyped = String::from_utf8(mistyped).unwrap();
            assert_eq!(TokenHash::read_checked("lw_", &mistyped), None);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            let _ = TokenHash::read_checked("lw_", &text);
            let _ = TokenHash::read_checked("lw_", &format!("lw_{text}"));
        }
    }
}
