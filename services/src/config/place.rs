//! The default folders: the system's for root, else the user's.

use std::path::{Path, PathBuf};

pub fn data_dir() -> String {
    place("/var/lib/lethe", "XDG_DATA_HOME", ".local/share", "lethe")
}

pub fn root_dir() -> String {
    place("/etc/lethe/roots", "XDG_CONFIG_HOME", ".config", "lethe/roots")
}

fn place(of_root: &str, variable: &str, in_home: &str, ours: &str) -> String {
    if is_root() {
        return of_root.to_owned();
    }
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(in_home);
    let base = std::env::var_os(variable).filter(|value| Path::new(value).is_absolute());
    base.map_or_else(home, PathBuf::from).join(ours).display().to_string()
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
