//! The root keys in the memory of a node.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::key::{KeyId, KeyKind};
use super::{KeyringError, RootId, RootStore, Secret};
use crate::postgres::Pool;

const READ_CURRENT: &str = "select root_id from keyring.roots where state = 'current'";

/// Root keys from their store, kept in memory until they are erased.
pub(super) struct Roots {
    pub store: Arc<dyn RootStore>,
    pool: Pool,
    known: Mutex<HashMap<RootId, Arc<Secret>>>,
    current: AtomicI64,
}

impl Roots {
    pub fn new(store: Arc<dyn RootStore>, pool: Pool) -> Self {
        Self { store, pool, known: Mutex::default(), current: AtomicI64::new(0) }
    }

    /// `None` when it is not in the store.
    pub async fn get(&self, id: RootId) -> Result<Option<Arc<Secret>>, KeyringError> {
        let known = self.known().get(&id).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let read = self.store.read(id).await?.map(Arc::new);
        if let Some(key) = &read {
            self.known().insert(id, Arc::clone(key));
        }
        Ok(read)
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
}
