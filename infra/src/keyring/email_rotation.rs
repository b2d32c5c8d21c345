//! The e-mail index changes its key: both generations are written until every account has moved.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::email_index::reservation_kind;
use super::key::{KeyId, Kind};
use super::rotation::drop_keys;
use super::{Keyring, KeyringError};

const PAGE: i64 = 200;
/// Accounts that come late are moved by another pass; more passes mean that one does not move.
const PASSES_MAX: u32 = 8;

/// What a rotation of the e-mail index asks of the log. Each call may be repeated.
#[async_trait]
pub trait AddressReservations: Send + Sync {
    /// Owners after `after`, in their order, with fewer reservations of kind `new` than `old`.
    async fn behind(
        &self,
        old: &str,
        new: &str,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Uuid>, KeyringError>;
    /// Opens the owner's addresses and reserves them under every generation of the index.
    async fn reserve_again(&self, owner: Uuid) -> Result<(), KeyringError>;
    /// Deletes every reservation of a kind whose key is about to be destroyed.
    async fn delete_kind(&self, kind: &str) -> Result<(), KeyringError>;
}

#[derive(Clone, Copy)]
struct Generation {
    number: i64,
    since: DateTime<Utc>,
}

/// The generations that are not destroyed, by their state.
#[derive(Default)]
struct Generations {
    writing: Option<Generation>,
    live: Option<Generation>,
    retiring: Option<Generation>,
}

/// The kinds of reservation that there are keys for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailKinds {
    /// Newest first: an address is reserved under each.
    pub written: Vec<String>,
    /// Its reservations go when the rotation that is under way ends.
    pub retiring: Option<String>,
}

impl Keyring {
    pub async fn email_kinds(&self) -> Result<EmailKinds, KeyringError> {
        let Generations { writing, live, retiring } = self.generations().await?;
        let kind = |generation: Generation| reservation_kind(generation.number);
        let written = writing.into_iter().chain(live).map(kind).collect();
        Ok(EmailKinds { written, retiring: retiring.map(kind) })
    }

    /// Finishes the rotation that is under way, or makes a whole one when the key is at least as
    /// old as `every`; false when there was nothing to do. `settle` is the longest time from the
    /// reading of an index to the append that reserves it. Resumes at any step; two nodes may share
    /// it.
    pub async fn rotate_email_index(
        &self,
        every: TimeDelta,
        settle: Duration,
        accounts: &dyn AddressReservations,
    ) -> Result<bool, KeyringError> {
        let cut_off = self.inner.clock.now() - every;
        let mut progress = false;
        loop {
            let found = self.generations().await?;
            if let Some(old) = found.retiring {
                self.inner.settle(settle).await;
                accounts.delete_kind(&reservation_kind(old.number)).await?;
                self.end_generation(old.number).await?;
                return Ok(true);
            }
            let live = found.live.ok_or(KeyringError::Damaged)?;
            if let Some(new) = found.writing {
                self.inner.settle(settle).await;
                move_all(accounts, &reservation_kind(live.number), &reservation_kind(new.number))
                    .await?;
                self.switch_generation(live.number, new.number).await?;
            } else if !progress && live.since <= cut_off {
                self.begin_generation(live.number + 1).await?;
                progress = true;
            } else {
                return Ok(progress);
            }
        }
    }

    async fn generations(&self) -> Result<Generations, KeyringError> {
        let client = self.inner.pool.get().await?;
        let mut found = Generations::default();
        for row in client.query(include_str!("sql/read_email_rotation.sql"), &[]).await? {
            let generation = Generation {
                number: row.try_get("generation")?,
                since: row.try_get("created_at")?,
            };
            match row.try_get("state")? {
                "writing" => found.writing = Some(generation),
                "live" => found.live = Some(generation),
                "retiring" => found.retiring = Some(generation),
                _ => return Err(KeyringError::Damaged),
            }
        }
        Ok(found)
    }

    async fn begin_generation(&self, new: i64) -> Result<(), KeyringError> {
        let now = self.inner.clock.now();
        let mut client = self.inner.pool.get().await?;
        let begin = client.transaction().await?;
        let inserted = include_str!("sql/begin_email_generation.sql");
        if begin.execute(inserted, &[&new, &now]).await? == 0 {
            return Ok(());
        }
        let dropped = [KeyId::named(Kind::EmailIndex, new)];
        drop_keys(&begin, &dropped, now).await?;
        begin.commit().await?;
        drop(client);
        self.inner.drop_here(&dropped).await;
        tracing::info!(generation = new, "a new key of the e-mail index is written beside the old");
        Ok(())
    }

    async fn switch_generation(&self, old: i64, new: i64) -> Result<(), KeyringError> {
        let now = self.inner.clock.now();
        let change = include_str!("sql/change_email_generation.sql");
        let mut client = self.inner.pool.get().await?;
        let switch = client.transaction().await?;
        let retired = switch.execute(change, &[&old, &"live", &"retiring", &now]).await?;
        let promoted = switch.execute(change, &[&new, &"writing", &"live", &now]).await?;
        if (retired, promoted) != (1, 1) {
            return Ok(());
        }
        let dropped = [KeyId::named(Kind::EmailIndex, old)];
        drop_keys(&switch, &dropped, now).await?;
        switch.commit().await?;
        drop(client);
        self.inner.drop_here(&dropped).await;
        Ok(())
    }

    async fn end_generation(&self, old: i64) -> Result<(), KeyringError> {
        self.bury(KeyId::named(Kind::EmailIndex, old)).await?;
        let client = self.inner.pool.get().await?;
        let change = include_str!("sql/change_email_generation.sql");
        let now = self.inner.clock.now();
        client.execute(change, &[&old, &"retiring", &"destroyed", &now]).await?;
        tracing::info!(generation = old, "an old key of the e-mail index is destroyed");
        Ok(())
    }
}

async fn move_all(
    accounts: &dyn AddressReservations,
    old: &str,
    new: &str,
) -> Result<(), KeyringError> {
    for _ in 0..PASSES_MAX {
        let (mut after, mut moved) = (None, 0_u64);
        loop {
            let owners = accounts.behind(old, new, after, PAGE).await?;
            let Some(last) = owners.last() else { break };
            after = Some(*last);
            for owner in owners {
                accounts.reserve_again(owner).await?;
                moved += 1;
            }
        }
        if moved == 0 {
            return Ok(());
        }
    }
    Err(KeyringError::Reservations(format!(
        "some hold a reservation of {old} and do not take one of {new}"
    )))
}
