//! Erases expired keys, and rotates the root key and the key of the e-mail index.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use domain::AccountId;
use domain::account::{Account, LiveAccount};
use domain::privacy::{AccountEmail, EmailAddress, Personal};
use futures_util::future::try_join_all;
use infra::event_store::LoadError;
use infra::keyring::{AddressReservations, KeyringError};
use uuid::Uuid;

use crate::unseal::Unsealer;
use crate::wiring::App;

const AT_ONCE: i64 = 64;

/// Half of the longest time that the key may be used: a week of failures does no harm.
const INDEX_DAYS: TimeDelta = TimeDelta::days(7);
/// The longest time that a command may take.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(30);

/// Erases the keys of expired periods, and rotates the root key when it is old enough.
pub(super) async fn rotate_keys(app: App) -> Result<(), KeyringError> {
    let retained = app.keyring.eraser.erase_expired().await?;
    if retained != infra::keyring::ExpiredKeys::default() {
        tracing::info!(?retained, "keys of expired periods were erased");
    }
    let every = TimeDelta::hours(i64::from(app.config.root_rotation_hours));
    if let Some(rotation) = app.keyring.root_rotation.rotate_when_due(every).await? {
        let infra::keyring::RotatedRoot { current, rewrapped, erased } = rotation;
        tracing::info!(root = %current, rewrapped, erased, "the rotation of the root key has moved on");
    }
    Ok(())
}

pub(super) async fn rotate_email_index(app: App) -> Result<(), KeyringError> {
    rotate_email_index_after(app, COMMAND_TIME_MAX).await
}

pub(super) async fn rotate_email_index_after(
    app: App,
    command_time_max: Duration,
) -> Result<(), KeyringError> {
    let index = app.keyring.email_index.clone();
    if index.rotate(INDEX_DAYS, command_time_max, &Accounts { app }).await? {
        tracing::info!("the key of the e-mail index was rotated");
    }
    Ok(())
}

/// A restored log brings back reservations under index keys that are erased, and no look-up finds
/// them. Reserves the addresses of their owners under the current key; returns the number of owners.
/// An account that cannot be read is logged, and its old reservation stays for the next start.
pub(super) async fn reserve_restored(app: &App) -> Result<u64, KeyringError> {
    let kinds = app.keyring.email_index.kinds().await?;
    let Some(newest) = kinds.written.first() else { return Ok(0) };
    let accounts = Accounts { app: app.clone() };
    let mut reserved = 0;
    for old in app.reservations.kinds().await?.iter().filter(|kind| !kinds.written.contains(kind)) {
        let (mut after, mut left) = (None, 0_u64);
        loop {
            let owners = app.reservations.behind(old, newest, after, AT_ONCE).await?;
            let Some(last) = owners.last() else { break };
            after = Some(*last);
            let restored = owners.iter().map(|owner| accounts.restore_or_log(*owner, old));
            let restored = try_join_all(restored).await?;
            let restored = restored.into_iter().filter(|restored| *restored).count() as u64;
            reserved += restored;
            left += owners.len() as u64 - restored;
        }
        if left > 0 {
            tracing::error!(left, "addresses of these restored accounts are not reserved again");
        } else if kinds.retiring.as_ref() != Some(old) {
            app.reservations.delete_kind(old).await?;
        }
    }
    Ok(reserved)
}

struct Accounts {
    app: App,
}

impl Accounts {
    /// `false`: the account cannot be read.
    async fn restore_or_log(&self, owner: Uuid, old: &str) -> Result<bool, KeyringError> {
        match self.restore(owner, old).await {
            Ok(()) => Ok(true),
            Err(error @ (KeyringError::Reservations(_) | KeyringError::Damaged)) => {
                tracing::error!(%owner, %error, "the address of a restored account is not reserved again");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Reserves the account's own address again, which it had reserved under the erased key `old`.
    async fn restore(&self, owner: Uuid, old: &str) -> Result<(), KeyringError> {
        let reservations = self.app.reservations.of_owner(owner).await?;
        let Some(old) = reservations.iter().find(|(kind, _)| kind == old) else { return Ok(()) };
        let Some(address) = self.addresses(owner).await?.into_iter().next() else { return Ok(()) };
        for new in self.app.keyring.email_index.indexes(&address).await? {
            if !self.app.reservations.reserve_again(&new, old, owner).await? {
                tracing::warn!(%owner, "the address of a restored account now belongs to another account");
            }
        }
        Ok(())
    }

    /// The account's address, and the one that it is changing to.
    async fn addresses(&self, owner: Uuid) -> Result<Vec<EmailAddress>, KeyringError> {
        let account = AccountId(owner);
        let loaded = self.app.executor.load::<Account>(account.into(), owner).await;
        let loaded = loaded.map_err(|error| match error {
            LoadError::Postgres(error) => error.into(),
            error @ (LoadError::Undecodable { .. }
            | LoadError::Missing { .. }
            | LoadError::WrongType { .. }) => KeyringError::Reservations(error.to_string()),
        })?;
        let Account::Live(live) = &*loaded.state else { return Ok(Vec::new()) };
        let person = Unsealer::of_account(&self.app.keyring.sealer, account);
        let mut addresses = Vec::new();
        for sealed in sealed_addresses(live) {
            let Personal::Sealed(sealed) = sealed else { continue };
            addresses.extend(person.optional::<AccountEmail>(Some(sealed)).await?);
        }
        Ok(addresses)
    }
}

fn sealed_addresses(live: &LiveAccount) -> impl Iterator<Item = &Personal<AccountEmail>> {
    std::iter::once(&live.email).chain(live.email_change.as_ref().map(|change| &change.email))
}

#[async_trait]
impl AddressReservations for Accounts {
    async fn behind(
        &self,
        old: &str,
        new: &str,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Uuid>, KeyringError> {
        Ok(self.app.reservations.behind(old, new, after, limit).await?)
    }

    async fn reserve_again(&self, owner: Uuid) -> Result<(), KeyringError> {
        let reservations = self.app.reservations.of_owner(owner).await?;
        for address in self.addresses(owner).await? {
            let indexes = self.app.keyring.email_index.indexes(&address).await?;
            let Some(old) = indexes.iter().find(|index| reservations.contains(index)) else {
                continue;
            };
            for new in indexes.iter().filter(|index| !reservations.contains(index)) {
                if !self.app.reservations.reserve_again(new, old, owner).await? {
                    tracing::info!(%owner, "a reservation was released during the rotation");
                }
            }
        }
        Ok(())
    }

    async fn delete_kind(&self, kind: &str) -> Result<(), KeyringError> {
        Ok(self.app.reservations.delete_kind(kind).await?)
    }
}
