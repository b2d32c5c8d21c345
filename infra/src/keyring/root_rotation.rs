//! Rotates root keys: each step is one transaction, so that a rotation resumes after any step and two
//! nodes can share it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::postgres::Transaction;
use chrono::{DateTime, TimeDelta, Utc};

use super::escrow::Escrow;
use super::rewrap::{Rewrap, Rewrapped};
use super::root_eraser::RootEraser;
use super::root_holds::{HeldRoot, HoldRules};
use super::root_row::{RootRow, RootState, in_state, read_roots};
use super::roots::Roots;
use super::{KeyringCopy, KeyringError, RootFingerprint, RootId, durability, shards};
use crate::clock::Clock;
use crate::failpoint;
use crate::postgres::Pool;

const FIND_ROOTLESS_KEY: &str =
    concat!(include_str!("sql/used_roots.sql"), include_str!("sql/find_rootless_key.sql"));
pub(super) const LOCK_ROOTS: &str =
    "select pg_advisory_xact_lock(hashtextextended('keyring.roots', 0))";
const BEGIN_ROOT: &str = include_str!("sql/begin_root.sql");
const NOTE_FINGERPRINT: &str =
    "update keyring.roots set fingerprint = $2 where root_id = $1 and state = 'new'";
const RETIRE_CURRENT: &str =
    "update keyring.roots set state = 'retiring', retired_at = $1 where state = 'current'";
const MAKE_CURRENT: &str = "update keyring.roots set state = 'current', current_at = $2
where root_id = $1 and state = 'new'";
const NOTE_REWRAPPED: &str = "update keyring.roots
set rewrapped_at = clock_timestamp(), rewrapped_lsn = pg_current_wal_insert_lsn()
where root_id = $1 and state = 'retiring'";
const NOTE_HISTORY: &str = "update keyring.shard_history
set history = keyring.history(), lsn = pg_current_wal_insert_lsn() where history is null";
const READ_NEWEST_ROOT: &str = "select newest_root from keyring.shard_history";
const NOTE_PLACE: &str = "update keyring.shard_history set lsn = pg_current_wal_insert_lsn()
where lsn is not null";

/// The result of a finished rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotatedRoot {
    /// The root under which keys are wrapped now.
    pub current: RootId,
    /// Shard keys that this node wrapped again; another node may have helped.
    pub shards: u64,
    /// Keys of people and periods that this node wrapped under another shard key.
    pub keys: u64,
    /// Old roots that this node erased.
    pub erased: u64,
}

/// The result of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RotationStep {
    /// Keys may be lost: every shard key is to be replaced.
    Tainted,
    Begun,
    Durable,
    Switched,
    Rewrapped(Rewrapped),
    /// The row says when and where the last key was wrapped again.
    Noted,
    /// The copy was lost since it was noted.
    Uncopied,
    Escrowed,
    Erased,
    /// There was nothing to do.
    Idle,
}

/// Replaces the root key, and erases old ones and their escrows.
///
/// Methods fail with [`KeyringError::Database`], with [`KeyringError::Roots`] and
/// [`KeyringError::Escrow`] when a file cannot be read or written, and with
/// [`KeyringError::RootMissing`] and [`KeyringError::RootWrong`] when the store does not have a root
/// that wraps keys, or has another one.
#[derive(Clone)]
pub struct RootRotation {
    pool: Pool,
    clock: Clock,
    roots: Arc<Roots>,
    pub(super) eraser: Arc<RootEraser>,
    copy: Option<Arc<KeyringCopy>>,
}

impl RootRotation {
    pub(super) fn new(
        pool: Pool,
        clock: Clock,
        roots: Arc<Roots>,
        escrow: Option<Escrow>,
        holds: HoldRules,
        copy: Option<Arc<KeyringCopy>>,
    ) -> Self {
        let held = Arc::clone(&roots);
        let needed = copy.clone().filter(|_| holds.needs_copy);
        let eraser = RootEraser::new(pool.clone(), clock.clone(), held, escrow, holds, needed);
        Self { pool, clock, roots, eraser: Arc::new(eraser), copy }
    }

    /// Creates the first root of an empty keyring if `creates`. Refuses if there are keys whose root is
    /// missing.
    pub(super) async fn establish(&self, creates: bool) -> Result<(), KeyringError> {
        durability::check(&self.pool).await?;
        if let Some(copy) = &self.copy {
            copy.refuse_behind().await?;
        }
        if creates {
            self.pool.get().await?.execute(NOTE_HISTORY, &[]).await?;
        }
        loop {
            let client = self.pool.get().await?;
            if let Some(row) = client.query_opt(FIND_ROOTLESS_KEY, &[]).await? {
                return Err(self.roots.missing(RootId(row.try_get("root_id")?)));
            }
            let roots = read_roots(&client).await?;
            drop(client);
            self.roots.verify().await?;
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

    /// Finishes the current rotation, or does a complete one: a new root is made durable,
    /// becomes the current one, and what is live is wrapped under it. Erases the old roots that nothing
    /// holds; [`RootRotation::held`] says what holds the others.
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
        self.roots.verify().await?;
        let (mut shards, mut keys, mut erased, mut steps) = (0, 0, 0, 0);
        let mut begin = Some(begin);
        // No root is tried twice, so that this ends when one cannot be erased.
        let mut tried = BTreeSet::new();
        loop {
            let step = self.step(begin).await?;
            begin = begin.filter(|_| step == RotationStep::Tainted);
            match step {
                // An old root that waited for the copy may be free now: this node has written it, or
                // another one since the step.
                RotationStep::Idle => {
                    self.copy().await;
                    let free = self.free().await?;
                    if free.iter().all(|root| tried.contains(root)) {
                        break;
                    }
                    tried.extend(free);
                    continue;
                }
                RotationStep::Rewrapped(rewrapped) => {
                    shards += rewrapped.shards;
                    keys += rewrapped.keys;
                }
                RotationStep::Erased => erased += 1,
                RotationStep::Tainted
                | RotationStep::Begun
                | RotationStep::Durable
                | RotationStep::Switched
                | RotationStep::Noted
                | RotationStep::Uncopied
                | RotationStep::Escrowed => {}
            }
            steps += 1;
        }
        self.roots.read_current().await?;
        Ok((RotatedRoot { current: self.roots.current(), shards, keys, erased }, steps))
    }

    /// Copies the keys under the new root, if an old one waits for that.
    async fn copy(&self) {
        let Some(copy) = &self.copy else { return };
        let copied = match self.waits_for_copy().await {
            Ok(true) => copy.update_in_turn().await.map(drop),
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = copied {
            tracing::warn!(%error, "the keyring is not copied: old root keys are kept");
        }
    }

    /// The old roots that nothing holds.
    async fn free(&self) -> Result<Vec<RootId>, KeyringError> {
        let held = self.eraser.held().await?;
        Ok(held.into_iter().filter(|held| held.holds.is_empty()).map(|held| held.id).collect())
    }

    async fn waits_for_copy(&self) -> Result<bool, KeyringError> {
        let roots = read_roots(&self.pool.get().await?).await?;
        Ok(roots.iter().any(RootRow::waits_for_copy))
    }

    /// The old roots that wrap no key any more and are not erased, and what each waits for. Logs
    /// what holds a root beyond its time.
    pub async fn held(&self) -> Result<Vec<HeldRoot>, KeyringError> {
        let mut held = self.eraser.held().await?;
        held.iter_mut().for_each(HeldRoot::note_overdue);
        self.eraser.log_changes(&held);
        Ok(held)
    }

    /// Whether an old root could be put into the escrow now, if there is one.
    pub async fn check_escrow(&self) -> Result<(), KeyringError> {
        self.eraser.check_escrow().await
    }

    /// The roots in the store that this keyring knows nothing of: another keyring's, or made by a
    /// server that failed before its standby knew of them. Nothing erases them.
    pub async fn unknown(&self) -> Result<Vec<RootId>, KeyringError> {
        self.eraser.unknown().await
    }

    /// The oldest root in the store that this keyring has no row of and may have known once: the tail that held the
    /// row was lost, and with it keys that this root wrapped. Whoever is erased and waits for it or for a later one
    /// is not proven while it is there.
    pub async fn oldest_in_doubt(&self) -> Result<Option<RootId>, KeyringError> {
        let unknown = self.eraser.unknown().await?;
        let client = self.pool.get().await?;
        let newest: i64 = client.query_one(READ_NEWEST_ROOT, &[]).await?.try_get("newest_root")?;
        Ok(unknown.into_iter().filter(|root| root.0 <= newest).min())
    }

    /// Takes the next step of the current rotation. Begins one if there is no current root, or if it
    /// became current at `begin` or before. Erases old roots when no rotation is under way.
    pub(super) async fn step(
        &self,
        begin: Option<DateTime<Utc>>,
    ) -> Result<RotationStep, KeyringError> {
        let mut client = self.pool.get().await?;
        let step = client.transaction().await?;
        step.execute(LOCK_ROOTS, &[]).await?;
        if shards::have_lost_keys(&step).await? {
            shards::taint_all(&step, &self.roots.store).await?;
            step.commit().await?;
            return Ok(RotationStep::Tainted);
        }
        let roots = read_roots(&step).await?;
        let current = in_state(&roots, RootState::Current);
        let unfinished = roots.iter().find(|root| root.is_rewrapping());
        if let (Some(old), Some(current)) = (unfinished, current) {
            if old.wraps {
                let (roots, pool, clock) = (&*self.roots, &self.pool, &self.clock);
                return Rewrap { roots, pool, clock, old, current }.batch(step).await;
            }
            // In a transaction after the last batch: its place in the WAL is behind that of the batch.
            step.execute(NOTE_REWRAPPED, &[&old.id.0]).await?;
            step.execute(NOTE_PLACE, &[]).await?;
            step.commit().await?;
            return Ok(RotationStep::Noted);
        }
        if let Some(new) = in_state(&roots, RootState::New) {
            return self.make_current(step, new).await;
        }
        let is_due = current.is_none_or(|current| {
            begin.is_some_and(|begin| current.current_at.is_none_or(|since| since <= begin))
        });
        if is_due {
            let stored = self.roots.store.list().await?.into_iter().max();
            let last = stored.map_or(0, |last| last.0);
            step.execute(BEGIN_ROOT, &[&self.clock.now(), &last]).await?;
            step.commit().await?;
            return Ok(RotationStep::Begun);
        }
        Ok(self.eraser.step(step, &roots).await?.unwrap_or(RotationStep::Idle))
    }

    /// Makes the new root durable, then current.
    async fn make_current(
        &self,
        step: Transaction<'_>,
        new: &RootRow,
    ) -> Result<RotationStep, KeyringError> {
        if new.fingerprint.is_none() {
            // It is there when a crash came between the key and its row: the number was free before.
            let key = match self.roots.store.read(new.id).await? {
                Some(left) => left,
                None => self.roots.store.create(new.id).await?,
            };
            failpoint!(RotationRootWritten);
            let fingerprint = RootFingerprint::of(&key);
            step.execute(NOTE_FINGERPRINT, &[&new.id.0, &fingerprint.as_bytes().as_slice()])
                .await?;
            step.commit().await?;
            return Ok(RotationStep::Durable);
        }
        // Only a node that has it may let others wrap keys under it.
        self.roots.of(new).await?;
        let now = self.clock.now();
        step.execute(RETIRE_CURRENT, &[&now]).await?;
        step.execute(MAKE_CURRENT, &[&new.id.0, &now]).await?;
        step.commit().await?;
        failpoint!(RotationSwitched);
        self.roots.set_current(new.id);
        tracing::info!(root = %new.id, "a new root key is current");
        Ok(RotationStep::Switched)
    }
}
