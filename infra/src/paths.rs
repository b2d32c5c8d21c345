//! Where a path leads.

use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};

/// The path without symbolic links; its last folders may be missing.
///
/// # Errors
/// A folder of it cannot be looked at.
pub fn real(path: &Path) -> Result<PathBuf> {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Err(error), Some(parent), Some(name)) if error.kind() == ErrorKind::NotFound => {
            match path.read_link() {
                Ok(target) => real(&parent.join(target)),
                Err(_) => Ok(real(parent)?.join(name)),
            }
        }
        (resolved, _, _) => resolved,
    }
}
