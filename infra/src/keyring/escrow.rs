//! The escrow: old root keys, encrypted to an offline recipient and kept for a configured time.

use std::fs::DirEntry;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use age::x25519::Recipient;
use chrono::TimeDelta;

use super::files::{Files, WITHIN};
use super::{KeyringError, RootId, Secret};
use crate::{durable, random};

/// Where old root keys are kept, encrypted to an offline recipient.
#[derive(Clone, Debug)]
pub struct EscrowOptions {
    /// An age recipient: `age1...`.
    pub recipient: String,
    /// The folder of the escrow files.
    pub dir: PathBuf,
    /// How long an old root is kept there.
    pub keep: TimeDelta,
}

/// Refuses a recipient to whom nothing can be encrypted.
///
/// # Errors
/// [`KeyringError::EscrowRecipient`].
pub fn check_escrow_recipient(recipient: &str) -> Result<(), KeyringError> {
    read(recipient).map(drop)
}

fn read(recipient: &str) -> Result<Recipient, KeyringError> {
    recipient.trim().parse().map_err(|_| KeyringError::EscrowRecipient)
}

/// In each folder of an escrow: an empty place where its disk is to be mounted has none.
const MARK: &str = "lethe-escrow";
const MARK_SAYS: &[u8] = b"Lethe keeps old root keys in this folder, encrypted.\n";

fn mark(dir: &Path) -> io::Result<()> {
    if dir.join(MARK).try_exists()? { Ok(()) } else { durable::write(dir, MARK, MARK_SAYS) }
}

/// Refuses a folder that no escrow has written to: that a file is not there says nothing then.
pub(super) fn refuse_other_folder(dir: &Path) -> io::Result<()> {
    if dir.join(MARK).try_exists()? {
        return Ok(());
    }
    let reason = format!(
        "{} is not the folder of an escrow, since it has neither {MARK} nor a root-*.age: mount its disk, \
         or correct escrow_dir; if it is the folder, and an older version wrote it, make an empty file {MARK} \
         there",
        dir.display()
    );
    let other = || io::Error::new(ErrorKind::NotFound, reason);
    // Older versions made no mark.
    match std::fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => Err(other()),
        Err(error) => Err(error),
        Ok(entries) => {
            for entry in entries {
                if is_root(&entry?) {
                    return Ok(());
                }
            }
            Err(other())
        }
    }
}

fn is_root(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let id = name.to_str().and_then(|name| name.strip_prefix("root-")?.strip_suffix(".age"));
    id.is_some_and(|id| id.parse::<u64>().is_ok())
}

/// Refuses a folder that nothing can be written to. Other nodes may look at the same time.
fn refuse_read_only(dir: &Path) -> io::Result<()> {
    let number: [u8; 8] = random::bytes().map_err(io::Error::other)?;
    let probe = format!("{MARK}.{}", hex::encode(number));
    durable::write(dir, &probe, &[])?;
    std::fs::remove_file(dir.join(probe))
}

/// A folder of `root-<id>.age` files.
#[derive(Clone)]
pub(super) struct Escrow {
    recipient: Recipient,
    dir: PathBuf,
    files: Files,
    pub keep: TimeDelta,
}

/// What [`Escrow::erase`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EscrowErasure {
    /// It was here and is deleted, by this call or by an earlier one that was not noted.
    Erased,
    /// It is not here, and was not deleted here: it may be somewhere else.
    NotFound,
}

impl Escrow {
    /// Fails with [`KeyringError::EscrowRecipient`].
    pub fn new(options: &EscrowOptions) -> Result<Self, KeyringError> {
        let recipient = read(&options.recipient)?;
        let (dir, files) = (options.dir.clone(), Files::new());
        Ok(Self { recipient, dir, files, keep: options.keep })
    }

    /// Makes the folder of an escrow that never held a root: `is_new`. Any other is to be there: an empty place
    /// may be that of a disk that is not mounted.
    pub async fn prepare(&self, is_new: bool) -> Result<(), KeyringError> {
        self.blocking(move |dir| prepare(dir, is_new)).await
    }

    /// Whether a root could be put there now.
    pub async fn check(&self) -> Result<(), KeyringError> {
        let check = |dir: &Path| refuse_other_folder(dir).and_then(|()| refuse_read_only(dir));
        self.blocking(check).await
    }

    /// Returns when the file would survive a crash of the machine. `is_new`: as of [`Self::prepare`].
    pub async fn put(&self, id: RootId, key: &Secret, is_new: bool) -> Result<(), KeyringError> {
        let sealed = age::encrypt(&self.recipient, key.expose())
            .map_err(|error| self.failed(io::Error::other(error)))?;
        self.blocking(move |dir| {
            prepare(dir, is_new)?;
            durable::write(dir, &file_name(id), &sealed)
        })
        .await
    }

    /// Deletes the file, and leaves a mark that it was deleted here, which survives a crash.
    pub async fn erase(&self, id: RootId) -> Result<EscrowErasure, KeyringError> {
        self.blocking(move |dir| {
            refuse_other_folder(dir)?;
            mark(dir)?;
            if !dir.join(erased_name(id)).try_exists()? {
                if !dir.join(file_name(id)).try_exists()? {
                    return Ok(EscrowErasure::NotFound);
                }
                durable::write(dir, &erased_name(id), &[])?;
            }
            durable::erase(dir, &file_name(id))?;
            Ok(EscrowErasure::Erased)
        })
        .await
    }

    /// Deletes the mark of an erased root. Succeeds if there is none.
    pub async fn delete_mark(&self, id: RootId) -> Result<(), KeyringError> {
        self.blocking(move |dir| match std::fs::remove_file(dir.join(erased_name(id))) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, KeyringError> {
        let dir = self.dir.clone();
        let done = self.files.run(WITHIN, move || work(&dir)).await;
        done.flatten().map_err(|reason| self.failed(reason))
    }

    fn failed(&self, reason: io::Error) -> KeyringError {
        KeyringError::Escrow { path: self.dir.display().to_string(), reason }
    }
}

fn prepare(dir: &Path, is_new: bool) -> io::Result<()> {
    let is_there = if is_new { std::fs::create_dir_all(dir) } else { refuse_other_folder(dir) };
    is_there.and_then(|()| mark(dir))
}

/// Of the file that says that this root was deleted in this folder.
fn erased_name(id: RootId) -> String {
    format!("root-{id}.erased")
}

pub(super) fn file_name(id: RootId) -> String {
    format!("root-{id}.age")
}
