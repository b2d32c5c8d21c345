//! Requests under keys of a day: what was asked can be compared for a day, and never guessed after.

use domain::TenantId;

use super::cache::{Held, Slot};
use super::key::{self, Kind};
use super::{Keyring, KeyringError, crypto};

/// A day's key lives through the next day.
pub(super) const DAYS_KEPT: i64 = 1;

/// A request's body under today's key and, while it lasts, under yesterday's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestMacs {
    pub today: [u8; 32],
    pub before: Option<[u8; 32]>,
}

impl Keyring {
    pub async fn request_macs(
        &self,
        tenant: TenantId,
        body: &[u8],
    ) -> Result<RequestMacs, KeyringError> {
        let today = key::day(self.inner.clock.now().date_naive());
        let days = [Slot::Named(Kind::RequestMac, today), Slot::Named(Kind::RequestMac, today - 1)];
        // Yesterday's is made too where there is none: then that there is none is settled.
        let held = self.inner.held(&days, true).await?;
        let mac = |held: Option<&Held>| match held {
            Some(Held::Key { key, .. }) => {
                Some(crypto::mac(key, &[b"request", tenant.0.as_bytes(), body]))
            }
            Some(Held::Gone(_)) | None => None,
        };
        // Today's is destroyed only where this clock is a day behind.
        let today = mac(held.first()).ok_or(KeyringError::Date)?;
        Ok(RequestMacs { today, before: mac(held.get(1)) })
    }
}
