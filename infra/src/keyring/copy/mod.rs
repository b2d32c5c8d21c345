//! A copy of the keyring in a folder outside the data directory: what puts the keys in place when a
//! backup of the data directory has taken them back.
//!
//! A *base* holds every row, *changes* what was changed since the file before. The files are
//! encrypted under the root key that is current, and the keys in them are wrapped as they
//! are in the database: without the folder of roots nothing is read, and what is erased is out of
//! reach of every copy once its roots are gone. After the last re-wrap of a rotation a new base is
//! written, and the old files are deleted.

mod disk;
mod file;
mod folder;
mod look;
mod lost;
mod restore;
mod state;
mod tables;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::postgres::PooledClient as Client;
use uuid::Uuid;

use super::root_row::{RootRow, RootState, in_state, read_roots};
use super::roots::Roots;
use super::went_back::Regression;
use super::{KeyringError, RootId, Secret};
use crate::postgres::{Pool, keyring_version};
use crate::random;
use disk::Disk;
use file::{CopyHeader, CopyKind, FileWriter};
use state::CopyState;

pub use lost::state_copy_lost;
pub use restore::{
    RestoredKeyring, holds_copies, holds_keys, refuse_unreadable_copies, restore_keyring,
};
use tables::TABLES;

/// A copy whose changes need more room than its base, and than this, gets a new base.
const CHANGES_BYTES_MAX: u64 = 32 << 20;
/// What a small file takes on a disk.
const BLOCK: u64 = 4096;
/// How often a long file renews the right to be written.
const GO_ON_EVERY: Duration = Duration::from_secs(20);
/// For how long a rotation waits until another node has written its file.
const WAITS: u32 = 100;
const WAIT: Duration = Duration::from_millis(100);

/// What [`KeyringCopy::update`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyUpdate {
    /// The copy had everything.
    Unchanged,
    /// The changes are in a new file.
    Changes,
    /// A new base is written, and the files before it are deleted.
    Base,
    /// Another node writes.
    Busy,
}

/// The copy of a keyring in a folder of this machine.
///
/// Methods fail with [`KeyringError::Database`], with [`KeyringError::Copy`] when the folder cannot be
/// used, with [`KeyringError::CopyMissing`] when it has no file of a copy that was written, with
/// [`KeyringError::WentBack`] when the copy knows more than the database, and as root keys do when the
/// current one is not readable.
pub struct KeyringCopy {
    pool: Pool,
    roots: Arc<Roots>,
    dir: PathBuf,
    disk: Disk,
    regression: Arc<Regression>,
    /// The newest file, when this node has written it, or found that nothing has to follow it.
    newest: Mutex<Option<CopyHeader>>,
    /// Why the copy is not kept, as it was logged.
    fault: Mutex<Option<String>>,
}

/// What is to be written.
struct Draft<'a> {
    kind: CopyKind,
    current: &'a RootRow,
    /// The old roots that wait for a copy.
    waiting: Vec<RootId>,
}

impl KeyringCopy {
    /// `dir` is the folder of all keyrings' copies; each has one of its own in it. `limit`: how long an
    /// operation on it may take.
    pub(super) fn new(
        pool: Pool,
        roots: Arc<Roots>,
        (dir, limit): (PathBuf, Duration),
        regression: Arc<Regression>,
    ) -> Self {
        let (disk, newest) = (Disk::new(limit), Mutex::default());
        Self { pool, roots, dir, disk, regression, newest, fault: Mutex::default() }
    }

    /// Brings the copy up to date. Memory is bounded by a page of rows, and no snapshot is held.
    pub async fn update(&self) -> Result<CopyUpdate, KeyringError> {
        let mut client = self.pool.get().await?;
        let state = CopyState::read(&client).await?;
        let newest = self.newest(&state).await?;
        // A rotation of the root keys is a change, too.
        if let Some(newest) = &newest
            && self.known().as_ref() == Some(newest)
            && !tables::have_changed(&client, &newest.snapshot).await?
        {
            return self.unchanged(&client, &state).await;
        }
        let roots = read_roots(&client).await?;
        let Some(draft) = self.needs(&client, &state, &roots, newest.as_ref()).await? else {
            self.know(newest);
            return self.unchanged(&client, &state).await;
        };
        let root = self.roots.of(draft.current).await?;
        let token = Uuid::from_bytes(random::bytes()?);
        let Some(number) = state::begin(&client, state.number, token).await? else {
            return Ok(CopyUpdate::Busy);
        };
        if draft.kind == CopyKind::Base {
            tables::forget_ahead(&client).await?;
        }
        let (snapshot, complete_at) = state::snapshot(&client).await?;
        let last = newest.filter(|_| draft.kind == CopyKind::Changes);
        let header = CopyHeader {
            format: CopyHeader::FORMAT,
            kind: draft.kind,
            keyring: state.keyring,
            number,
            token,
            after: last.as_ref().map(|last| last.number),
            base: last.as_ref().map_or(number, |last| last.base),
            base_root: last.as_ref().map_or(draft.current.id.0, |last| last.base_root),
            root: draft.current.id.0,
            schema: keyring_version(),
            snapshot,
            complete_at,
            bytes_before: last.as_ref().map_or(0, |last| last.bytes_before),
        };
        let since = last.map(|last| last.snapshot);
        match self.write(&client, header, &root, since).await {
            Ok(header) => self.complete(&mut client, header, &draft.waiting).await,
            Err(error) => {
                // If this fails, others wait until the writer's time is over.
                let _ = state::give_up(&client, token).await;
                Err(error)
            }
        }
    }

    async fn unchanged(
        &self,
        client: &Client,
        state: &CopyState,
    ) -> Result<CopyUpdate, KeyringError> {
        if state.is_old {
            state::note_unchanged(client, state).await?;
        }
        Ok(CopyUpdate::Unchanged)
    }

    /// The same as [`Self::update`], and logs why it cannot: once, until that changes. A keyring that went back
    /// ends the use of its keys.
    pub async fn keep_up(&self) {
        let updated = self.update().await;
        if let Err(error @ KeyringError::WentBack { .. }) = &updated {
            self.regression.notice(error.to_string());
        }
        let fault = updated.err().map(|error| error.to_string());
        let mut logged = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        match &fault {
            Some(reason) if *logged != fault => tracing::error!(
                reason,
                "the keyring is not copied: no old root key is erased until it is"
            ),
            None if logged.is_some() => tracing::info!("the keyring is copied again"),
            Some(_) | None => {}
        }
        *logged = fault;
    }

    /// The same as [`Self::update`], and waits for another node that writes.
    pub(super) async fn update_in_turn(&self) -> Result<CopyUpdate, KeyringError> {
        for _ in 0..WAITS {
            let updated = self.update().await?;
            if updated != CopyUpdate::Busy {
                return Ok(updated);
            }
            tokio::time::sleep(WAIT).await;
        }
        Ok(CopyUpdate::Busy)
    }

    fn known(&self) -> Option<CopyHeader> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn know(&self, newest: Option<CopyHeader>) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = newest;
    }

    fn folder(&self, keyring: Uuid) -> PathBuf {
        self.dir.join(keyring.to_string())
    }

    /// `None`: nothing.
    async fn needs<'a>(
        &self,
        client: &Client,
        state: &CopyState,
        roots: &'a [RootRow],
        newest: Option<&CopyHeader>,
    ) -> Result<Option<Draft<'a>>, KeyringError> {
        let Some(current) = in_state(roots, RootState::Current) else { return Ok(None) };
        let waiting = roots.iter().filter(|root| root.waits_for_copy()).map(|root| root.id);
        let waiting: Vec<RootId> = waiting.collect();
        let is_rewrapping = roots.iter().any(RootRow::is_rewrapping);
        let is_kept = |newest: &CopyHeader| {
            // During a rotation the base may be under a root that is about to be replaced.
            let under = RootId(newest.base_root);
            let is_under =
                under == current.id || is_rewrapping && roots.iter().any(|root| root.id == under);
            is_under && newest.schema == keyring_version()
        };
        let base = Draft { kind: CopyKind::Base, current, waiting };
        let Some(newest) = newest.filter(|newest| is_kept(newest) && base.waiting.is_empty())
        else {
            return Ok(Some(base));
        };
        let path = self.folder(state.keyring).join(file::name(CopyKind::Base, newest.base));
        let of = path.clone();
        let room = move || std::fs::metadata(&of).map_err(|reason| failed(&of, reason));
        let room = self.disk.run(&path, room).await?.len();
        if newest.bytes_before > room.max(CHANGES_BYTES_MAX) {
            return Ok(Some(base));
        }
        let has_changes = tables::have_changed(client, &newest.snapshot).await?;
        Ok(has_changes.then_some(Draft { kind: CopyKind::Changes, ..base }))
    }

    async fn write(
        &self,
        client: &Client,
        mut header: CopyHeader,
        root: &Arc<Secret>,
        since: Option<String>,
    ) -> Result<CopyHeader, KeyringError> {
        let dir = self.folder(header.keyring);
        let (folder, of, root) = (dir.clone(), header.clone(), Arc::clone(root));
        let create = move || {
            folder::delete_unfinished(&folder)?;
            FileWriter::create(&folder, &of, &root)
        };
        let mut file = self.disk.run(&dir, create).await?;
        let mut renewed = Instant::now();
        for table in &TABLES {
            let mut after: Option<String> = None;
            loop {
                let page = table.page(client, after.as_deref(), since.as_deref()).await?;
                after = page.rows.last().cloned();
                if !page.rows.is_empty() {
                    let push = move || file.push(table.name, &page.rows).map(|()| file);
                    file = self.disk.run(&dir, push).await?;
                }
                if renewed.elapsed() > GO_ON_EVERY {
                    renewed = Instant::now();
                    if !state::go_on(client, header.token).await? {
                        return Err(KeyringError::CopyOvertaken);
                    }
                }
                if page.is_last {
                    break;
                }
            }
        }
        let bytes = self.disk.sync(&dir, move || file.finish()).await?;
        if header.kind == CopyKind::Changes {
            header.bytes_before += bytes.next_multiple_of(BLOCK);
        }
        Ok(header)
    }

    async fn complete(
        &self,
        client: &mut Client,
        header: CopyHeader,
        waiting: &[RootId],
    ) -> Result<CopyUpdate, KeyringError> {
        if !state::complete(client, &header, waiting).await? {
            return Err(KeyringError::CopyOvertaken);
        }
        let (kind, number, dir) = (header.kind, header.number, self.folder(header.keyring));
        self.know(Some(header));
        match kind {
            CopyKind::Changes => Ok(CopyUpdate::Changes),
            CopyKind::Base => {
                let folder = dir.clone();
                self.disk.run(&dir, move || folder::delete_before(&folder, number)).await?;
                Ok(CopyUpdate::Base)
            }
        }
    }
}

/// Runs file operations on a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KeyringError> + Send + 'static,
) -> Result<T, KeyringError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| failed(Path::new("a thread"), std::io::Error::other(error)))?
}

fn failed(path: &Path, reason: std::io::Error) -> KeyringError {
    KeyringError::Copy { path: path.display().to_string(), reason }
}

fn damaged(path: &Path, reason: &str) -> KeyringError {
    KeyringError::CopyDamaged { path: path.display().to_string(), reason: reason.to_owned() }
}

/// Makes a file one of another schema.
#[cfg(test)]
pub(super) fn change_schema(path: &Path, root: &Secret, schema: i32) {
    let (mut file, header) = file::FileReader::open(path, root).unwrap();
    let mut tables = Vec::new();
    while let Some(table) = file.next().unwrap() {
        tables.push(table);
    }
    let header = CopyHeader { schema, ..header };
    let mut file = FileWriter::create(path.parent().unwrap(), &header, root).unwrap();
    for (table, rows) in tables {
        let rows = rows.trim_start_matches('[').trim_end_matches(']');
        file.push(&table, &[rows.to_owned()]).unwrap();
    }
    file.finish().unwrap();
}

#[cfg(test)]
pub(super) const OLDEST_SCHEMA: i32 = tables::OLDEST_SCHEMA;

#[cfg(test)]
pub(super) fn merges() -> Vec<(&'static str, &'static str)> {
    TABLES.iter().map(|table| (table.name, table.merge)).collect()
}
