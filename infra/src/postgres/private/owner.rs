//! The account that runs PostgreSQL, which refuses to run as root.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::server::at;
use crate::accounts::{User, accounts, is_root, users};
use crate::postgres::ClusterError;

/// Debian's, and the one that is made where there is none.
const ACCOUNTS: [&str; 2] = ["postgres", MADE];
const MADE: &str = "lethe-postgres";
/// As whom other programmes run, too. Earlier versions took it where there was no `postgres`.
const SHARED: &str = "nobody";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner(User);

impl Owner {
    /// As whom the server in `dir` is to run; `None`: as this process, which is not root. Nothing in `dir` is changed.
    ///
    /// # Errors
    /// [`ClusterError::Foreign`]: the folder belongs to another user, to whom it would be closed afterwards.
    pub fn of_cluster(dir: &Path) -> Result<Option<Self>, ClusterError> {
        let me = User::of_this_process();
        let folder = found(dir)?;
        if !is_root() {
            let foreign = folder.filter(|found| Some(found.uid) != me.map(|me| me.uid));
            return foreign.map_or(Ok(None), |owner| Err(foreign_folder(dir, owner)));
        }
        match found(&dir.join("data"))?.or(folder).filter(|found| found.uid != 0) {
            Some(owner) => {
                known(&read_accounts()?, owner).map(Some).ok_or_else(|| foreign_folder(dir, owner))
            }
            None => account().map(Some),
        }
    }

    fn may_enter(self, path: &Path) -> bool {
        let Ok(meta) = fs::metadata(path) else { return false };
        let mode = meta.permissions().mode();
        let bit = if meta.uid() == self.0.uid {
            0o100
        } else if meta.gid() == self.0.gid {
            0o010
        } else {
            0o001
        };
        mode & bit != 0
    }
}

fn foreign_folder(dir: &Path, owner: User) -> ClusterError {
    ClusterError::Foreign { dir: dir.to_path_buf(), owner: owner.name() }
}

/// Whose it is; `None`: it is not there.
fn found(path: &Path) -> Result<Option<User>, ClusterError> {
    match fs::metadata(path) {
        Ok(found) => Ok(Some(User { uid: found.uid(), gid: found.gid() })),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(path, error)),
    }
}

fn read_accounts() -> Result<String, ClusterError> {
    accounts().map_err(|error| ClusterError::Account(error.to_string()))
}

/// The account of a server that is there already, if root has taken it for that.
fn known(accounts: &str, owner: User) -> Option<Owner> {
    let (name, user) = users(accounts).find(|(name, user)| {
        user.uid == owner.uid && (ACCOUNTS.contains(name) || *name == SHARED)
    })?;
    if name == SHARED {
        tracing::warn!(
            "the private PostgreSQL runs as {SHARED}, as other programmes of this machine may: they can read its \
             data. Make an account (`useradd --system {MADE}`), stop Lethe, and `chown -R {MADE}:` its folder"
        );
    }
    Some(Owner(user))
}

/// The account for a new server, made if need be.
fn account() -> Result<Owner, ClusterError> {
    if let Some(owner) = choose(&read_accounts()?) {
        return Ok(owner);
    }
    let options = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"];
    tracing::info!("making the account {MADE}, as which the private PostgreSQL runs");
    let made = Command::new("useradd").args(options).arg(MADE).output();
    // Another process may have made it meanwhile.
    choose(&read_accounts()?).ok_or_else(|| {
        ClusterError::Account(match made {
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => format!("useradd: {error}"),
        })
    })
}

fn choose(accounts: &str) -> Option<Owner> {
    ACCOUNTS.iter().find_map(|wanted| {
        let found = users(accounts).find(|(name, user)| name == wanted && user.uid != 0);
        found.map(|(_, user)| Owner(user))
    })
}

/// The first folder above `path` that the owner may not enter.
pub(super) fn barred(owner: Option<Owner>, path: &Path) -> Option<PathBuf> {
    let owner = owner?;
    let above: Vec<&Path> = path.ancestors().skip(1).filter(|above| above.exists()).collect();
    above.into_iter().rev().find(|above| !owner.may_enter(above)).map(Path::to_path_buf)
}

/// A folder that only the owner (and root) may look into.
pub(super) fn private_folder(owner: Option<Owner>, path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    match owner {
        Some(Owner(user)) => chown(path, Some(user.uid), Some(user.gid)),
        None => Ok(()),
    }
}

pub(super) fn run_as(owner: Option<Owner>, command: &mut Command) {
    if let Some(Owner(user)) = owner {
        command.uid(user.uid).gid(user.gid);
    }
}

/// Whether `path` is a folder of the owner's that nobody else can write to.
pub(super) fn owns(owner: Option<Owner>, path: &Path) -> bool {
    let wanted = owner.map(|Owner(user)| user).or_else(User::of_this_process);
    fs::symlink_metadata(path).is_ok_and(|meta| {
        meta.is_dir()
            && Some(meta.uid()) == wanted.map(|user| user.uid)
            && meta.permissions().mode().trailing_zeros() >= 6
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: &str = "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";

    /// Other programmes run as `nobody`, and the server trusts its account.
    #[test]
    fn a_new_server_has_an_account_that_no_other_programme_has() {
        let postgres = "postgres:x:101:104:PostgreSQL:/var/lib/postgresql:/bin/bash\n";
        let own = format!("{NOBODY}{MADE}:x:998:997::/home/lethe-postgres:/usr/sbin/nologin\n");

        assert_eq!(choose(NOBODY), None);
        assert_eq!(choose(&own), Some(Owner(User { uid: 998, gid: 997 })));
        assert_eq!(choose(&format!("{own}{postgres}")), Some(Owner(User { uid: 101, gid: 104 })));
        assert_eq!(choose("postgres:x:0:0::/root:/bin/sh\n"), None);
    }

    #[test]
    fn a_server_that_is_there_keeps_its_account_and_one_of_somebody_else_is_none_of_ours() {
        let lethe = "lethe:x:999:999::/var/lib/lethe:/usr/sbin/nologin\n";
        let accounts = format!("{NOBODY}{lethe}");

        let nobody = User { uid: 65534, gid: 65534 };
        assert_eq!(known(&accounts, nobody), Some(Owner(nobody)));
        assert_eq!(known(&accounts, User { uid: 999, gid: 999 }), None);
    }
}
