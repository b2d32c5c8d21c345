//! The default folders: the system's for root, else the user's.

use std::path::{Path, PathBuf};

use infra::accounts::is_root;

/// In the folder of the keys.
const ROOTS: &str = "roots";
const OTHERS: [&str; 2] = ["keyring-copy", "escrow"];

pub fn data_dir() -> String {
    place("/var/lib/lethe", "XDG_DATA_HOME", ".local/share", "lethe").display().to_string()
}

/// Copy and escrow are beside it.
pub fn root_dir() -> String {
    keys(former_keys(), new_keys()).join(ROOTS).display().to_string()
}

/// Whether this is where earlier versions kept the root keys.
pub fn is_former_root_dir(dir: &Path) -> bool {
    dir == former_keys().join(ROOTS)
}

/// Where a new installation has its keys: no backup of settings has them.
pub fn new_keys() -> PathBuf {
    place("/var/lib/lethe-keys", "XDG_STATE_HOME", ".local/state", "lethe-keys")
}

/// In most backups, which then have the root keys and the copy that opens with them.
fn former_keys() -> PathBuf {
    place("/etc/lethe", "XDG_CONFIG_HOME", ".config", "lethe")
}

/// What is kept there stays in use: without its root keys an installation is lost. A folder at which this user may
/// not look counts as kept.
fn keys(former: PathBuf, new: PathBuf) -> PathBuf {
    let mut names = OTHERS.iter().chain([&ROOTS]);
    if names.any(|name| former.join(name).try_exists().unwrap_or(true)) { former } else { new }
}

fn place(of_root: &str, variable: &str, in_home: &str, ours: &str) -> PathBuf {
    if is_root() {
        return PathBuf::from(of_root);
    }
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(in_home);
    let base = std::env::var_os(variable).filter(|value| Path::new(value).is_absolute());
    base.map_or_else(home, PathBuf::from).join(ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_keys_are_in_no_backup_of_settings_or_of_the_data() {
        let new = new_keys();
        let is_of_settings = |part: &std::ffi::OsStr| part == "etc" || part == ".config";
        assert!(!new.iter().any(is_of_settings), "{}", new.display());
        assert!(!new.starts_with(data_dir()), "{}", new.display());
    }

    /// Another default must not make another root key.
    #[test]
    fn keys_stay_where_an_earlier_version_has_put_them() {
        for kept in [ROOTS, "keyring-copy", "escrow"] {
            let folder = tempfile::tempdir().unwrap();
            let (former, new) = (folder.path().join("former"), folder.path().join("new"));
            // Settings are there in any case.
            std::fs::create_dir(&former).unwrap();
            assert_eq!(keys(former.clone(), new.clone()), new);

            std::fs::create_dir(former.join(kept)).unwrap();

            assert_eq!(keys(former.clone(), new), former, "{kept}");
        }
    }
}
