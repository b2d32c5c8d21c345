//! Puts the rows of a copy into a keyring's database that was taken back, or lost.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::postgres::Transaction;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::super::root_eraser::DELETE_REPLACED_SHARDS;
use super::super::root_rotation::LOCK_ROOTS;
use super::super::{KeyringError, RootId, RootStore, Secret, shards};
use super::file::{CopyHeader, FileReader};
use super::state::CopyState;
use super::tables::{CopiedTable, KEYS, OLDEST_SCHEMA};
use super::{blocking, damaged, failed, folder};
use crate::log::watermark::NOTE_RESTORE;
use crate::postgres::{Pool, keyring_version};

const IS_EMPTY: &str = "select not exists (select from keyring.keys)
    and not exists (select from keyring.erasures)";
const HOLDS_KEYS: &str = "select exists (select from keyring.keys where kind = 'subject')";
/// The files of a large copy are read in between.
const UNLIMITED: &str = "set local statement_timeout = 0;
set local idle_in_transaction_session_timeout = 0";
/// Triggers let the copy's state of shard keys in.
const BEGIN_MERGE: &str = "set local lethe.merging = 'true'";
const SETTLE_SHARDS: &str = include_str!("sql/settle_shards.sql");
/// What is said of the copy and of standbys is of the time that is lost.
const HOLD_OLD_ROOTS: &str = "update keyring.roots
set copied = false, rewrapped_at = null, rewrapped_lsn = null where state = 'retiring'";
const COUNT_FORKS: &str = include_str!("sql/count_forks.sql");
/// A node that runs all the same misses an entry of the list, and discards every key in its memory.
const DISCARD_ALL: &str = "update keyring.last_invalidation set sequence = sequence + 1";
const NOTE_RESTORED: &str = "update keyring.copy
set keyring = $1, number = $2, token = $3, written = 0, writing_until = null";

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
/// root key that it is encrypted under cannot be read; [`KeyringError::Forked`] where the two have different
/// keys: nothing is changed; [`KeyringError::Database`].
pub async fn restore_keyring(
    pool: &Pool,
    store: Arc<dyn RootStore>,
    dir: &Path,
) -> Result<RestoredKeyring, KeyringError> {
    let mut client = pool.get().await?;
    let transaction = client.transaction().await?;
    transaction.batch_execute(UNLIMITED).await?;
    transaction.batch_execute(BEGIN_MERGE).await?;
    transaction.execute(LOCK_ROOTS, &[]).await?;
    let state = CopyState::read(&transaction).await?;
    // `lethe migrate` has made a first root.
    let is_empty: bool = transaction.query_one(IS_EMPTY, &[]).await?.try_get(0)?;
    let from = choose(dir, state.keyring, is_empty)?;
    let chain = folder::chain(&from)?;
    let Some(newest) = chain.last() else { return Err(no_copy(dir)?) };
    if newest.keyring == state.keyring && !state.is_behind(newest) {
        return Err(nothing("the keyring's database is not behind its copy".to_owned()));
    }
    refuse_schema(&from, newest)?;
    let mut rows = 0;
    for file in &chain {
        for only_keys in [false, true] {
            rows += merge(&from, file, &*store, &transaction, only_keys).await?;
        }
    }
    transaction.execute(SETTLE_SHARDS, &[]).await?;
    transaction.execute(DELETE_REPLACED_SHARDS, &[]).await?;
    // What was erased here may have been wrapped again there, and the other way round.
    shards::taint_all(&transaction, &store).await?;
    let number = newest.number.max(state.number);
    transaction.execute(HOLD_OLD_ROOTS, &[]).await?;
    transaction.execute(DISCARD_ALL, &[]).await?;
    transaction.execute(NOTE_RESTORED, &[&newest.keyring, &number, &newest.token]).await?;
    // The row went back, too, or there is none.
    transaction.execute(NOTE_RESTORE, &[&true]).await?;
    transaction.commit().await?;
    Ok(RestoredKeyring { complete_at: newest.complete_at, from, rows })
}

/// Refuses copies that this programme does not read: call it before it migrates a database which the version that
/// does could not use any more. `dir` is the folder of all keyrings' copies.
///
/// # Errors
/// [`KeyringError::CopyDamaged`]; [`KeyringError::Copy`] when the folder cannot be read.
pub async fn refuse_unreadable_copies(dir: &Path) -> Result<(), KeyringError> {
    let dir = dir.to_owned();
    blocking(move || {
        for folder in copies(&dir)? {
            // What is wrong with other files is said when one is restored.
            if let Ok(Some(newest)) = folder::newest(&folder) {
                refuse_schema(&folder, &newest)?;
            }
        }
        Ok(())
    })
    .await
}

/// Whether there is a copy of any keyring in the folder of all keyrings' copies.
///
/// # Errors
/// [`KeyringError::Copy`] when the folder cannot be read.
pub async fn holds_copies(dir: &Path) -> Result<bool, KeyringError> {
    let dir = dir.to_owned();
    blocking(move || Ok(!copies(&dir)?.is_empty())).await
}

fn refuse_schema(folder: &Path, newest: &CopyHeader) -> Result<(), KeyringError> {
    if (OLDEST_SCHEMA..=keyring_version()).contains(&newest.schema) {
        return Ok(());
    }
    let reason = format!(
        "it has schema {} of the keyring, and this programme reads {OLDEST_SCHEMA} to {}: restore with \
         the version of Lethe that wrote it",
        newest.schema,
        keyring_version()
    );
    Err(damaged(&folder.join(newest.name()), &reason))
}

/// Whether there is a key of any person, or there was one that is erased: without, no old event opens.
///
/// # Errors
/// [`KeyringError::Database`].
pub async fn holds_keys(pool: &Pool) -> Result<bool, KeyringError> {
    Ok(pool.get().await?.query_one(HOLDS_KEYS, &[]).await?.try_get(0)?)
}

fn nothing(reason: String) -> KeyringError {
    KeyringError::NothingToRestore(reason)
}

fn no_copy(dir: &Path) -> Result<KeyringError, KeyringError> {
    let reason = format!("there is no copy of this keyring in {}", dir.display());
    let others = copies(dir)?;
    if others.is_empty() {
        return Ok(nothing(reason));
    }
    let others: Vec<String> = others.iter().map(|path| path.display().to_string()).collect();
    Ok(nothing(format!(
        "{reason}, but of others ({}): such a copy is restored into a new database of the keyring",
        others.join(", ")
    )))
}

/// The folder of this keyring's copy. An empty database was never this keyring: then it is the only
/// copy that is there.
fn choose(dir: &Path, keyring: Uuid, is_empty: bool) -> Result<PathBuf, KeyringError> {
    if !is_empty {
        return Ok(dir.join(keyring.to_string()));
    }
    match copies(dir)?.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(nothing(format!("there is no copy of a keyring in {}", dir.display()))),
        _ => Err(nothing(format!(
            "{} has copies of several keyrings: move away those that are not meant",
            dir.display()
        ))),
    }
}

/// The folders of copies. What else is in the folder is not looked at.
fn copies(dir: &Path) -> Result<Vec<PathBuf>, KeyringError> {
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|reason| failed(dir, reason))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|reason| failed(dir, reason))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let is_keyring = name.is_some_and(|name| Uuid::try_parse(name).is_ok());
        if is_keyring && path.is_dir() && !folder::list(&path)?.is_empty() {
            found.push(path);
        }
    }
    Ok(found)
}

/// Merges rows of a file, to its end: those of the keys, or all others. Returns how many were changed.
async fn merge(
    dir: &Path,
    header: &CopyHeader,
    store: &dyn RootStore,
    into: &Transaction<'_>,
    only_keys: bool,
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
        if (table.name == KEYS) != only_keys {
            continue;
        }
        if only_keys {
            let keys = into.query_one(COUNT_FORKS, &[&found]).await?.try_get(0)?;
            if keys > 0 {
                return Err(KeyringError::Forked { keys });
            }
        }
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
