//! Day keys for request MACs: a request can be compared for a day, and has the same secrets for as long; after
//! that nobody can test a guess of it.

use std::sync::Arc;

use domain::{CommandId, TenantId};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::key::{self, KeyKind};
use super::key_cache::{KeySlot, KeyState};
use super::keys::Keys;
use super::{KeyringError, Secret, crypto};
use crate::clock::Clock;

/// A day's key lives through the next day.
pub(super) const DAYS_KEPT: i64 = 1;

/// The HMAC-SHA256 of a request under today's key and, while that one lasts, under yesterday's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestMacs {
    /// Under today's key: what is stored with an append.
    pub today: [u8; 32],
    /// Under yesterday's key, for an append of yesterday; `None` when that key is erased.
    pub before: Option<[u8; 32]>,
}

impl RequestMacs {
    /// Whether it is one of the two, in constant time.
    pub fn has(&self, shown: &[u8]) -> bool {
        let is = |mac: &[u8; 32]| bool::from(mac.as_slice().ct_eq(shown));
        is(&self.today) || self.before.as_ref().is_some_and(is)
    }
}

/// Makes the MACs that recognise a repeated request. Days are in UTC.
#[derive(Clone)]
pub struct RequestMacKeys {
    keys: Arc<Keys>,
    clock: Clock,
}

impl RequestMacKeys {
    pub(super) const fn new(keys: Arc<Keys>, clock: Clock) -> Self {
        Self { keys, clock }
    }

    /// Two bodies of one tenant have the same MAC on the same day only if they are the same. Where a clock
    /// that was ahead has erased today's key, the key that it made for a later day is used until that day.
    ///
    /// # Errors
    /// [`KeyringError::Database`] and [`KeyringError::LeaseLost`] when the keyring is not reached;
    /// [`KeyringError::Date`] when the key that was to be used is erased at this moment.
    pub async fn macs(&self, tenant: TenantId, body: &[u8]) -> Result<RequestMacs, KeyringError> {
        self.macs_of(&[b"request", tenant.0.as_bytes(), body]).await
    }

    /// Secrets of a request, which has the same ones when it is sent again: under today's key, which are to be
    /// given, and under yesterday's, which may have been given. `label` says what they are for. What is
    /// stored of a request is made under another label, and tells nothing of them.
    ///
    /// # Errors
    /// As of [`Self::macs`].
    pub async fn secrets(
        &self,
        label: &str,
        (tenant, command): (TenantId, CommandId),
        body: &[u8],
    ) -> Result<Vec<Zeroizing<[u8; 32]>>, KeyringError> {
        let (tenant, command) = (tenant.0.as_bytes(), command.0.as_bytes());
        let parts = [b"secret", label.as_bytes(), tenant.as_slice(), command.as_slice(), body];
        let RequestMacs { today, before } = self.macs_of(&parts).await?;
        Ok(std::iter::once(today).chain(before).map(Zeroizing::new).collect())
    }

    /// Signs what somebody is to send back unchanged, within the day: `label` says what it is. Nothing else that
    /// these keys make has the same MAC.
    ///
    /// # Errors
    /// As of [`Self::macs`].
    pub async fn signatures(
        &self,
        label: &str,
        parts: &[&[u8]],
    ) -> Result<RequestMacs, KeyringError> {
        self.macs_of(&[&[b"signature", label.as_bytes()], parts].concat()).await
    }

    async fn macs_of(&self, parts: &[&[u8]]) -> Result<RequestMacs, KeyringError> {
        let (today, before) = self.day_keys().await?;
        let before = before.map(|key| crypto::mac(&key, parts));
        Ok(RequestMacs { today: crypto::mac(&today, parts), before })
    }

    /// Today's key, and yesterday's while it lasts.
    ///
    /// # Errors
    /// As of [`Self::macs`].
    pub(super) async fn day_keys(
        &self,
    ) -> Result<(Arc<Secret>, Option<Arc<Secret>>), KeyringError> {
        let day = key::day(self.clock.now().date_naive());
        let days = [day, day - 1].map(|of| KeySlot::Numbered(KeyKind::RequestMac, of));
        // Creates also yesterday's key if it is missing, so that all nodes agree on it.
        let keys = self.keys.get(&days, true).await?;
        let before = live(keys.get(1));
        if let Some(today) = live(keys.first()) {
            return Ok((today, before));
        }
        let substitute = self.keys.first_live_after(KeyKind::RequestMac, day).await?;
        let keys =
            self.keys.get(&[KeySlot::Numbered(KeyKind::RequestMac, substitute)], true).await?;
        Ok((live(keys.first()).ok_or(KeyringError::Date)?, before))
    }
}

fn live(state: Option<&KeyState>) -> Option<Arc<Secret>> {
    match state {
        Some(KeyState::Live { key, .. }) => Some(Arc::clone(key)),
        Some(KeyState::Erased | KeyState::Expired | KeyState::Absent) | None => None,
    }
}
