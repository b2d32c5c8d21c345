//! Backups of the events' database, by the programmes of PostgreSQL. The keyring is never in one: an
//! old backup is read with the keys of today.

mod left;
mod manifest;
mod restore;
mod sessions;
mod target;
#[cfg(test)]
mod tests;
mod tools;
mod write;

use std::io;
use std::path::PathBuf;

use crate::postgres::PgError;

pub use left::left_databases;
pub use manifest::Manifest;
pub use restore::{Noting, restore};
pub use target::refuse_target;
pub use tools::Tools;
pub use write::back_up;

/// Why a backup was not made or not restored. Nothing was changed, unless the text says otherwise.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum BackupError {
    #[error("the events' database: {0}")]
    Database(#[from] PgError),
    #[error("{path}: {reason}", path = .path.display())]
    File { path: PathBuf, reason: io::Error },
    #[error("{} is not empty: name a folder that is new", .0.display())]
    NotEmpty(PathBuf),
    #[error("others may write to {}: use chmod go-w on it, or name a folder that is new", .0.display())]
    Open(PathBuf),
    #[error("{} is no complete backup: {reason}", .path.display())]
    NoBackup { path: PathBuf, reason: String },
    #[error("{} was changed since it was written: {reason}", .path.display())]
    Changed { path: PathBuf, reason: String },
    #[error(
        "{name} of PostgreSQL {needed} or later is needed, as the server is of {needed}, and {found}: \
         install it (Debian: apt-get install postgresql-client), or set PG_BINDIR to its folder"
    )]
    Tool { name: &'static str, needed: i32, found: String },
    #[error(
        "pg_dump of PostgreSQL {found} does not know the web's authorities, and this machine has no file of them: \
         install ca-certificates or a client of PostgreSQL 16 or later, or name a file of certificates in the \
         database URL (sslrootcert)"
    )]
    Authorities { found: i32 },
    #[error("{0} has tables that are not of Lethe's events: name another database")]
    NotLethes(String),
    #[error(
        "{url} is of Lethe, with events up to position {position}: name another database, or use \
         --overwrite to drop it"
    )]
    HasLog { url: String, position: i64 },
    #[error(
        "{path} has schema {schema} of the events' database, and this programme {known}: restore it with \
         the version of Lethe that wrote it ({lethe}), or a later one", path = .path.display()
    )]
    NewerSchema { path: PathBuf, lethe: String, schema: i32, known: i32 },
    #[error(
        "the database is in use, and these sessions were not ended: {0}. Close them, or make this role a \
         member of pg_signal_backend"
    )]
    InUse(String),
    #[error("the name {name} is too long for a restore: use one of at most {most} bytes")]
    LongName { name: String, most: usize },
    #[error("the database {0} is in the way, and no restore has made it: rename it, or drop it")]
    InTheWay(String),
    #[error("stop every node first; these run: {0}")]
    NodesRun(String),
    #[error(
        "the connection was lost while the restored database took the place of the earlier one: whether it did \
         is not known, and the next start does what a restore needs ({0})"
    )]
    Uncertain(PgError),
    #[error("{name} failed: {reason}")]
    Failed { name: &'static str, reason: String },
}

impl From<tokio_postgres::Error> for BackupError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}
