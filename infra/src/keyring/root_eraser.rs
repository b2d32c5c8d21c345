//! Erases old root keys, and the escrows of those that are erased.

mod statements;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::postgres::Transaction;

use super::escrow::Escrow;
use super::key::{KeyId, KeyKind};
use super::root_holds::{self, HeldRoot, HoldRules, RootHold};
use super::root_rotation::RotationStep;
use super::root_row::{RootRow, RootState};
use super::roots::Roots;
use super::{KeyringCopy, KeyringError, RootErasure, RootFingerprint, RootId, invalidations};
use crate::clock::Clock;
use crate::failpoint;
use crate::postgres::Pool;

pub use statements::EscrowedRoot;

const NOTE_ESCROWED: &str =
    "update keyring.roots set escrow = 'held', escrow_until = $2 where root_id = $1";
const NOTE_ERASED: &str =
    "update keyring.roots set state = 'destroyed', destroyed_at = $2 where root_id = $1";
pub(super) const DELETE_REPLACED_SHARDS: &str = "delete from keyring.shards
where state = 'replaced' and root_id in (select root_id from keyring.roots where state = 'destroyed')";
const NOTE_UNCOPIED: &str = "update keyring.roots set copied = false where root_id = $1";
const LIST_DUE_ESCROWS: &str = "select root_id from keyring.roots
where escrow = 'held' and escrow_until <= $1 order by root_id";
const NOTE_ESCROW_ERASED: &str = "update keyring.roots
set escrow = 'destroyed', escrow_destroyed_at = $2 where root_id = $1 and escrow = 'held'";
const LIST_ERASED: &str = "select root_id, fingerprint from keyring.roots
where state = 'destroyed' and root_id = any($1)";
const LIST_FINGERPRINTS: &str =
    "select root_id, fingerprint from keyring.roots where root_id = any($1)";
const LIST_UNKNOWN: &str = "select id from unnest($1::bigint[]) id
where not exists (select from keyring.roots r where r.root_id = id) order by id";

/// Erases root keys that nothing needs any more.
pub(super) struct RootEraser {
    pool: Pool,
    clock: Clock,
    roots: Arc<Roots>,
    /// `None`: an old root is erased without escrow.
    escrow: Option<Escrow>,
    holds: HoldRules,
    /// The copy of the keyring that must hold what replaces a root.
    copy: Option<Arc<KeyringCopy>>,
    /// What was logged already.
    logged: Mutex<BTreeMap<RootId, Vec<RootHold>>>,
}

impl RootEraser {
    pub fn new(
        pool: Pool,
        clock: Clock,
        roots: Arc<Roots>,
        escrow: Option<Escrow>,
        holds: HoldRules,
        copy: Option<Arc<KeyringCopy>>,
    ) -> Self {
        Self { pool, clock, roots, escrow, holds, copy, logged: Mutex::default() }
    }

    /// Escrows or erases one old root that nothing holds. `None`: there is none.
    pub async fn step(
        &self,
        step: Transaction<'_>,
        roots: &[RootRow],
    ) -> Result<Option<RotationStep>, KeyringError> {
        let held = root_holds::list(&step, self.holds).await?;
        for old in roots.iter().filter(|root| root.state == RootState::Retiring && !root.wraps) {
            let free = held.iter().any(|held| held.id == old.id && held.holds.is_empty());
            let Some(fingerprint) = old.fingerprint.filter(|_| free) else { continue };
            if self.escrow(&step, old, fingerprint).await? {
                step.commit().await?;
                return Ok(Some(RotationStep::Escrowed));
            }
            if self.is_uncopied(&step, old.id).await {
                step.execute(NOTE_UNCOPIED, &[&old.id.0]).await?;
                step.commit().await?;
                return Ok(Some(RotationStep::Uncopied));
            }
            if self.erase(&step, old.id, fingerprint).await? {
                step.commit().await?;
                self.roots.evict_one(old.id);
                self.roots.store.delete_mark(old.id).await?;
                tracing::info!(root = %old.id, "an old root key is erased");
                return Ok(Some(RotationStep::Erased));
            }
        }
        Ok(None)
    }

    /// Whether the copy that was noted a day ago is lost since. What cannot be looked at counts as lost.
    async fn is_uncopied(&self, step: &Transaction<'_>, old: RootId) -> bool {
        let Some(copy) = &self.copy else { return false };
        match copy.replaces(step, old).await {
            Ok(replaces) => !replaces,
            Err(error) => {
                tracing::warn!(root = %old, %error, "the copy of the keyring cannot be looked at");
                true
            }
        }
    }

    /// `false`: there is no escrow, it has the root already, or the store does not have the root.
    async fn escrow(
        &self,
        step: &Transaction<'_>,
        old: &RootRow,
        fingerprint: RootFingerprint,
    ) -> Result<bool, KeyringError> {
        let Some(escrow) = self.escrow.as_ref().filter(|_| !old.is_escrowed) else {
            return Ok(false);
        };
        let stored = self.roots.store.read(old.id).await;
        let Some(key) = stored.ok().flatten().filter(|key| RootFingerprint::of(key) == fingerprint)
        else {
            return Ok(false);
        };
        escrow.put(old.id, &key).await?;
        let until = self.clock.now() + escrow.keep;
        step.execute(NOTE_ESCROWED, &[&old.id.0, &until]).await?;
        Ok(true)
    }

    /// `false`: the store did not have it, so nobody may say that it is erased.
    async fn erase(
        &self,
        step: &Transaction<'_>,
        id: RootId,
        fingerprint: RootFingerprint,
    ) -> Result<bool, KeyringError> {
        let now = self.clock.now();
        match self.roots.store.erase(id, fingerprint).await? {
            RootErasure::Erased => {}
            RootErasure::NotFound | RootErasure::OtherKey => return Ok(false),
        }
        failpoint!(RotationRootErased);
        step.execute(NOTE_ERASED, &[&id.0, &now]).await?;
        step.execute(DELETE_REPLACED_SHARDS, &[]).await?;
        invalidations::append(step, &[KeyId::numbered(KeyKind::Root, id.0)], now).await?;
        Ok(true)
    }

    /// The old roots that wrap no key any more, and what each waits for.
    pub async fn held(&self) -> Result<Vec<HeldRoot>, KeyringError> {
        let client = self.pool.get().await?;
        let mut held = root_holds::list(&client, self.holds).await?;
        if held.is_empty() {
            return Ok(held);
        }
        let ids: Vec<i64> = held.iter().map(|held| held.id.0).collect();
        let rows = client.query(LIST_FINGERPRINTS, &[&ids]).await?;
        drop(client);
        for row in &rows {
            let id = RootId(row.try_get("root_id")?);
            let fingerprint = fingerprint(row.try_get("fingerprint")?)?;
            let found = self.in_store(id, fingerprint).await;
            if let Some(held) = held.iter_mut().find(|held| held.id == id) {
                held.holds.extend(found);
            }
        }
        Ok(held)
    }

    async fn in_store(&self, id: RootId, fingerprint: RootFingerprint) -> Option<RootHold> {
        match self.roots.store.read(id).await {
            Ok(Some(key)) if RootFingerprint::of(&key) == fingerprint => None,
            Ok(Some(_)) => Some(RootHold::OtherKey),
            Ok(None) => Some(RootHold::NotFound),
            Err(error) => Some(RootHold::Unreadable(error.to_string())),
        }
    }

    /// Logs what holds a root beyond its time: once, until that changes.
    pub fn log_changes(&self, held: &[HeldRoot]) {
        let is_wait = |hold: &&RootHold| !matches!(hold, RootHold::Retained { .. });
        let reasons = |held: &HeldRoot| held.holds.iter().filter(is_wait).cloned().collect();
        let now: BTreeMap<RootId, Vec<RootHold>> =
            held.iter().map(|held| (held.id, reasons(held))).collect();
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        for (root, holds) in now.iter().filter(|(_, holds)| !holds.is_empty()) {
            if logged.get(root) != Some(holds) {
                let reasons: Vec<String> = holds.iter().map(ToString::to_string).collect();
                let reasons = reasons.join("; ");
                tracing::warn!(%root, reasons, "an old root key is not erased yet");
            }
        }
        *logged = now;
    }

    /// Erases the expired escrows; returns how many. Nobody waits for the disk of the escrow, and both steps
    /// may be done twice.
    pub async fn expire_escrows(&self) -> Result<u64, KeyringError> {
        let Some(escrow) = &self.escrow else { return Ok(0) };
        let now = self.clock.now();
        let due = self.pool.get().await?.query(LIST_DUE_ESCROWS, &[&now]).await?;
        let mut expired = 0;
        for row in &due {
            let id: i64 = row.try_get("root_id")?;
            escrow.erase(RootId(id)).await?;
            let client = self.pool.get().await?;
            expired += client.execute(NOTE_ESCROW_ERASED, &[&id, &now]).await?;
        }
        Ok(expired)
    }

    /// A crash may have left the mark of an erased root, or the root in this node's memory; a copy of
    /// the store may have brought its file back.
    pub async fn erase_leftovers(&self) -> Result<(), KeyringError> {
        let mut ids: Vec<i64> = self.roots.store.list().await?.iter().map(|root| root.0).collect();
        ids.extend(self.roots.known_ids().iter().map(|root| root.0));
        let client = self.pool.get().await?;
        let list = client.prepare_cached(LIST_ERASED).await?;
        let rows = client.query(&list, &[&ids]).await?;
        drop(client);
        for row in &rows {
            let id = RootId(row.try_get("root_id")?);
            self.roots.evict_one(id);
            let key = fingerprint(row.try_get("fingerprint")?)?;
            if self.roots.store.erase(id, key).await? == RootErasure::OtherKey {
                tracing::warn!(root = %id, "the store has another key under the number of an erased root: it is left alone");
            }
            self.roots.store.delete_mark(id).await?;
        }
        Ok(())
    }

    /// The roots in the store that this keyring has no row of.
    pub async fn unknown(&self) -> Result<Vec<RootId>, KeyringError> {
        let ids: Vec<i64> = self.roots.store.list().await?.iter().map(|root| root.0).collect();
        let client = self.pool.get().await?;
        let rows = client.query(LIST_UNKNOWN, &[&ids]).await?;
        rows.iter().map(|row| Ok(RootId(row.try_get("id")?))).collect()
    }
}

fn fingerprint(noted: &[u8]) -> Result<RootFingerprint, KeyringError> {
    RootFingerprint::from_bytes(noted).ok_or(KeyringError::Damaged)
}
