//! The escrow: old root keys, encrypted to an offline recipient and kept for a configured time.

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
            .map_err(|error| KeyringError::Escrow(std::io::Error::other(error)))?;
        self.blocking(move |dir| {
            std::fs::create_dir_all(dir)?;
            durable::write(dir, &file_name(id), &sealed)
        })
        .await
    }

    /// Returns when the file is deleted. Succeeds if it does not exist.
    pub async fn erase(&self, id: RootId) -> Result<(), KeyringError> {
        self.blocking(move |dir| durable::erase(dir, &file_name(id))).await
    }

    async fn blocking(
        &self,
        work: impl FnOnce(&Path) -> std::io::Result<()> + Send + 'static,
    ) -> Result<(), KeyringError> {
        let dir = self.dir.clone();
        let done = tokio::task::spawn_blocking(move || work(&dir)).await;
        done.map_err(std::io::Error::other).flatten().map_err(KeyringError::Escrow)
    }
}

pub(super) fn file_name(id: RootId) -> String {
    format!("root-{id}.age")
}
