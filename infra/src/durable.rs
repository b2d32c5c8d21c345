//! Files whose writing and deletion survive a crash of the machine.

use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind, Result, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const OWNER_ONLY: u32 = 0o600;

/// Writes a temporary file and renames it, so that the file is never incomplete; syncs file and folder.
pub(crate) fn write(dir: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let partial = write_partial(dir, name, bytes)?;
    fs::rename(&partial, dir.join(name))?;
    sync(dir)
}

/// The same, but never replaces a file: fails with [`ErrorKind::AlreadyExists`].
pub(crate) fn create(dir: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let partial = write_partial(dir, name, bytes)?;
    let linked = fs::hard_link(&partial, dir.join(name));
    fs::remove_file(&partial)?;
    linked?;
    sync(dir)
}

fn write_partial(dir: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf> {
    let partial = dir.join(format!("{name}.part"));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(OWNER_ONLY)
        .open(&partial)?;
    if let Err(error) = file.write_all(bytes).and_then(|()| file.sync_all()) {
        // On a full disk it would keep what others need; whether this fails says nothing new.
        let _ = fs::remove_file(&partial);
        return Err(error);
    }
    Ok(partial)
}

/// Overwrites, then unlinks, each of them synced. A copying file system or a flash disk may keep
/// the old blocks all the same.
pub(crate) fn erase(dir: &Path, name: &str) -> Result<()> {
    let path = dir.join(name);
    match OpenOptions::new().write(true).open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(mut file) => {
            let length = usize::try_from(file.metadata()?.len()).map_err(Error::other)?;
            file.write_all(&vec![0; length])?;
            file.sync_all()?;
        }
    }
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => sync(dir),
    }
}

fn sync(dir: &Path) -> Result<()> {
    File::open(dir)?.sync_all()
}
