//! The secrets of claim codes: the command that requested an erasure gets the same one each time.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::{CommandId, SubjectId};

use super::key::{self, KeyKind};
use super::key_cache::{KeySlot, KeyState};
use super::keys::Keys;
use super::{KeyringError, crypto};
use crate::clock::Clock;

/// Derives the secrets under the key of the day (UTC) of the request, which link tokens use too. It is
/// erased after 8 more days; from then on a repeated command gets no code.
#[derive(Clone)]
pub struct ClaimCodes {
    keys: Arc<Keys>,
    clock: Clock,
}

impl ClaimCodes {
    pub(super) const fn new(keys: Arc<Keys>, clock: Clock) -> Self {
        Self { keys, clock }
    }

    /// 192 bits of an HMAC-SHA256 of an erasure: its subject, the command that requests it, and when it
    /// was entered in the ledger. `None` once the key of that day is erased.
    ///
    /// # Errors
    /// [`KeyringError::Database`] and [`KeyringError::LeaseLost`] when the keyring is not reached.
    pub async fn secret(
        &self,
        of: SubjectId,
        command: CommandId,
        requested_at: DateTime<Utc>,
    ) -> Result<Option<[u8; 24]>, KeyringError> {
        let day = key::day(requested_at.date_naive());
        // A day may end between the request and here.
        let is_new = (key::day(self.clock.now().date_naive()) - day).abs() <= 1;
        let keys = self.keys.get(&[KeySlot::Numbered(KeyKind::Link, day)], is_new).await?;
        let Some(KeyState::Live { key, .. }) = keys.first() else { return Ok(None) };
        let at = requested_at.timestamp_micros().to_be_bytes();
        let parts = [b"claim code".as_slice(), of.0.as_bytes(), command.0.as_bytes(), &at];
        Ok(crypto::mac(key, &parts).first_chunk().copied())
    }
}
