//! Day keys for request MACs: a request can be compared for a day; after that nobody can test a guess
//! of it.

use std::sync::Arc;

use domain::TenantId;

use super::key::{self, KeyKind};
use super::key_cache::{KeySlot, KeyState};
use super::keys::Keys;
use super::{KeyringError, crypto};
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

    /// Two bodies of one tenant have the same MAC on the same day only if they are the same.
    ///
    /// # Errors
    /// [`KeyringError::Database`] and [`KeyringError::LeaseLost`] when the keyring is not reached;
    /// [`KeyringError::Date`] when today's key is erased, since this clock is a day behind.
    pub async fn macs(&self, tenant: TenantId, body: &[u8]) -> Result<RequestMacs, KeyringError> {
        let today = key::day(self.clock.now().date_naive());
        let days = [today, today - 1].map(|day| KeySlot::Numbered(KeyKind::RequestMac, day));
        // Creates also yesterday's key if it is missing, so that all nodes agree on it.
        let keys = self.keys.get(&days, true).await?;
        let mac = |state: Option<&KeyState>| match state {
            Some(KeyState::Live { key, .. }) => {
                Some(crypto::mac(key, &[b"request", tenant.0.as_bytes(), body]))
            }
            Some(KeyState::Erased | KeyState::Expired | KeyState::Absent) | None => None,
        };
        let today = mac(keys.first()).ok_or(KeyringError::Date)?;
        Ok(RequestMacs { today, before: mac(keys.get(1)) })
    }
}
