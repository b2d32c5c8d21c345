//! What an operator states of a copy, where Lethe cannot look: that it is lost.

use std::path::Path;

use super::super::KeyringError;
use super::state::CopyState;
use super::{blocking, folder};
use crate::postgres::Pool;

const STATE_LOST: &str = "update keyring.copy
set written = 0, written_token = null, complete_at = null, writing_until = null where keyring = $1";
/// What was in the copy is in it no longer: old root keys wait for the next one.
const HOLD_OLD_ROOTS: &str = "update keyring.roots set copied = false where state = 'retiring'";
/// What the copy knew, this database may lack: the next step of a rotation finds another history.
const DOUBT_SHARDS: &str = "update keyring.shard_history set history = ''";

/// Notes that an operator says that the copy of this keyring is lost for good: the next one begins anew. `dir`
/// is the folder of all keyrings' copies.
///
/// # Errors
/// [`KeyringError::CopyStatement`] while the folder has a file of it, and if none was ever written;
/// [`KeyringError::Copy`] if the folder cannot be read; [`KeyringError::Database`].
pub async fn state_copy_lost(pool: &Pool, dir: &Path) -> Result<(), KeyringError> {
    let mut client = pool.get().await?;
    let state = CopyState::read(&client).await?;
    let folder = dir.join(state.keyring.to_string());
    let refused = |reason: String| Err(KeyringError::CopyStatement(reason));
    if state.written == 0 {
        return refused("none was written".to_owned());
    }
    let listed = folder.clone();
    if !blocking(move || folder::list(&listed)).await?.is_empty() {
        return refused(format!("{} has files of it: move them away first", folder.display()));
    }
    let transaction = client.transaction().await?;
    transaction.execute(STATE_LOST, &[&state.keyring]).await?;
    transaction.execute(HOLD_OLD_ROOTS, &[]).await?;
    transaction.execute(DOUBT_SHARDS, &[]).await?;
    transaction.commit().await?;
    tracing::warn!(
        path = %folder.display(), "an operator states that the copy of the keyring is lost"
    );
    Ok(())
}
