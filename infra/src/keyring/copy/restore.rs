//! Puts the rows of a copy into a keyring's database that was taken back, or lost.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use uuid::Uuid;

use super::super::root_rotation::LOCK_ROOTS;
use super::super::{KeyringError, RootId, RootStore, Secret};
use super::file::{CopyHeader, CopyKind, FileReader, name};
use super::state::CopyState;
use super::tables::CopiedTable;
use super::{blocking, damaged, failed, folder};
use crate::postgres::{Pool, keyring_version};

const NOTE_RESTORED: &str = "update keyring.copy
set keyring = $1, number = $2, token = $3, written = 0, writing_until = null";

/// The row went back, too: what the log has lost is not known, so the next start does what a restore needs.
const NOTE_LOG: &str = "update keyring.watermark
set noticed_at = coalesce(noticed_at, clock_timestamp()), lost_through = greatest(lost_through, position)";
/// The copies of a later time are not those of this database, and its WAL counts otherwise.
const NOTE_AGAIN: &str = "update keyring.roots
set copied = false, rewrapped_at = null, rewrapped_lsn = null where state = 'retiring'";
/// Files are read while the transaction is open.
const WITHOUT_LIMITS: &str =
    "set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0";
/// A keyring that was just migrated has a root key, and nothing under it.
const IS_UNUSED: &str = "select not exists (select from keyring.keys)
and not exists (select from keyring.erasures)";

/// What a restore of the keyring has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoredKeyring {
    /// The folder of the copy.
    pub from: PathBuf,
    /// The keyring is as it was then, or as it was before if that was later.
    pub complete_at: DateTime<Utc>,
    /// Rows that the database did not have, or had in an earlier state.
    pub rows: u64,
}

/// Puts what the copy knows into the keyring's database, in one transaction. What the database has of
/// a later time stays, and an erased key stays erased, whichever of the two knows of it. No node may
/// run. `dir` is the folder of all keyrings' copies.
///
/// # Errors
/// [`KeyringError::NothingToRestore`]: there is no copy of this keyring, or the keyring is not behind it;
/// [`KeyringError::CopyDamaged`], [`KeyringError::Copy`] and [`KeyringError::Roots`] when a file or the
/// root key that it is encrypted under cannot be read: nothing is changed; [`KeyringError::Database`].
pub async fn restore_keyring(
    pool: &Pool,
    store: Arc<dyn RootStore>,
    dir: &Path,
) -> Result<RestoredKeyring, KeyringError> {
    let mut client = pool.get().await?;
    let transaction = client.transaction().await?;
    transaction.batch_execute(WITHOUT_LIMITS).await?;
    transaction.execute(LOCK_ROOTS, &[]).await?;
    let state = CopyState::read(&transaction).await?;
    let is_unused: bool = transaction.query_one(IS_UNUSED, &[]).await?.try_get(0)?;
    let from = choose(dir, state.keyring, is_unused)?;
    let chain = chain(&from)?;
    let Some(newest) = chain.last() else {
        return Err(nothing(format!("there is no copy of this keyring in {}", dir.display())));
    };
    if newest.keyring == state.keyring && !state.is_behind(newest) {
        return Err(nothing("the keyring's database is not behind its copy".to_owned()));
    }
    if newest.schema != keyring_version() {
        let reason = format!(
            "it has schema {} of the keyring, and this programme {}: restore with the version of \
             Lethe that wrote it",
            newest.schema,
            keyring_version()
        );
        return Err(damaged(&from.join(newest.name()), &reason));
    }
    let mut rows = 0;
    for file in &chain {
        rows += merge(&from, file, &*store, &transaction).await?;
    }
    let number = newest.number.max(state.number);
    transaction.execute(NOTE_AGAIN, &[]).await?;
    transaction.execute(NOTE_RESTORED, &[&newest.keyring, &number, &newest.token]).await?;
    transaction.execute(NOTE_LOG, &[]).await?;
    transaction.commit().await?;
    Ok(RestoredKeyring { complete_at: newest.complete_at, from, rows })
}

fn nothing(reason: String) -> KeyringError {
    KeyringError::NothingToRestore(reason)
}

/// The folder of this keyring's copy. A database that was never used takes the place of one that is
/// lost: then it is the only copy that is there.
fn choose(dir: &Path, keyring: Uuid, is_unused: bool) -> Result<PathBuf, KeyringError> {
    if !is_unused {
        return Ok(dir.join(keyring.to_string()));
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|reason| failed(dir, reason))? {
        let path = entry.map_err(|reason| failed(dir, reason))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if Uuid::parse_str(name).is_ok() && !folder::list(&path)?.is_empty() {
            found.push(path);
        }
    }
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(nothing(format!("there is no copy of a keyring in {}", dir.display()))),
        _ => Err(nothing(format!(
            "{} has copies of several keyrings: move away those that are not meant",
            dir.display()
        ))),
    }
}

/// The newest file and those that it follows, from their base on.
fn chain(dir: &Path) -> Result<Vec<CopyHeader>, KeyringError> {
    let mut chain = Vec::new();
    let mut next = folder::newest(dir)?;
    while let Some(header) = next {
        next = match header.after {
            Some(after) if after < header.number => {
                let kind = if after == header.base { CopyKind::Base } else { CopyKind::Changes };
                let path = dir.join(name(kind, after));
                if !path.exists() {
                    return Err(damaged(&path, "it is missing"));
                }
                let header = CopyHeader::read(&path)?;
                if header.number != after {
                    return Err(damaged(&path, "it is another file"));
                }
                Some(header)
            }
            _ if header.kind == CopyKind::Base => None,
            _ => return Err(damaged(&dir.join(header.name()), "it has no base")),
        };
        chain.push(header);
    }
    chain.reverse();
    Ok(chain)
}

/// Merges the rows of a file, to its end. Returns how many were changed.
async fn merge(
    dir: &Path,
    header: &CopyHeader,
    store: &dyn RootStore,
    into: &Transaction<'_>,
) -> Result<u64, KeyringError> {
    let path = dir.join(header.name());
    let root = root(&path, header.root(), store).await?;
    let (mut file, found) = blocking(move || FileReader::open(&path, &root)).await?;
    if found != *header {
        return Err(damaged(&dir.join(header.name()), "it was replaced meanwhile"));
    }
    let mut rows = 0;
    loop {
        let next;
        (file, next) = blocking(move || file.next().map(|next| (file, next))).await?;
        let Some((table, found)) = next else { return Ok(rows) };
        let table = CopiedTable::find(&table).ok_or(KeyringError::Damaged)?;
        rows += into.execute(table.merge, &[&found]).await?;
    }
}

async fn root(path: &Path, id: RootId, store: &dyn RootStore) -> Result<Secret, KeyringError> {
    let found = store.read(id).await?;
    found.ok_or_else(|| {
        let reason = format!("it is under root key {id}, which is not in {}", store.place());
        damaged(path, &reason)
    })
}
