//! What a backup is of: the last file that is written into its folder.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::BackupError;
use crate::durable;
use crate::installation::InstallationId;
use crate::postgres::log_version;

pub(super) const DUMP: &str = "events.dump";
const NAME: &str = "manifest.json";
const FORMAT: u32 = 1;

/// What a backup is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Of this file.
    pub format: u32,
    /// The version of Lethe that wrote it.
    pub lethe: String,
    /// Whose events these are. Older versions did not say it.
    #[serde(default)]
    pub installation: Option<InstallationId>,
    /// Of the server.
    pub postgres: String,
    /// The newest migration of the events' database.
    pub schema: i32,
    /// When the backup was begun: it has what was committed by then.
    pub at: DateTime<Utc>,
    /// The last position of the log that it has.
    pub position: i64,
    /// The event at that position; none in an empty log.
    pub event_id: Option<Uuid>,
    /// The size of the dump.
    pub bytes: u64,
    /// The SHA-256 of the dump, in hexadecimal digits.
    pub sha256: String,
}

impl Manifest {
    pub(super) const FORMAT: u32 = FORMAT;

    /// Of the backup in this folder, whose dump is read and compared with it.
    ///
    /// # Errors
    /// [`BackupError::NoBackup`], [`BackupError::NewerSchema`], [`BackupError::Changed`], [`BackupError::File`].
    pub fn verify(folder: &Path) -> Result<Self, BackupError> {
        let no = |reason: String| BackupError::NoBackup { path: folder.to_owned(), reason };
        let text =
            std::fs::read(folder.join(NAME)).map_err(|error| no(format!("{NAME}: {error}")))?;
        let manifest: Self =
            serde_json::from_slice(&text).map_err(|error| no(format!("{NAME}: {error}")))?;
        if manifest.format != FORMAT {
            return Err(no("a newer Lethe wrote it: use that one".to_owned()));
        }
        let (schema, known) = (manifest.schema, log_version());
        if schema > known {
            let (path, lethe) = (folder.to_owned(), manifest.lethe);
            return Err(BackupError::NewerSchema { path, lethe, schema, known });
        }
        let dump = folder.join(DUMP);
        let (bytes, sha256) = digest(&dump)?;
        if (bytes, &sha256) != (manifest.bytes, &manifest.sha256) {
            let reason = format!("it has {bytes} bytes with the SHA-256 {sha256}");
            return Err(BackupError::Changed { path: dump, reason });
        }
        Ok(manifest)
    }

    /// Returns when it would survive a crash of the machine.
    pub(super) fn write(&self, folder: &Path) -> Result<(), BackupError> {
        let path = folder.join(NAME);
        let written =
            serde_json::to_vec_pretty(self).map_err(std::io::Error::other).and_then(|mut text| {
                text.push(b'\n');
                durable::write(folder, NAME, &text)
            });
        written.map_err(|reason| BackupError::File { path, reason })
    }
}

/// The size of a file and its SHA-256.
pub(super) fn digest(path: &Path) -> Result<(u64, String), BackupError> {
    let failed = |reason| BackupError::File { path: PathBuf::from(path), reason };
    let mut file = File::open(path).map_err(failed)?;
    let (mut hash, mut bytes) = (Context::new(&SHA256), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            return Ok((bytes, hex::encode(hash.finish())));
        }
        hash.update(buffer.get(..read).unwrap_or_default());
        bytes += read as u64;
    }
}
