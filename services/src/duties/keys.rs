//! Turns keys: retention, the root key, and the key of the e-mail index.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use domain::AccountId;
use domain::account::{Account, Live};
use domain::privacy::{AccountEmail, EmailAddress, Personal};
use infra::keyring::{KeyringError, OpenError, Reclaim};
use uuid::Uuid;

use crate::wiring::App;

/// Half of what the key may last at most, so that a failed week is made up for in the next.
const INDEX_DAYS: TimeDelta = TimeDelta::days(7);
/// The longest that a command may take.
const SETTLE: Duration = Duration::from_secs(30);

/// Destroys what is past its time, and the root key when it is old enough.
pub(super) async fn turn_keys(app: App) -> Result<(), KeyringError> {
    let retained = app.keyring.retention().await?;
    if retained != infra::keyring::Retained::default() {
        tracing::info!(?retained, "keys came to their end");
    }
    let every = TimeDelta::hours(i64::from(app.config.root_rotation_hours));
    if let Some(rotation) = app.keyring.rotate_root_when_due(every).await? {
        tracing::info!(root = %rotation.current, rewrapped = rotation.rewrapped, "a new root key");
    }
    Ok(())
}

pub(super) async fn turn_email_index(app: App) -> Result<(), KeyringError> {
    turn_email_index_after(app, SETTLE).await
}

pub(super) async fn turn_email_index_after(app: App, settle: Duration) -> Result<(), KeyringError> {
    let keyring = app.keyring.clone();
    if keyring.rotate_email_index(INDEX_DAYS, settle, &Accounts { app }).await? {
        tracing::info!("a new key of the e-mail index");
    }
    Ok(())
}

struct Accounts {
    app: App,
}

impl Accounts {
    /// The addresses that an account may hold claims on: its own, and the one it changes to.
    async fn addresses(&self, owner: Uuid) -> Result<Vec<EmailAddress>, KeyringError> {
        let account = AccountId(owner);
        let loaded = self.app.executor.load::<Account>(account.into(), owner).await;
        let loaded = loaded.map_err(|error| KeyringError::Reclaim(error.to_string()))?;
        let Account::Live(live) = &*loaded.state else { return Ok(Vec::new()) };
        let mut addresses = Vec::new();
        for sealed in held(live) {
            let Personal::Sealed(sealed) = sealed else { continue };
            let opened =
                self.app.keyring.open::<AccountEmail>(account.into(), account.into(), sealed);
            match opened.await {
                Ok(address) => addresses.push(address),
                Err(OpenError::Erased | OpenError::Expired) => {}
                Err(OpenError::Unavailable(error)) => return Err(error),
                Err(OpenError::Damaged) => return Err(KeyringError::Damaged),
            }
        }
        Ok(addresses)
    }
}

fn held(live: &Live) -> impl Iterator<Item = &Personal<AccountEmail>> {
    std::iter::once(&live.email).chain(live.email_change.as_ref().map(|change| &change.email))
}

#[async_trait]
impl Reclaim for Accounts {
    async fn behind(
        &self,
        old: &str,
        new: &str,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Uuid>, KeyringError> {
        Ok(self.app.claims.behind(old, new, after, limit).await?)
    }

    async fn reclaim(&self, owner: Uuid) -> Result<(), KeyringError> {
        let held = self.app.claims.of_owner(owner).await?;
        for address in self.addresses(owner).await? {
            let indexes = self.app.keyring.email_index(&address).await?;
            let Some(old) = indexes.iter().find(|index| held.contains(index)) else { continue };
            for new in indexes.iter().filter(|index| !held.contains(index)) {
                if !self.app.claims.reclaim(new, old, owner).await? {
                    tracing::info!(%owner, "a claim was given back meanwhile");
                }
            }
        }
        Ok(())
    }

    async fn release(&self, kind: &str) -> Result<(), KeyringError> {
        Ok(self.app.claims.release(kind).await?)
    }
}
