//! Tokens that stand for positions of the log: positions count what everybody does, tokens count nothing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::TenantId;
use subtle::ConstantTimeEq;

use super::{KeyringError, RequestMacKeys, Secret, crypto};

const TAG_BYTES: usize = 16;
const NUMBER_BYTES: usize = 8;

/// Makes and reads tokens, under the day keys of requests: one is read through the day (UTC) after the day it was
/// made on, by every node. Its holder can neither order tokens nor count between them.
#[derive(Clone)]
pub struct PositionTokens(RequestMacKeys);

impl PositionTokens {
    pub(super) const fn new(keys: RequestMacKeys) -> Self {
        Self(keys)
    }

    /// 32 characters of URL-safe base64, the same ones for the same holder and position on one day. Made as in the
    /// SIV mode (RFC 5297): a MAC of both, by which the position is masked.
    ///
    /// # Errors
    /// As of [`RequestMacKeys::macs`].
    pub async fn seal(&self, holder: TenantId, position: i64) -> Result<String, KeyringError> {
        let (today, _) = self.0.day_keys().await?;
        let number = position.to_be_bytes();
        let tag = tag(&today, holder, number);
        let masked = masked(&today, (holder, tag), number);
        Ok(URL_SAFE_NO_PAD.encode([tag.as_slice(), &masked].concat()))
    }

    /// `None`: it was not made for this holder today or yesterday.
    ///
    /// # Errors
    /// As of [`RequestMacKeys::macs`].
    pub async fn open(&self, holder: TenantId, token: &str) -> Result<Option<i64>, KeyringError> {
        let Some((shown, sealed)) = parse(token) else { return Ok(None) };
        let (today, before) = self.0.day_keys().await?;
        let opened = |key: &Secret| {
            let number = masked(key, (holder, shown), sealed);
            let is_made = bool::from(tag(key, holder, number).ct_eq(&shown));
            is_made.then(|| i64::from_be_bytes(number))
        };
        Ok(opened(&today).or_else(|| before.as_deref().and_then(opened)))
    }
}

fn tag(key: &Secret, holder: TenantId, number: [u8; NUMBER_BYTES]) -> [u8; TAG_BYTES] {
    let mac = crypto::mac(key, &[b"position", holder.0.as_bytes(), &number]);
    mac.first_chunk().copied().unwrap_or_default()
}

/// Masks a number, and takes the mask off again.
fn masked(
    key: &Secret,
    (holder, tag): (TenantId, [u8; TAG_BYTES]),
    number: [u8; NUMBER_BYTES],
) -> [u8; NUMBER_BYTES] {
    let mask = crypto::mac(key, &[b"mask of a position", holder.0.as_bytes(), &tag]);
    let mut masked = number;
    for (byte, mask) in masked.iter_mut().zip(mask) {
        *byte ^= mask;
    }
    masked
}

fn parse(token: &str) -> Option<([u8; TAG_BYTES], [u8; NUMBER_BYTES])> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (tag, number) = bytes.split_first_chunk::<TAG_BYTES>()?;
    Some((*tag, <[u8; NUMBER_BYTES]>::try_from(number).ok()?))
}
