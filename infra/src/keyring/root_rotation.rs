//! Rotates root keys: each step is one transaction, so that a rotation resumes after any step and two
//! nodes can share it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::Transaction;

use super::escrow::Escrow;
use super::key::{KeyColumns, KeyId, KeyKind};
use super::root_row::{RootRow, RootState, in_state, read_roots};
use super::roots::Roots;
use super::{KeyringError, RootId, Secret, crypto, invalidations};
use crate::clock::Clock;
use crate::failpoint;
use crate::postgres::Pool;

const FIND_ROOTLESS_KEY: &str = include_str!("sql/find_rootless_key.sql");
const LOCK_ROOTS: &str = "select pg_advisory_xact_lock(hashtextextended('keyring.roots', 0))";
const BEGIN_ROOT: &str = "insert into keyring.roots (state, created_at) values ('new', $1)";
const NOTE_FINGERPRINT: &str =
    "update keyring.roots set fingerprint = $2 where root_id = $1 and state = 'new'";
const RETIRE_CURRENT: &str =
    "update keyring.roots set state = 'retiring', retired_at = $1 where state = 'current'";
const MAKE_CURRENT: &str = "update keyring.roots set state = 'current', current_at = $2
where root_id = $1 and state = 'new'";
const LOCK_BATCH: &str = include_str!("sql/lock_batch.sql");
const REWRAP_BATCH: &str = include_str!("sql/rewrap_batch.sql");
const NOTE_ESCROWED: &str =
    "update keyring.roots set escrow = 'held', escrow_until = $2 where root_id = $1";
const NOTE_ERASED: &str =
    "update keyring.roots set state = 'destroyed', destroyed_at = $2 where root_id = $1";
const LIST_DUE_ESCROWS: &str = "select root_id from keyring.roots
where escrow = 'held' and escrow_until <= $1 order by root_id";
const NOTE_ESCROW_ERASED: &str =
    "update keyring.roots set escrow = 'destroyed', escrow_destroyed_at = $2 where root_id = $1";
const LIST_ERASED: &str =
    "select root_id from keyring.roots where state = 'destroyed' and root_id = any($1)";

/// Rows in one transaction that wraps keys again: a long transaction would hold back vacuum.
const BATCH: i64 = 500;

/// The result of a finished rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotatedRoot {
    /// The root under which keys are wrapped now.
    pub current: RootId,
    /// Keys that this node wrapped again; another node may have helped.
    pub rewrapped: u64,
}

/// The result of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RotationStep {
    Begun,
    Durable,
    Switched,
    Rewrapped(u64),
    Escrowed,
    Erased,
    /// There was nothing to do.
    Idle,
}

/// Replaces the root key, and erases old ones and their escrows.
///
/// Methods fail with [`KeyringError::Database`], with [`KeyringError::Roots`] and
/// [`KeyringError::Escrow`] when a file cannot be read or written, and with
/// [`KeyringError::RootMissing`] when a root that still wraps keys is not in the store.
#[derive(Clone)]
pub struct RootRotation {
    pool: Pool,
    clock: Clock,
    roots: Arc<Roots>,
    /// `None`: an old root is erased without escrow.
    escrow: Option<Escrow>,
}

impl RootRotation {
    pub(super) const fn new(
        pool: Pool,
        clock: Clock,
        roots: Arc<Roots>,
        escrow: Option<Escrow>,
    ) -> Self {
        Self { pool, clock, roots, escrow }
    }

    /// Creates the first root of an empty keyring if `creates`. Refuses if there are keys whose root is
    /// missing.
    pub(super) async fn establish(&self, creates: bool) -> Result<(), KeyringError> {
        loop {
            let client = self.pool.get().await?;
            if let Some(row) = client.query_opt(FIND_ROOTLESS_KEY, &[]).await? {
                return Err(self.roots.missing(RootId(row.try_get("root_id")?)));
            }
            let roots = read_roots(&client).await?;
            drop(client);
            for root in &roots {
                if root.wraps || root.state == RootState::Current {
                    self.check(root).await?;
                }
            }
            if let Some(current) = in_state(&roots, RootState::Current) {
                self.roots.set_current(current.id);
                return Ok(());
            }
            if !creates {
                return Err(KeyringError::NoRoot);
            }
            self.step(None).await?;
        }
    }

    async fn check(&self, root: &RootRow) -> Result<(), KeyringError> {
        let key = self.stored(root.id).await?;
        if root.is_of(&key) { Ok(()) } else { Err(KeyringError::RootWrong(root.id)) }
    }

    async fn stored(&self, id: RootId) -> Result<Secret, KeyringError> {
        self.roots.store.read(id).await?.ok_or_else(|| self.roots.missing(id))
    }

    /// Finishes the current rotation, or does a complete one: a new root is made durable,
    /// becomes the current one, live keys are wrapped under it, the old one is escrowed and erased.
    pub async fn rotate(&self) -> Result<RotatedRoot, KeyringError> {
        self.finish(DateTime::<Utc>::MAX_UTC).await.map(|(rotated, _)| rotated)
    }

    /// The same, if a rotation has begun or the current root is at least as old as `every`; `None`:
    /// there was nothing to do.
    pub async fn rotate_when_due(
        &self,
        every: TimeDelta,
    ) -> Result<Option<RotatedRoot>, KeyringError> {
        let (rotated, steps) = self.finish(self.clock.now() - every).await?;
        Ok((steps > 0).then_some(rotated))
    }

    async fn finish(&self, begin: DateTime<Utc>) -> Result<(RotatedRoot, u64), KeyringError> {
        let (mut rewrapped, mut steps) = (0, 0);
        let mut begin = Some(begin);
        loop {
            match self.step(begin.take()).await? {
                RotationStep::Idle => break,
                RotationStep::Rewrapped(rows) => rewrapped += rows,
                RotationStep::Begun
                | RotationStep::Durable
                | RotationStep::Switched
                | RotationStep::Escrowed
                | RotationStep::Erased => {}
            }
            steps += 1;
        }
        self.roots.read_current().await?;
        Ok((RotatedRoot { current: self.roots.current(), rewrapped }, steps))
    }

    /// Takes the next step of the current rotation. Begins one if there is no current root, or if it
    /// became current at `begin` or before.
    pub(super) async fn step(
        &self,
        begin: Option<DateTime<Utc>>,
    ) -> Result<RotationStep, KeyringError> {
        let mut client = self.pool.get().await?;
        let step = client.transaction().await?;
        step.execute(LOCK_ROOTS, &[]).await?;
        let roots = read_roots(&step).await?;
        let current = in_state(&roots, RootState::Current);
        if let Some(old) = in_state(&roots, RootState::Retiring) {
            return match current {
                Some(current) if old.wraps => self.rewrap(step, old, current).await,
                _ => self.erase(step, old).await,
            };
        }
        if let Some(new) = in_state(&roots, RootState::New) {
            return self.make_current(step, new).await;
        }
        let is_due = current.is_none_or(|current| {
            begin.is_some_and(|begin| current.current_at.is_none_or(|since| since <= begin))
        });
        if !is_due {
            return Ok(RotationStep::Idle);
        }
        step.execute(BEGIN_ROOT, &[&self.clock.now()]).await?;
        step.commit().await?;
        Ok(RotationStep::Begun)
    }

    /// Makes the new root durable, then current.
    async fn make_current(
        &self,
        step: Transaction<'_>,
        new: &RootRow,
    ) -> Result<RotationStep, KeyringError> {
        let stored = self.roots.store.read(new.id).await?.filter(|key| new.is_of(key));
        if stored.is_none() {
            let key = Secret::random()?;
            self.roots.store.write(new.id, &key).await?;
            failpoint!(RotationRootWritten);
            let fingerprint = crypto::fingerprint(&key);
            step.execute(NOTE_FINGERPRINT, &[&new.id.0, &fingerprint.as_slice()]).await?;
            step.commit().await?;
            return Ok(RotationStep::Durable);
        }
        let now = self.clock.now();
        step.execute(RETIRE_CURRENT, &[&now]).await?;
        step.execute(MAKE_CURRENT, &[&new.id.0, &now]).await?;
        step.commit().await?;
        failpoint!(RotationSwitched);
        self.roots.set_current(new.id);
        tracing::info!(root = %new.id, "a new root key is current");
        Ok(RotationStep::Switched)
    }

    async fn rewrap(
        &self,
        step: Transaction<'_>,
        old: &RootRow,
        current: &RootRow,
    ) -> Result<RotationStep, KeyringError> {
        let from = self.roots.get(old.id).await?.ok_or_else(|| self.roots.missing(old.id))?;
        let to = self.roots.get(current.id).await?.ok_or_else(|| self.roots.missing(current.id))?;
        let rows = step.query(LOCK_BATCH, &[&old.id.0, &BATCH]).await?;
        let mut keys = Vec::with_capacity(rows.len());
        let mut wrapped = Vec::with_capacity(rows.len());
        for row in &rows {
            let key = KeyId::from_row(row)?;
            let identity = key.identity();
            let secret = crypto::unwrap(&from, &identity, row.try_get("wrapped")?)?;
            wrapped.push(crypto::wrap(&to, &identity, &secret)?);
            keys.push(key);
        }
        let KeyColumns { kinds, subjects, classes, numbers } = KeyColumns::of(&keys);
        let rewrapped = step
            .execute(
                REWRAP_BATCH,
                &[&kinds, &subjects, &classes, &numbers, &wrapped, &current.id.0],
            )
            .await?;
        step.commit().await?;
        failpoint!(RotationRewrapped);
        Ok(RotationStep::Rewrapped(rewrapped))
    }

    /// Escrows a root that wraps no key any more, then erases it.
    async fn erase(
        &self,
        step: Transaction<'_>,
        old: &RootRow,
    ) -> Result<RotationStep, KeyringError> {
        let now = self.clock.now();
        if let Some(escrow) = self.escrow.as_ref().filter(|_| !old.is_escrowed) {
            escrow.put(old.id, &self.stored(old.id).await?).await?;
            step.execute(NOTE_ESCROWED, &[&old.id.0, &(now + escrow.keep)]).await?;
            step.commit().await?;
            return Ok(RotationStep::Escrowed);
        }
        self.roots.store.erase(old.id).await?;
        failpoint!(RotationRootErased);
        step.execute(NOTE_ERASED, &[&old.id.0, &now]).await?;
        let root = KeyId::numbered(KeyKind::Root, old.id.0);
        invalidations::append(&step, &[root], now).await?;
        step.commit().await?;
        self.roots.evict_one(old.id);
        tracing::info!(root = %old.id, "an old root key is erased");
        Ok(RotationStep::Erased)
    }

    /// Erases the expired escrows; returns how many.
    pub(super) async fn expire_escrows(&self) -> Result<u64, KeyringError> {
        let Some(escrow) = &self.escrow else { return Ok(0) };
        let now = self.clock.now();
        let mut client = self.pool.get().await?;
        let transaction = client.transaction().await?;
        transaction.execute(LOCK_ROOTS, &[]).await?;
        let mut expired = 0;
        for row in &transaction.query(LIST_DUE_ESCROWS, &[&now]).await? {
            let id: i64 = row.try_get("root_id")?;
            escrow.erase(RootId(id)).await?;
            expired += transaction.execute(NOTE_ESCROW_ERASED, &[&id, &now]).await?;
        }
        transaction.commit().await?;
        Ok(expired)
    }

    /// A crash may have left the file of an erased root, or a root in this node's memory.
    pub(super) async fn erase_leftovers(&self) -> Result<(), KeyringError> {
        let mut ids: Vec<i64> = self.roots.store.list().await?.iter().map(|root| root.0).collect();
        ids.extend(self.roots.known_ids().iter().map(|root| root.0));
        let client = self.pool.get().await?;
        for row in client.query(LIST_ERASED, &[&ids]).await? {
            let id = RootId(row.try_get("root_id")?);
            self.roots.evict_one(id);
            self.roots.store.erase(id).await?;
        }
        Ok(())
    }
}
