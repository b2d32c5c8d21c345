//! A keyring's database that went back under this node: it was restored, or failed over without its end.

use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::watch;

use super::KeyringError;

/// Why this node uses no keys any more: the keyring is not the one that it knew.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyringWentBack(String);

/// What this node knows of the keyring's database, and whether that was found to lack it. What is made under a
/// keyring that went back is under other keys than those of the copy, so that the two cannot be merged.
#[derive(Debug)]
pub(super) struct Regression {
    noticed: watch::Sender<Option<KeyringWentBack>>,
    /// The last file of the copy that any node has begun.
    file: AtomicI64,
}

impl Regression {
    pub fn new() -> Self {
        Self { noticed: watch::Sender::new(None), file: AtomicI64::new(0) }
    }

    /// Changes to the reason when the keyring went back.
    pub fn watch(&self) -> watch::Receiver<Option<KeyringWentBack>> {
        self.noticed.subscribe()
    }

    pub fn check(&self) -> Result<(), KeyringError> {
        match &*self.noticed.borrow() {
            Some(why) => Err(KeyringError::Regressed(why.clone())),
            None => Ok(()),
        }
    }

    /// Stops this node from using keys, the first time.
    pub fn notice(&self, why: String) -> KeyringError {
        let why = KeyringWentBack(why);
        self.noticed.send_if_modified(|noticed| {
            let is_new = noticed.is_none();
            noticed.get_or_insert_with(|| why.clone());
            is_new
        });
        KeyringError::Regressed(why)
    }

    /// Compares what a renewal of the lease has read with what was known: neither number ever falls.
    pub fn compare(&self, (known, last): (i64, i64), file: i64) -> Result<(), KeyringError> {
        self.check()?;
        let known_file = self.file.fetch_max(file, Ordering::Relaxed);
        if last >= known && file >= known_file {
            return Ok(());
        }
        Err(self.notice(format!(
            "the keyring's database went back: entry {known} of its list of invalidations and file \
             {known_file} of its copy were known, and it ends at {last} and {file}. It was restored, or \
             failed over without its end: this node stops"
        )))
    }
}
