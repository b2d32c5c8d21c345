//! Erases old root keys, and the escrows of those that are erased.

mod statements;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};

use crate::postgres::{GenericClient, Transaction};

use super::escrow::{Escrow, EscrowErasure};
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
const HAS_ESCROWED: &str = "select exists (select from keyring.roots where escrow <> 'none')";
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
        let mut failed = None;
        for old in roots.iter().filter(|root| root.state == RootState::Retiring && !root.wraps) {
            let free = held.iter().any(|held| held.id == old.id && held.holds.is_empty());
            let Some(fingerprint) = old.fingerprint.filter(|_| free) else { continue };
            let taken = match self.dispose(&step, old, fingerprint).await {
                Ok(Some(taken)) => taken,
                Ok(None) => continue,
                Err(error) if error.is_of_one_root() => {
                    failed = failed.or(Some(error));
                    continue;
                }
                Err(error) => return Err(error),
            };
            step.commit().await?;
            if taken == RotationStep::Erased {
                self.roots.evict_one(old.id);
                self.roots.store.delete_mark(old.id).await?;
                tracing::info!(root = %old.id, "an old root key is erased");
            }
            return Ok(Some(taken));
        }
        failed.map_or(Ok(None), Err)
    }

    /// `None`: the store does not have it, so that it is neither escrowed nor called erased.
    async fn dispose(
        &self,
        step: &Transaction<'_>,
        old: &RootRow,
        fingerprint: RootFingerprint,
    ) -> Result<Option<RotationStep>, KeyringError> {
        if let Some(escrow) = self.escrow.as_ref().filter(|_| !old.is_escrowed) {
            let escrowed = self.put(escrow, step, old.id, fingerprint).await?;
            return Ok(escrowed.then_some(RotationStep::Escrowed));
        }
        if self.is_uncopied(step, old.id).await {
            step.execute(NOTE_UNCOPIED, &[&old.id.0]).await?;
            return Ok(Some(RotationStep::Uncopied));
        }
        let erased = self.erase(step, old.id, fingerprint).await?;
        Ok(erased.then_some(RotationStep::Erased))
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

    /// `false`: the store does not have it.
    async fn put(
        &self,
        escrow: &Escrow,
        step: &Transaction<'_>,
        id: RootId,
        fingerprint: RootFingerprint,
    ) -> Result<bool, KeyringError> {
        let stored = self.roots.store.read(id).await?;
        let Some(key) = stored.filter(|key| RootFingerprint::of(key) == fingerprint) else {
            return Ok(false);
        };
        escrow.put(id, &key, is_new(step).await?).await?;
        let until = self.clock.now() + escrow.keep;
        step.execute(NOTE_ESCROWED, &[&id.0, &until]).await?;
        Ok(true)
    }

    /// Makes the folder of an escrow that never held a root; one that was used is only looked at, and logged if it
    /// cannot be used: a start does not need it.
    pub async fn prepare_escrow(&self) -> Result<(), KeyringError> {
        let Some(escrow) = &self.escrow else { return Ok(()) };
        if is_new(&self.pool.get().await?).await? {
            return escrow.prepare(true).await;
        }
        if let Err(error) = escrow.check().await {
            tracing::error!(%error, "no old root key is erased until the escrow can be used");
        }
        Ok(())
    }

    /// Whether an old root could be put into the escrow now, if there is one.
    pub async fn check_escrow(&self) -> Result<(), KeyringError> {
        match &self.escrow {
            Some(escrow) => escrow.check().await,
            None => Ok(()),
        }
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
        let (mut erased, mut missing) = (0, Vec::new());
        for id in self.due_escrows(now).await? {
            match escrow.erase(id).await? {
                EscrowErasure::NotFound => missing.push(id),
                EscrowErasure::Erased => {
                    let client = self.pool.get().await?;
                    erased += client.execute(NOTE_ESCROW_ERASED, &[&id.0, &now]).await?;
                    escrow.delete_mark(id).await?;
                }
            }
        }
        if !missing.is_empty() {
            // Another node may have erased them meanwhile, its mark too.
            let due = self.due_escrows(now).await?;
            missing.retain(|root| due.contains(root));
        }
        if let Some(root) = missing.first() {
            tracing::warn!(%root, count = missing.len(), "the escrow lacks the file of an old root key: it is not called destroyed");
        }
        Ok(erased)
    }

    async fn due_escrows(&self, now: DateTime<Utc>) -> Result<Vec<RootId>, KeyringError> {
        let rows = self.pool.get().await?.query(LIST_DUE_ESCROWS, &[&now]).await?;
        rows.iter().map(|row| Ok(RootId(row.try_get("root_id")?))).collect()
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

/// Whether nothing was ever put into the escrow.
async fn is_new(client: &impl GenericClient) -> Result<bool, KeyringError> {
    let has_escrowed: bool = client.query_one(HAS_ESCROWED, &[]).await?.try_get(0)?;
    Ok(!has_escrowed)
}

fn fingerprint(noted: &[u8]) -> Result<RootFingerprint, KeyringError> {
    RootFingerprint::from_bytes(noted).ok_or(KeyringError::Damaged)
}
