//! Turns keys: retention, the root key, and the key of the e-mail index.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use domain::AccountId;
use domain::account::{Account, LiveAccount};
use domain::privacy::{AccountEmail, EmailAddress, Personal};
use futures_util::future::try_join_all;
use infra::keyring::{AddressReservations, KeyringError};
use uuid::Uuid;

use crate::unseal::Unsealer;
use crate::wiring::App;

const AT_ONCE: i64 = 64;

/// Half of what the key may last at most, so that a failed week is made up for in the next.
const INDEX_DAYS: TimeDelta = TimeDelta::days(7);
/// The longest that a command may take.
const SETTLE: Duration = Duration::from_secs(30);

/// Destroys what is past its time, and the root key when it is old enough.
pub(super) async fn turn_keys(app: App) -> Result<(), KeyringError> {
    let retained = app.keyring.eraser.erase_expired().await?;
    if retained != infra::keyring::ExpiredKeys::default() {
        tracing::info!(?retained, "keys came to their end");
    }
    let every = TimeDelta::hours(i64::from(app.config.root_rotation_hours));
    if let Some(rotation) = app.keyring.root_rotation.rotate_when_due(every).await? {
        tracing::info!(root = %rotation.current, rewrapped = rotation.rewrapped, "a new root key");
    }
    Ok(())
}

pub(super) async fn turn_email_index(app: App) -> Result<(), KeyringError> {
    turn_email_index_after(app, SETTLE).await
}

pub(super) async fn turn_email_index_after(app: App, settle: Duration) -> Result<(), KeyringError> {
    let keyring = app.keyring.clone();
    if keyring.email_index.rotate(INDEX_DAYS, settle, &Accounts { app }).await? {
        tracing::info!("a new key of the e-mail index");
    }
    Ok(())
}

/// Older events bring back reservations under keys that are destroyed: nobody would be found by
/// them. Reserves the addresses of their owners again; returns how many owners there were.
pub(super) async fn reserve_restored(app: &App) -> Result<u64, KeyringError> {
    let kinds = app.keyring.email_index.kinds().await?;
    let Some(newest) = kinds.written.first() else { return Ok(0) };
    let accounts = Accounts { app: app.clone() };
    let mut reserved = 0;
    for old in app.reservations.kinds().await?.iter().filter(|kind| !kinds.written.contains(kind)) {
        let mut after = None;
        loop {
            let owners = app.reservations.behind(old, newest, after, AT_ONCE).await?;
            let Some(last) = owners.last() else { break };
            after = Some(*last);
            try_join_all(owners.iter().map(|owner| accounts.restore(*owner, old))).await?;
            reserved += owners.len() as u64;
        }
        if kinds.retiring.as_ref() != Some(old) {
            app.reservations.delete_kind(old).await?;
        }
    }
    Ok(reserved)
}

struct Accounts {
    app: App,
}

impl Accounts {
    /// The reservation under `old` is on the account's own address, though its key is gone.
    async fn restore(&self, owner: Uuid, old: &str) -> Result<(), KeyringError> {
        let held = self.app.reservations.of_owner(owner).await?;
        let Some(old) = held.iter().find(|(kind, _)| kind == old) else { return Ok(()) };
        let Some(address) = self.addresses(owner).await?.into_iter().next() else { return Ok(()) };
        for new in self.app.keyring.email_index.indexes(&address).await? {
            if !self.app.reservations.reserve_again(&new, old, owner).await? {
                tracing::warn!(%owner, "the address of a restored account is another's by now");
            }
        }
        Ok(())
    }

    /// The addresses that an account may hold reservations on: its own, and the one it changes to.
    async fn addresses(&self, owner: Uuid) -> Result<Vec<EmailAddress>, KeyringError> {
        let account = AccountId(owner);
        let loaded = self.app.executor.load::<Account>(account.into(), owner).await;
        let loaded = loaded.map_err(|error| KeyringError::Reservations(error.to_string()))?;
        let Account::Live(live) = &*loaded.state else { return Ok(Vec::new()) };
        let person = Unsealer::of_account(&self.app, account);
        let mut addresses = Vec::new();
        for sealed in held(live) {
            let Personal::Sealed(sealed) = sealed else { continue };
            addresses.extend(person.optional::<AccountEmail>(Some(sealed)).await?);
        }
        Ok(addresses)
    }
}

fn held(live: &LiveAccount) -> impl Iterator<Item = &Personal<AccountEmail>> {
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
        let held = self.app.reservations.of_owner(owner).await?;
        for address in self.addresses(owner).await? {
            let indexes = self.app.keyring.email_index.indexes(&address).await?;
            let Some(old) = indexes.iter().find(|index| held.contains(index)) else { continue };
            for new in indexes.iter().filter(|index| !held.contains(index)) {
                if !self.app.reservations.reserve_again(new, old, owner).await? {
                    tracing::info!(%owner, "a reservation was given back meanwhile");
                }
            }
        }
        Ok(())
    }

    async fn delete_kind(&self, kind: &str) -> Result<(), KeyringError> {
        Ok(self.app.reservations.delete_kind(kind).await?)
    }
}
