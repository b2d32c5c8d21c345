//! The account that runs PostgreSQL, which refuses to run as root.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    uid: u32,
    gid: u32,
}

impl Owner {
    /// `postgres`, else `nobody`, when this process is root; else nobody else is needed.
    pub(super) fn of_cluster() -> io::Result<Option<Self>> {
        if !is_root() {
            return Ok(None);
        }
        let accounts = fs::read_to_string("/etc/passwd")?;
        find(&accounts, "postgres").or_else(|| find(&accounts, "nobody")).map(Some).ok_or_else(
            || io::Error::new(io::ErrorKind::NotFound, "neither a postgres nor a nobody account"),
        )
    }

    fn may_enter(self, path: &Path) -> bool {
        let Ok(meta) = fs::metadata(path) else { return false };
        let mode = meta.permissions().mode();
        let bit = if meta.uid() == self.uid {
            0o100
        } else if meta.gid() == self.gid {
            0o010
        } else {
            0o001
        };
        mode & bit != 0
    }
}

/// Whether this process is root: `/proc/self` belongs to the effective user.
pub(super) fn is_root() -> bool {
    uid() == Some(0)
}

pub(super) fn uid() -> Option<u32> {
    fs::metadata("/proc/self").map(|meta| meta.uid()).ok()
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
        Some(owner) => chown(path, Some(owner.uid), Some(owner.gid)),
        None => Ok(()),
    }
}

pub(super) fn run_as(owner: Option<Owner>, command: &mut Command) {
    if let Some(owner) = owner {
        command.uid(owner.uid).gid(owner.gid);
    }
}

/// Whether `path` is a folder of the owner's that nobody else can write to.
pub(super) fn owns(owner: Option<Owner>, path: &Path) -> bool {
    let wanted = owner.map(|owner| owner.uid).or_else(uid);
    fs::symlink_metadata(path).is_ok_and(|meta| {
        meta.is_dir()
            && Some(meta.uid()) == wanted
            && meta.permissions().mode().trailing_zeros() >= 6
    })
}

fn find(accounts: &str, name: &str) -> Option<Owner> {
    accounts.lines().find_map(|line| {
        let mut parts = line.split(':');
        if parts.next()? != name {
            return None;
        }
        let uid = parts.nth(1)?.parse().ok()?;
        let gid = parts.next()?.parse().ok()?;
        Some(Owner { uid, gid })
    })
}
