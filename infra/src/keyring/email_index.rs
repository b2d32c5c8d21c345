//! The blind index of e-mail addresses. While its key changes, addresses are reserved under both.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::TimeDelta;
use domain::privacy::EmailAddress;
use tokio::time::timeout;
use uuid::Uuid;

use super::email_generations::{self, EmailGeneration, EmailGenerations};
use super::key::{KeyId, KeyKind};
use super::key_cache::{KeySlot, KeyState, LEASE, LEASE_LOST};
use super::key_eraser::KeyEraser;
use super::keys::Keys;
use super::{KeyringError, crypto, invalidations};
use crate::clock::Clock;
use crate::failpoint;
use crate::postgres::Pool;

const READ_WRITTEN: &str = include_str!("sql/read_written_generations.sql");
const PAGE: i64 = 200;
/// A further pass moves accounts that were reserved during the last one; after so many, one cannot move.
const PASSES_MAX: u32 = 8;

/// The reservations, as a rotation of the e-mail index needs them. Each call may be repeated.
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
    /// Deletes every reservation of a kind whose key is about to be erased.
    async fn delete_kind(&self, kind: &str) -> Result<(), KeyringError>;
}

/// The kinds of reservation that there are keys for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailKinds {
    /// Newest first: an address is reserved under each.
    pub written: Vec<String>,
    /// Its reservations are deleted at the end of the current rotation.
    pub retiring: Option<String>,
}

/// Finds an address without storing it: an HMAC-SHA256 of the folded address, under a key that is
/// replaced by [`EmailIndex::rotate`]. Each key is a generation, and each generation a kind of
/// reservation.
///
/// Every method fails with [`KeyringError::Database`], [`KeyringError::LeaseLost`] or
/// [`KeyringError::Standby`] when the keyring is not reached.
#[derive(Clone)]
pub struct EmailIndex {
    keys: Arc<Keys>,
    pool: Pool,
    clock: Clock,
    eraser: KeyEraser,
}

impl EmailIndex {
    pub(super) const fn new(keys: Arc<Keys>, pool: Pool, clock: Clock, eraser: KeyEraser) -> Self {
        Self { keys, pool, clock, eraser }
    }

    /// Creates the first generation if there is none.
    pub(super) async fn establish(&self) -> Result<(), KeyringError> {
        email_generations::begin_index(&self.pool.get().await?, self.clock.now()).await
    }

    /// `(kind of reservation, blind index)` under each generation that is written, newest first: one,
    /// or two during a rotation. An address is reserved under all of them and found under any.
    pub async fn indexes(
        &self,
        email: &EmailAddress,
    ) -> Result<Vec<(String, Vec<u8>)>, KeyringError> {
        let generations = match self.keys.cache.email_generations(Instant::now()) {
            Some(generations) => generations,
            None => timeout(LEASE, self.read_written()).await.map_err(|_| LEASE_LOST)??,
        };
        let slots = generations.iter().map(|of| KeySlot::Numbered(KeyKind::EmailIndex, *of));
        let keys = self.keys.get(&slots.collect::<Vec<_>>(), true).await?;
        let folded = zeroize::Zeroizing::new(email.folded());
        let mut indexes = Vec::with_capacity(keys.len());
        for state in keys {
            if let KeyState::Live { number, key } = state {
                let index = crypto::mac(&key, &[b"e-mail", folded.as_bytes()]);
                indexes.push((reservation_kind(number), index.to_vec()));
            }
        }
        if indexes.is_empty() { Err(KeyringError::Damaged) } else { Ok(indexes) }
    }

    async fn read_written(&self) -> Result<Arc<[i64]>, KeyringError> {
        let client = self.pool.get().await?;
        let read = client.prepare_cached(READ_WRITTEN).await?;
        let row = client.query_one(&read, &[]).await?;
        if row.try_get("standby")? {
            return Err(KeyringError::Standby);
        }
        let generations: Arc<[i64]> = row.try_get::<_, Vec<i64>>("generations")?.into();
        self.keys.cache.keep_email_generations(row.try_get("last")?, Arc::clone(&generations));
        Ok(generations)
    }

    /// The kinds of reservation, as the database has them now.
    pub async fn kinds(&self) -> Result<EmailKinds, KeyringError> {
        let EmailGenerations { writing, live, retiring } = self.generations().await?;
        let kind = |generation: EmailGeneration| reservation_kind(generation.number);
        let written = writing.into_iter().chain(live).map(kind).collect();
        Ok(EmailKinds { written, retiring: retiring.map(kind) })
    }

    async fn generations(&self) -> Result<EmailGenerations, KeyringError> {
        email_generations::read(&self.pool.get().await?).await
    }

    /// Finishes the current rotation, or does a complete one if the key is at least as old as `every`;
    /// `false`: there was nothing to do. `command_max` is the longest time from
    /// the reading of an index to the append that reserves it: it is waited for. Resumes after any
    /// step; two nodes may share it.
    ///
    /// # Errors
    /// [`KeyringError::Reservations`] when an account cannot be moved to the new key.
    pub async fn rotate(
        &self,
        every: TimeDelta,
        command_max: Duration,
        accounts: &dyn AddressReservations,
    ) -> Result<bool, KeyringError> {
        let begin = self.clock.now() - every;
        let mut has_begun = false;
        loop {
            let generations = self.generations().await?;
            if let Some(old) = generations.retiring {
                self.keys.wait_for_other_nodes(command_max).await;
                accounts.delete_kind(&reservation_kind(old.number)).await?;
                failpoint!(EmailReservationsDeleted);
                self.end_generation(old.number).await?;
                return Ok(true);
            }
            let live = generations.live.ok_or(KeyringError::Damaged)?;
            if let Some(new) = generations.writing {
                self.keys.wait_for_other_nodes(command_max).await;
                let (old_kind, new_kind) =
                    (reservation_kind(live.number), reservation_kind(new.number));
                move_all(accounts, &old_kind, &new_kind).await?;
                self.switch_generation(live.number, new.number).await?;
                failpoint!(EmailIndexSwitched);
            } else if !has_begun && live.since <= begin {
                self.begin_generation(live.number + 1).await?;
                failpoint!(EmailIndexBegun);
                has_begun = true;
            } else {
                return Ok(has_begun);
            }
        }
    }

    async fn begin_generation(&self, new: i64) -> Result<(), KeyringError> {
        let now = self.clock.now();
        let mut client = self.pool.get().await?;
        let transaction = client.transaction().await?;
        if !email_generations::begin(&transaction, new, now).await? {
            return Ok(());
        }
        let changed = [KeyId::numbered(KeyKind::EmailIndex, new)];
        invalidations::append(&transaction, &changed, now).await?;
        transaction.commit().await?;
        drop(client);
        self.keys.evict(&changed).await;
        tracing::info!(
            generation = new,
            "a new key of the e-mail index is used in addition to the old one"
        );
        Ok(())
    }

    async fn switch_generation(&self, old: i64, new: i64) -> Result<(), KeyringError> {
        let now = self.clock.now();
        let mut client = self.pool.get().await?;
        let transaction = client.transaction().await?;
        let change = email_generations::change;
        let is_retired = change(&transaction, old, ("live", "retiring"), now).await?;
        let is_live = change(&transaction, new, ("writing", "live"), now).await?;
        if !(is_retired && is_live) {
            return Ok(());
        }
        let changed = [KeyId::numbered(KeyKind::EmailIndex, old)];
        invalidations::append(&transaction, &changed, now).await?;
        transaction.commit().await?;
        drop(client);
        self.keys.evict(&changed).await;
        Ok(())
    }

    async fn end_generation(&self, old: i64) -> Result<(), KeyringError> {
        self.eraser.erase_key(KeyId::numbered(KeyKind::EmailIndex, old)).await?;
        failpoint!(EmailKeyErased);
        let client = self.pool.get().await?;
        let states = ("retiring", "destroyed");
        email_generations::change(&client, old, states, self.clock.now()).await?;
        tracing::info!(generation = old, "an old key of the e-mail index is erased");
        Ok(())
    }
}

/// The kind of the reservations of one generation.
fn reservation_kind(generation: i64) -> String {
    format!("account.email.{generation}")
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
                failpoint!(EmailIndexMoved);
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
