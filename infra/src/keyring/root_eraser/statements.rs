//! What an operator states of a root key, where Lethe cannot look: the copy of an escrow is destroyed, or the
//! key itself is lost.

use std::path::Path;

use chrono::{DateTime, Utc};

use super::RootEraser;
use crate::keyring::key::{KeyId, KeyKind};
use crate::keyring::root_rotation::LOCK_ROOTS;
use crate::keyring::root_row::{RootState, read_roots};
use crate::keyring::{KeyringError, RootFingerprint, RootId, RootRotation, escrow, invalidations};

const LIST_ESCROWED: &str = "select root_id, escrow_until from keyring.roots \
    where escrow = 'held' order by root_id";
const STATE_ESCROW_DESTROYED: &str = "update keyring.roots \
    set escrow = 'destroyed', escrow_destroyed_at = $2 \
    where root_id = $1 and escrow = 'held'";
const STATE_LOST: &str = "update keyring.roots \
    set state = 'destroyed', destroyed_at = $2 where root_id = $1";

/// An old root key that the recipient of the escrow can still open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EscrowedRoot {
    /// Its number.
    pub id: RootId,
    /// When its copy is deleted, as long as the escrow is switched on.
    pub until: DateTime<Utc>,
}

impl RootRotation {
    /// The roots whose copy in the escrow is not destroyed.
    pub async fn escrowed(&self) -> Result<Vec<EscrowedRoot>, KeyringError> {
        let client = self.eraser.pool.get().await?;
        let rows = client.query(LIST_ESCROWED, &[]).await?;
        let escrowed = rows.iter().map(|row| {
            let id = RootId(row.try_get("root_id")?);
            Ok(EscrowedRoot { id, until: row.try_get("escrow_until")? })
        });
        escrowed.collect()
    }

    /// Notes that an operator says that every copy of the root in the escrow is destroyed. Fails with
    /// [`KeyringError::Statement`] while the folder of the escrow has one, cannot be read, or is not mounted,
    /// and if the escrow never had the root.
    pub async fn state_escrow_destroyed(
        &self,
        id: RootId,
        folder: &Path,
    ) -> Result<(), KeyringError> {
        let copy = folder.join(escrow::file_name(id));
        let refused = |reason: String| Err(KeyringError::Statement { id, reason });
        let looked = copy.try_exists();
        let looked = looked.and_then(|there| escrow::refuse_other_folder(folder).map(|()| there));
        match looked {
            Ok(false) => {}
            Ok(true) => {
                return refused(format!("its copy {} is there: delete it first", copy.display()));
            }
            Err(error) => {
                return refused(format!(
                    "whether {} is there is not known: {error}",
                    copy.display()
                ));
            }
        }
        let client = self.eraser.pool.get().await?;
        let now = self.eraser.clock.now();
        if client.execute(STATE_ESCROW_DESTROYED, &[&id.0, &now]).await? == 0 {
            return refused(
                "no escrow holds it: `lethe keys status` names those that one holds".to_owned(),
            );
        }
        tracing::warn!(root = %id, "an operator states that the escrow's copy of a root key is destroyed");
        Ok(())
    }

    /// Notes that an operator says that an old root key is lost for good: it is nowhere. Fails with
    /// [`KeyringError::Statement`] if keys are wrapped under it or will be, if the store has it, and if
    /// that cannot be read.
    pub async fn state_lost(&self, id: RootId) -> Result<(), KeyringError> {
        self.eraser.state_lost(id).await
    }
}

impl RootEraser {
    async fn state_lost(&self, id: RootId) -> Result<(), KeyringError> {
        let refused = |reason: String| Err(KeyringError::Statement { id, reason });
        let mut client = self.pool.get().await?;
        let transaction = client.transaction().await?;
        transaction.execute(LOCK_ROOTS, &[]).await?;
        let roots = read_roots(&transaction).await?;
        let Some(old) = roots.iter().find(|root| root.id == id) else {
            return refused(
                "the keyring has no root key of this number that is not erased".to_owned(),
            );
        };
        if old.state != RootState::Retiring || old.wraps {
            return refused("keys are wrapped under it, or will be: put it back".to_owned());
        }
        match self.roots.store.read(id).await {
            Ok(Some(key)) if old.fingerprint == Some(RootFingerprint::of(&key)) => {
                let place = self.roots.store.place();
                return refused(format!(
                    "it is in {place}, where it is erased when nothing holds it"
                ));
            }
            Ok(_) => {}
            Err(error) => return refused(format!("whether it is lost is not known: {error}")),
        }
        let now = self.clock.now();
        transaction.execute(STATE_LOST, &[&id.0, &now]).await?;
        invalidations::append(&transaction, &[KeyId::numbered(KeyKind::Root, id.0)], now).await?;
        transaction.commit().await?;
        self.roots.evict_one(id);
        tracing::warn!(root = %id, "an operator states that an old root key is lost for good");
        Ok(())
    }
}
