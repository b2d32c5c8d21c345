//! The root keys in the memory of a node, and whether the store has those that it needs.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::key::{KeyId, KeyKind};
use super::root_row::{RootRow, read_roots};
use super::{KeyringError, RootFingerprint, RootId, RootStore, Secret};
use crate::postgres::Pool;
use crate::supervise;

const READ_CURRENT: &str = "select root_id from keyring.roots where state = 'current'";
const READ_FINGERPRINT: &str = "select fingerprint from keyring.roots where root_id = $1";
/// How often a node looks whether it can still read the roots that it needs.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Root keys from their store, kept in memory until they are erased.
pub(super) struct Roots {
    pub store: Arc<dyn RootStore>,
    pool: Pool,
    known: Mutex<HashMap<RootId, Arc<Secret>>>,
    current: AtomicI64,
    /// What the last look has found.
    found: Mutex<RootsState>,
    /// One look at a time: what an earlier one has found does not replace what a later one has.
    looking: tokio::sync::Mutex<()>,
}

/// Whether this node may use its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
enum RootsState {
    Usable,
    /// From memory: the store says nothing of any root.
    Unreached(String),
    Unusable(String),
}

impl Roots {
    pub fn new(store: Arc<dyn RootStore>, pool: Pool) -> Self {
        let (known, found) = (Mutex::default(), Mutex::new(RootsState::Usable));
        let (current, looking) = (AtomicI64::new(0), tokio::sync::Mutex::default());
        Self { store, pool, known, current, found, looking }
    }

    /// `None` when it is not in the store.
    pub async fn get(&self, id: RootId) -> Result<Option<Arc<Secret>>, KeyringError> {
        let known = self.known().get(&id).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let Some(key) = self.store.read(id).await? else { return Ok(None) };
        let client = self.pool.get().await?;
        let row = client.query_opt(READ_FINGERPRINT, &[&id.0]).await?;
        let noted: Option<Vec<u8>> = row.map(|row| row.try_get(0)).transpose()?.flatten();
        let noted = noted.and_then(|bytes| RootFingerprint::from_bytes(&bytes));
        self.keep(id, key, noted).map(Some)
    }

    /// The same for a row that was read; fails with [`KeyringError::RootMissing`].
    pub async fn of(&self, row: &RootRow) -> Result<Arc<Secret>, KeyringError> {
        let known = self.known().get(&row.id).cloned();
        match known {
            Some(known) => Ok(known),
            None => self.read(row).await,
        }
    }

    /// Reads it from the store, whatever is in memory.
    async fn read(&self, row: &RootRow) -> Result<Arc<Secret>, KeyringError> {
        let key = self.store.read(row.id).await?.ok_or_else(|| self.missing(row.id))?;
        self.keep(row.id, key, row.fingerprint)
    }

    fn keep(
        &self,
        id: RootId,
        key: Secret,
        noted: Option<RootFingerprint>,
    ) -> Result<Arc<Secret>, KeyringError> {
        if noted != Some(RootFingerprint::of(&key)) {
            return Err(KeyringError::RootWrong { id, store: self.store.place() });
        }
        let key = Arc::new(key);
        self.known().insert(id, Arc::clone(&key));
        Ok(key)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<RootId, Arc<Secret>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn known_ids(&self) -> Vec<RootId> {
        self.known().keys().copied().collect()
    }

    /// The error for a root that is not in the store.
    pub fn missing(&self, id: RootId) -> KeyringError {
        KeyringError::RootMissing { id, store: self.store.place() }
    }

    /// Removes one root key from memory.
    pub fn evict_one(&self, id: RootId) {
        self.known().remove(&id);
    }

    /// Removes the roots among these keys from memory; `None`: removes all roots.
    pub fn evict(&self, invalidated: Option<&[KeyId]>) {
        let mut known = self.known();
        match invalidated {
            None => known.clear(),
            Some(keys) => {
                for key in keys.iter().filter(|key| key.kind == KeyKind::Root) {
                    known.remove(&RootId(key.number));
                }
            }
        }
    }

    /// The root under which new keys are wrapped, as far as this node knows.
    pub fn current(&self) -> RootId {
        RootId(self.current.load(Ordering::Acquire))
    }

    pub fn set_current(&self, id: RootId) {
        self.current.store(id.0, Ordering::Release);
    }

    pub async fn read_current(&self) -> Result<(), KeyringError> {
        let client = self.pool.get().await?;
        if let Some(row) = client.query_opt(READ_CURRENT, &[]).await? {
            self.set_current(RootId(row.try_get("root_id")?));
        }
        Ok(())
    }

    /// Reads every root that this node needs from the store, whatever is in memory, and compares it
    /// with its row.
    pub async fn verify(&self) -> Result<(), KeyringError> {
        let mut rows = self.rows().await?;
        loop {
            let Err(fault) = self.read_needed(&rows).await else { return Ok(()) };
            // Another node may have replaced a root between the reading of its row and of its file.
            let now = self.rows().await?;
            if now == rows {
                return Err(fault);
            }
            rows = now;
        }
    }

    async fn rows(&self) -> Result<Vec<RootRow>, KeyringError> {
        read_roots(&self.pool.get().await?).await
    }

    async fn read_needed(&self, rows: &[RootRow]) -> Result<(), KeyringError> {
        for row in rows.iter().filter(|row| row.is_needed()) {
            self.read(row).await?;
        }
        Ok(())
    }

    /// Refuses when the last look found that a root is not readable, or another than its row says.
    pub fn usable(&self) -> Result<(), KeyringError> {
        match &*self.found() {
            RootsState::Unusable(reason) => Err(KeyringError::RootsUnusable(reason.clone())),
            RootsState::Usable | RootsState::Unreached(_) => Ok(()),
        }
    }

    /// Refuses when the store did not answer at the last look.
    pub fn reached(&self) -> Result<(), KeyringError> {
        match &*self.found() {
            RootsState::Unreached(reason) => Err(KeyringError::RootsUnreached(reason.clone())),
            RootsState::Usable | RootsState::Unusable(_) => Ok(()),
        }
    }

    fn found(&self) -> MutexGuard<'_, RootsState> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks whether this node can read the roots that it needs, and remembers the answer. A database
    /// that does not answer says nothing about the roots.
    pub async fn look(&self) {
        let _alone = self.looking.lock().await;
        let now = match self.verify().await {
            Ok(()) => RootsState::Usable,
            Err(KeyringError::Roots(error)) if error.says_nothing() => {
                match self.has_needed().await {
                    Ok(true) => RootsState::Unreached(error.to_string()),
                    Ok(false) => RootsState::Unusable(error.to_string()),
                    Err(_) => return,
                }
            }
            Err(fault) if fault.is_about_roots() => RootsState::Unusable(fault.to_string()),
            Err(_) => return,
        };
        let before = std::mem::replace(&mut *self.found(), now.clone());
        if std::mem::discriminant(&before) != std::mem::discriminant(&now) {
            log_change(&now);
        }
    }

    /// Whether every root that this node needs is in its memory, as its row says.
    async fn has_needed(&self) -> Result<bool, KeyringError> {
        let rows = self.rows().await?;
        let known = self.known();
        let is_known = |row: &RootRow| {
            known.get(&row.id).is_some_and(|key| row.fingerprint == Some(RootFingerprint::of(key)))
        };
        Ok(rows.iter().filter(|row| row.is_needed()).all(is_known))
    }
}

fn log_change(now: &RootsState) {
    match now {
        RootsState::Usable => tracing::info!("the root keys can be used again"),
        RootsState::Unreached(reason) => tracing::warn!(
            reason,
            "the place of the root keys does not answer: they are used from memory, and none is \
             replaced"
        ),
        RootsState::Unusable(reason) => {
            tracing::error!(reason, "root keys cannot be used: this node opens and seals nothing");
        }
    }
}

/// Looks at the roots every few seconds, until they are dropped.
pub(super) fn keep_looking(roots: &Arc<Roots>) {
    supervise::spawn_every("root keys", LOOK_EVERY, roots, |roots| async move {
        roots.look().await;
    });
}
