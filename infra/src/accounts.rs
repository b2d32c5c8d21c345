//! Users of this machine: who this process is, and whose a file is.

use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

const ACCOUNTS: &str = "/etc/passwd";

/// A user of this machine, with its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// 0 is root.
    pub uid: u32,
    /// Its primary group.
    pub gid: u32,
}

impl User {
    /// As whom this process works; `None` where `/proc` is not mounted.
    pub fn of_this_process() -> Option<Self> {
        // It belongs to the effective user.
        let process = fs::metadata("/proc/self").ok()?;
        Some(Self { uid: process.uid(), gid: process.gid() })
    }

    /// Whether somebody else than this user and root may replace or change the file, or what is in the
    /// folder. The group that this user has to itself, as many systems set it up, is nobody else.
    pub fn shares(self, found: &Metadata) -> bool {
        ![0, self.uid].contains(&found.uid()) || self.shares_writing(found)
    }

    /// Whether others than the owner of the file and this user's own group may write to it.
    pub fn shares_writing(self, found: &Metadata) -> bool {
        let mode = found.permissions().mode();
        mode & 0o002 != 0 || mode & 0o020 != 0 && found.gid() != self.gid
    }

    /// Its name, or its number where it has no account here.
    pub fn name(self) -> String {
        let accounts = fs::read_to_string(ACCOUNTS).unwrap_or_default();
        let named = users(&accounts).find(|(_, user)| user.uid == self.uid);
        named.map_or_else(|| format!("user {}", self.uid), |(name, _)| name.to_owned())
    }
}

/// Whether this process is root's.
pub fn is_root() -> bool {
    User::of_this_process().is_some_and(|user| user.uid == 0)
}

/// The text of the accounts of this machine, for [`users`].
///
/// # Errors
/// It cannot be read.
pub(crate) fn accounts() -> std::io::Result<String> {
    fs::read_to_string(ACCOUNTS)
}

/// The accounts, by their names.
pub(crate) fn users(accounts: &str) -> impl Iterator<Item = (&str, User)> {
    accounts.lines().filter_map(|line| {
        let mut parts = line.split(':');
        let name = parts.next()?;
        let uid = parts.nth(1)?.parse().ok()?;
        Some((name, User { uid, gid: parts.next()?.parse().ok()? }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_others_may_change_is_shared() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let me = User::of_this_process().unwrap();
        let shared = |by: User, mode| {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
            by.shares(&fs::metadata(file.path()).unwrap())
        };
        let gid = fs::metadata(file.path()).unwrap().gid();
        let of_its_group = User { gid, ..me };

        assert!(!shared(me, 0o644) && !shared(of_its_group, 0o664));
        assert!(shared(me, 0o646) && shared(User { gid: gid + 1, ..me }, 0o664));
        let stranger = User { uid: me.uid + 1, ..me };
        // What root has written is believed by everybody.
        assert_eq!(shared(stranger, 0o644), me.uid != 0);
    }

    #[test]
    fn accounts_are_read_by_their_names() {
        let text = "root:x:0:0:root:/root:/bin/bash\nbroken\npostgres:x:101:104:,,,:/var:/bin/sh\n";

        let found: Vec<_> = users(text).collect();

        let postgres = User { uid: 101, gid: 104 };
        assert_eq!(found, [("root", User { uid: 0, gid: 0 }), ("postgres", postgres)]);
    }
}
