//! The escrow: old root keys, encrypted to an offline recipient and kept for a configured time.

use std::fs::DirEntry;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use age::x25519::Recipient;
use chrono::TimeDelta;

use super::{KeyringError, RootId, Secret};
use crate::durable;

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

/// A folder of `root-<id>.age` files.
#[derive(Clone)]
pub(super) struct Escrow {
    recipient: Recipient,
    dir: PathBuf,
    pub keep: TimeDelta,
}

impl Escrow {
    /// Fails with [`KeyringError::EscrowRecipient`].
    pub fn new(options: &EscrowOptions) -> Result<Self, KeyringError> {
        let recipient = read(&options.recipient)?;
        Ok(Self { recipient, dir: options.dir.clone(), keep: options.keep })
    }

    /// Returns when the file would survive a crash of the machine.
    pub async fn put(&self, id: RootId, key: &Secret) -> Result<(), KeyringError> {
        let sealed = age::encrypt(&self.recipient, key.expose())
            .map_err(|error| KeyringError::Escrow(io::Error::other(error)))?;
        self.blocking(move |dir| {
            std::fs::create_dir_all(dir)?;
            mark(dir)?;
            durable::write(dir, &file_name(id), &sealed)
        })
        .await
    }

    /// Returns when the file is deleted. Succeeds if it does not exist in a folder of an escrow.
    pub async fn erase(&self, id: RootId) -> Result<(), KeyringError> {
        self.blocking(move |dir| {
            refuse_other_folder(dir)?;
            mark(dir)?;
            durable::erase(dir, &file_name(id))
        })
        .await
    }

    async fn blocking(
        &self,
        work: impl FnOnce(&Path) -> io::Result<()> + Send + 'static,
    ) -> Result<(), KeyringError> {
        let dir = self.dir.clone();
        let done = tokio::task::spawn_blocking(move || work(&dir)).await;
        done.map_err(io::Error::other).flatten().map_err(KeyringError::Escrow)
    }
}

pub(super) fn file_name(id: RootId) -> String {
    format!("root-{id}.age")
}
