//! The root keys that a node knows, and what it checks before it serves.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use tokio_postgres::Row;

use super::{Inner, KeyringError, RootId, Secret, crypto};

/// A root's row: one that is not destroyed, or that keys still need.
pub(super) struct Root {
    pub id: RootId,
    pub state: RootState,
    /// None until the key is durable.
    pub fingerprint: Option<Vec<u8>>,
    pub current_at: Option<DateTime<Utc>>,
    pub escrowed: bool,
    /// Whether live keys are wrapped under it.
    pub wraps: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RootState {
    New,
    Current,
    Retiring,
    Destroyed,
}

impl Root {
    fn read(row: &Row) -> Result<Self, KeyringError> {
        let escrow: &str = row.try_get("escrow")?;
        Ok(Self {
            id: RootId(row.try_get("root_id")?),
            state: match row.try_get("state")? {
                "new" => RootState::New,
                "current" => RootState::Current,
                "retiring" => RootState::Retiring,
                _ => RootState::Destroyed,
            },
            fingerprint: row.try_get("fingerprint")?,
            current_at: row.try_get("current_at")?,
            escrowed: escrow != "none",
            wraps: row.try_get("wraps")?,
        })
    }

    pub fn is(&self, key: &Secret) -> bool {
        self.fingerprint.as_deref() == Some(crypto::fingerprint(key).as_slice())
    }
}

pub(super) async fn read_roots(client: &impl GenericClient) -> Result<Vec<Root>, KeyringError> {
    let rows = client.query(include_str!("sql/read_roots.sql"), &[]).await?;
    rows.iter().map(Root::read).collect()
}

pub(super) fn in_state(roots: &[Root], state: RootState) -> Option<&Root> {
    roots.iter().find(|root| root.state == state)
}

impl Inner {
    /// Mints the first root of an empty keyring; refuses when keys are there and their root is not.
    pub(super) async fn establish(&self) -> Result<(), KeyringError> {
        loop {
            let client = self.pool.get().await?;
            let rootless = client.query_opt(include_str!("sql/find_rootless_key.sql"), &[]).await?;
            if let Some(row) = rootless {
                return Err(KeyringError::RootMissing(RootId(row.try_get("root_id")?)));
            }
            let roots = read_roots(&client).await?;
            drop(client);
            for root in &roots {
                if root.wraps || root.state == RootState::Current {
                    self.check(root).await?;
                }
            }
            if let Some(current) = in_state(&roots, RootState::Current) {
                self.set_current_root(current.id);
                return Ok(());
            }
            self.rotation_step(None).await?;
        }
    }

    async fn check(&self, root: &Root) -> Result<(), KeyringError> {
        let key = self.roots.read(root.id).await?.ok_or(KeyringError::RootMissing(root.id))?;
        if root.is(&key) { Ok(()) } else { Err(KeyringError::RootWrong(root.id)) }
    }

    /// None when it is nowhere any more.
    pub(super) async fn root(&self, id: RootId) -> Result<Option<Arc<Secret>>, KeyringError> {
        let known = self.known_roots().get(&id).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let read = self.roots.read(id).await?.map(Arc::new);
        if let Some(key) = &read {
            self.known_roots().insert(id, Arc::clone(key));
        }
        Ok(read)
    }

    pub(super) fn known_roots(&self) -> MutexGuard<'_, HashMap<RootId, Arc<Secret>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn current_root(&self) -> RootId {
        RootId(self.current.load(Ordering::Acquire))
    }

    pub(super) fn set_current_root(&self, id: RootId) {
        self.current.store(id.0, Ordering::Release);
    }
}
