//! The programmes of PostgreSQL that write and read a dump, and how they log in.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::BackupError;
use crate::postgres::{DatabaseUrl, binaries};

/// Whatever is set on the role, such as what a pooling proxy needs.
const OPTIONS: &str = "-c role=none -c statement_timeout=0 -c lock_timeout=0 \
    -c idle_in_transaction_session_timeout=0 -c jit=off";

/// Where the web's authorities are: Debian and others, Red Hat, SUSE, Alpine.
const AUTHORITIES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// The first version that finds them by itself, by this name in place of a file.
const KNOWS_SYSTEM: i32 = 16;
const SYSTEM: &str = "system";

/// The folder with `pg_dump` and `pg_restore`, and how they log in.
#[derive(Clone, Debug)]
pub struct Tools {
    folder: PathBuf,
    /// The file of the certificates that a server under TLS is compared with.
    authorities: PathBuf,
}

impl Tools {
    /// Those of a private server in `data`, else those of `PG_BINDIR`, of Debian's folders or on
    /// `PATH` that are at least of the server's major version, and know whom the URL trusts.
    ///
    /// # Errors
    /// [`BackupError::Tool`], [`BackupError::Authorities`].
    pub fn find(data: Option<&Path>, server: i32, url: &DatabaseUrl) -> Result<Self, BackupError> {
        let own = data.and_then(|data| binaries::find(Some(data)).ok());
        let (mut found, mut without) = (Vec::new(), None);
        for folder in own.into_iter().chain(binaries::folders()) {
            match (version(&folder, "pg_dump"), version(&folder, "pg_restore")) {
                (Some(dump), Some(_)) if dump >= server => {
                    match authorities(&AUTHORITIES.map(Path::new), dump) {
                        None if url.trusts_the_web() => without = Some(dump),
                        found => {
                            return Ok(Self { folder, authorities: found.unwrap_or_default() });
                        }
                    }
                }
                (Some(dump), Some(_)) => found.push(format!("{} is of {dump}", folder.display())),
                _ => {}
            }
        }
        if let Some(found) = without {
            return Err(BackupError::Authorities { found });
        }
        let none = || "there is none".to_owned();
        let found = if found.is_empty() { none() } else { found.join(", ") };
        Err(BackupError::Tool { name: "pg_dump", needed: server, found })
    }

    /// A programme that logs in as the URL says. The password is in its environment, which nobody
    /// else on the machine sees.
    pub(crate) fn command(&self, name: &str, url: &DatabaseUrl) -> Command {
        let mut command = Command::new(self.folder.join(name));
        for variable in ["PGSERVICE", "PGSERVICEFILE", "PGHOSTADDR", "PGPASSFILE", "PGSSLROOTCERT"]
        {
            command.env_remove(variable);
        }
        command.envs(url.environment(&self.authorities));
        command.env("PGOPTIONS", OPTIONS);
        command.env("PGCLIENTENCODING", "UTF8").env("LC_ALL", "C");
        command.arg("--no-password").stdin(Stdio::null()).stdout(Stdio::null());
        command
    }
}

/// The web's authorities, as a programme of this version names them.
pub(super) fn authorities(files: &[&Path], version: i32) -> Option<PathBuf> {
    let file = files.iter().find(|file| file.is_file()).map(|file| file.to_path_buf());
    file.or_else(|| (version >= KNOWS_SYSTEM).then(|| SYSTEM.into()))
}

/// The major version.
fn version(folder: &Path, name: &str) -> Option<i32> {
    let output = Command::new(folder.join(name)).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split_whitespace().find_map(|word| word.split('.').next()?.parse().ok())
}
