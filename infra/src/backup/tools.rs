//! The programmes of PostgreSQL that write and read a dump, and how they log in.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::BackupError;
use crate::postgres::{DatabaseUrl, binaries};

/// Whatever is set on the role, such as what a pooling proxy needs.
const OPTIONS: &str = "-c role=none -c statement_timeout=0 -c lock_timeout=0 \
    -c idle_in_transaction_session_timeout=0 -c jit=off";

/// The folder with `pg_dump` and `pg_restore`.
#[derive(Clone, Debug)]
pub struct Tools(PathBuf);

impl Tools {
    /// Those of a private server in `data`, else those of `PG_BINDIR`, of Debian's folders or on
    /// `PATH` that are at least of the server's major version.
    ///
    /// # Errors
    /// [`BackupError::Tool`].
    pub fn find(data: Option<&Path>, server: i32) -> Result<Self, BackupError> {
        let own = data.and_then(|data| binaries::find(Some(data)).ok());
        let mut found = Vec::new();
        for folder in own.into_iter().chain(binaries::folders()) {
            match (version(&folder, "pg_dump"), version(&folder, "pg_restore")) {
                (Some(dump), Some(_)) if dump >= server => return Ok(Self(folder)),
                (Some(dump), Some(_)) => found.push(format!("{} is of {dump}", folder.display())),
                _ => {}
            }
        }
        let none = || "there is none".to_owned();
        let found = if found.is_empty() { none() } else { found.join(", ") };
        Err(BackupError::Tool { name: "pg_dump", needed: server, found })
    }

    /// A programme that logs in as the URL says. The password is in its environment, which nobody
    /// else on the machine sees.
    pub(super) fn command(&self, name: &str, url: &DatabaseUrl) -> Command {
        let mut command = Command::new(self.0.join(name));
        for variable in ["PGSERVICE", "PGSERVICEFILE", "PGHOSTADDR", "PGPASSFILE", "PGSSLROOTCERT"]
        {
            command.env_remove(variable);
        }
        command.envs(url.environment());
        command.env("PGOPTIONS", OPTIONS);
        command.env("PGCLIENTENCODING", "UTF8").env("LC_ALL", "C");
        command.arg("--no-password").stdin(Stdio::null()).stdout(Stdio::null());
        command
    }
}

/// The major version.
fn version(folder: &Path, name: &str) -> Option<i32> {
    let output = Command::new(folder.join(name)).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split_whitespace().find_map(|word| word.split('.').next()?.parse().ok())
}
