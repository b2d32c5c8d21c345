//! The private server of another Lethe that runs: a command reaches it through its socket.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::owner::Owner;
use super::{socket, url_at};

/// Where `database` of the server that works in `dir` is; none when no Lethe runs there.
pub fn running(dir: &Path, database: &str) -> Option<String> {
    let dir = std::fs::canonicalize(dir).ok()?;
    let lock = File::open(dir.join("lethe.lock")).ok()?;
    if !matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)) {
        return None;
    }
    let socket = socket::folder(Owner::of_cluster(&dir).ok()?, &dir).ok()?;
    Some(url_at(&socket, database))
}
