//! The folder of the server's socket: a socket's path may have 107 bytes, a data folder's any length.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::owner::{self, Owner};

const PATH_BYTES_MAX: usize = 107;
const NAME: &str = ".s.PGSQL.5432.lock";

/// The data folder itself, else a private folder with a short path.
pub(super) fn folder(owner: Option<Owner>, dir: &Path) -> io::Result<PathBuf> {
    if fits(dir) {
        return Ok(dir.to_path_buf());
    }
    let mut hasher = DefaultHasher::new();
    dir.hash(&mut hasher);
    let short = std::env::temp_dir().join(format!("lethe-{:016x}", hasher.finish()));
    if !fits(&short) {
        return Err(io::Error::other(format!("no short path for a socket: {}", short.display())));
    }
    // Anybody may make folders there, so one that stands there already must be ours.
    match std::fs::create_dir(&short) {
        Ok(()) => owner::private_folder(owner, &short)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    if owner::owns(owner, &short) {
        Ok(short)
    } else {
        Err(io::Error::other(format!("{} belongs to somebody else", short.display())))
    }
}

fn fits(dir: &Path) -> bool {
    dir.as_os_str().as_bytes().len() + 1 + NAME.len() <= PATH_BYTES_MAX
}
