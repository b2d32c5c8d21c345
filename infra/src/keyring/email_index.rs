//! The blind index of e-mail addresses. While its key changes, addresses are reserved under both.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use domain::privacy::EmailAddress;

use super::email_generations::{self, EmailGeneration, EmailGenerations};
use super::key::{KeyId, KeyKind};
use super::key_cache::{KeySlot, KeyState};
use super::key_eraser::KeyEraser;
use super::keys::Keys;
use super::lease::{is_to_be_asked_again, within_lease};
use super::{KeyringError, crypto, invalidations};
use crate::clock::{Clock, since_boot};
use crate::failpoint;
use crate::postgres::Pool;

const READ_WRITTEN: &str = include_str!("sql/read_written_generations.sql");

/// The reservations, as a rotation of the e-mail index needs them. Each call may be repeated.
#[async_trait]
pub trait AddressReservations: Send + Sync {
    /// Whether a batch of the move from `old` to `new` is committed.
    async fn has_begun(&self, old: &str, new: &str) -> Result<bool, KeyringError>;
    /// Moves the next batch of reservations from `old` to `new`. `false`: none is left to be moved.
    async fn move_batch(&self, old: &str, new: &str) -> Result<bool, KeyringError>;
    /// How many accounts could not be read, so that their addresses have not moved.
    async fn count_unreadable(&self) -> Result<i64, KeyringError>;
    /// Deletes every reservation of a kind whose key is about to be erased.
    async fn delete_kind(&self, kind: &str) -> Result<(), KeyringError>;
}

/// The times and sizes of a rotation.
#[derive(Clone, Copy, Debug)]
pub struct IndexRotation {
    /// A key of this age is replaced.
    pub every: TimeDelta,
    /// How long a rotation waits for accounts that cannot be read. Then the old key is erased all the same,
    /// and their addresses are free until they can be read.
    pub unreadable_wait: TimeDelta,
    /// The longest time from the reading of an index to the append that reserves it: it is waited for.
    pub command_max: Duration,
    /// So many batches are moved in one turn.
    pub batches_max: u32,
}

/// What a turn of a rotation has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexTurn {
    /// No key is old enough.
    NotDue,
    /// Some reservations have moved; others are left for the next turn.
    Moved,
    /// All have moved but those of accounts that cannot be read.
    Waiting,
    /// The old key is erased.
    Rotated,
}

/// The kinds of reservation that there are keys for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailKinds {
    /// Newest first: an address is reserved under each.
    pub written: Vec<String>,
    /// Its reservations are deleted at the end of the current rotation.
    pub retiring: Option<String>,
}

/// Finds an address without storing it: an HMAC-SHA256 of its canonical form, under a key that is
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

    /// `(kind of reservation, blind index)` of the canonical form under each generation that is written,
    /// newest first: one, or two during a rotation. An address is reserved under all of them and found
    /// under any.
    pub async fn indexes(
        &self,
        email: &EmailAddress,
    ) -> Result<Vec<(String, Vec<u8>)>, KeyringError> {
        self.indexes_of([email.canonical()]).await
    }

    /// The same of the canonical form, and of those under which a former version has reserved it. In ASCII
    /// there is one form.
    pub async fn indexes_of_all_forms(
        &self,
        email: &EmailAddress,
    ) -> Result<Vec<(String, Vec<u8>)>, KeyringError> {
        self.indexes_of(std::iter::once(email.canonical()).chain(email.former_forms())).await
    }

    async fn indexes_of(
        &self,
        forms: impl IntoIterator<Item = String>,
    ) -> Result<Vec<(String, Vec<u8>)>, KeyringError> {
        let generations = match self.keys.cache.email_generations(since_boot()) {
            Some(generations) => generations,
            None => self.read_written().await?,
        };
        let slots = generations.iter().map(|of| KeySlot::Numbered(KeyKind::EmailIndex, *of));
        let keys = self.keys.get(&slots.collect::<Vec<_>>(), true).await?;
        let mut indexes = Vec::with_capacity(keys.len());
        for form in forms.into_iter().map(zeroize::Zeroizing::new) {
            for state in &keys {
                if let KeyState::Live { number, key } = state {
                    let index = crypto::mac(key, &[b"e-mail", form.as_bytes()]);
                    indexes.push((reservation_kind(*number), index.to_vec()));
                }
            }
        }
        if indexes.is_empty() { Err(KeyringError::Damaged) } else { Ok(indexes) }
    }

    async fn read_written(&self) -> Result<Arc<[i64]>, KeyringError> {
        let mut tries = 1;
        loop {
            let read = self.read_written_once().await;
            if !is_to_be_asked_again(&read, tries) {
                return read;
            }
            tries += 1;
        }
    }

    async fn read_written_once(&self) -> Result<Arc<[i64]>, KeyringError> {
        let client = self.pool.get().await?;
        let row = within_lease(async move {
            let read = client.prepare_cached(READ_WRITTEN).await?;
            Ok(client.query_one(&read, &[]).await?)
        });
        let row = row.await?;
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

    /// A turn of the current rotation, or of a new one if the key is old enough. Resumes after any step,
    /// also where another node stopped; two nodes may share it.
    pub async fn rotate(
        &self,
        rotation: IndexRotation,
        accounts: &dyn AddressReservations,
    ) -> Result<IndexTurn, KeyringError> {
        loop {
            let generations = self.generations().await?;
            if let Some(old) = generations.retiring {
                self.keys.wait_for_other_nodes(rotation.command_max).await;
                accounts.delete_kind(&reservation_kind(old.number)).await?;
                failpoint!(EmailReservationsDeleted);
                self.end_generation(old.number).await?;
                return Ok(IndexTurn::Rotated);
            }
            let live = generations.live.ok_or(KeyringError::Damaged)?;
            if let Some(new) = generations.writing {
                if !self.move_some(rotation, live, new, accounts).await? {
                    return Ok(IndexTurn::Moved);
                }
                let waited = self.clock.now() - new.since >= rotation.unreadable_wait;
                if !waited && accounts.count_unreadable().await? > 0 {
                    return Ok(IndexTurn::Waiting);
                }
                self.switch_generation(live.number, new.number).await?;
                failpoint!(EmailIndexSwitched);
            } else if live.since <= self.clock.now() - rotation.every {
                self.begin_generation(live.number + 1).await?;
                failpoint!(EmailIndexBegun);
            } else {
                return Ok(IndexTurn::NotDue);
            }
        }
    }

    /// Moves some batches. `false`: there are more.
    async fn move_some(
        &self,
        rotation: IndexRotation,
        live: EmailGeneration,
        new: EmailGeneration,
        accounts: &dyn AddressReservations,
    ) -> Result<bool, KeyringError> {
        let (old, new) = (reservation_kind(live.number), reservation_kind(new.number));
        // Commands that know the old key only are waited for once: a committed batch says that it was done.
        if !accounts.has_begun(&old, &new).await? {
            self.keys.wait_for_other_nodes(rotation.command_max).await;
        }
        for _ in 0..rotation.batches_max {
            let is_more = accounts.move_batch(&old, &new).await?;
            failpoint!(EmailIndexMoved);
            if !is_more {
                return Ok(true);
            }
        }
        Ok(false)
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
