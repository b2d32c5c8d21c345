//! Old root keys, encrypted to somebody who is not online, for as long as the configuration says.

use std::path::Path;

use age::x25519::Recipient;

use super::{EscrowOptions, KeyringError, RootId, Secret, durable};

fn name(id: RootId) -> String {
    format!("root-{id}.age")
}

pub(super) fn recipient(options: &EscrowOptions) -> Result<Recipient, KeyringError> {
    options.recipient.trim().parse().map_err(|_| KeyringError::EscrowRecipient)
}

/// Answers once the file would survive a crash of the machine.
pub(super) async fn put(
    options: &EscrowOptions,
    id: RootId,
    key: &Secret,
) -> Result<(), KeyringError> {
    let sealed = age::encrypt(&recipient(options)?, key.expose())
        .map_err(|error| KeyringError::Escrow(std::io::Error::other(error)))?;
    away(&options.dir, move |dir| {
        std::fs::create_dir_all(dir)?;
        durable::write(dir, &name(id), &sealed)
    })
    .await
}

/// Answers once the file is gone.
pub(super) async fn destroy(options: &EscrowOptions, id: RootId) -> Result<(), KeyringError> {
    away(&options.dir, move |dir| durable::destroy(dir, &name(id))).await
}

async fn away(
    dir: &Path,
    work: impl FnOnce(&Path) -> std::io::Result<()> + Send + 'static,
) -> Result<(), KeyringError> {
    let dir = dir.to_owned();
    let done = tokio::task::spawn_blocking(move || work(&dir)).await;
    done.map_err(std::io::Error::other).flatten().map_err(KeyringError::Escrow)
}
