//! The files of a copy in their folder.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::super::KeyringError;
use super::failed;
use super::file::{CopyHeader, CopyKind};

/// A file of the copy, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CopyFile {
    pub number: i64,
    pub kind: CopyKind,
    pub path: PathBuf,
}

/// By their numbers. None where there is no folder.
pub(super) fn list(dir: &Path) -> Result<Vec<CopyFile>, KeyringError> {
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|reason| failed(dir, reason))?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|reason| failed(dir, reason))?.path();
        if let Some((kind, number)) = path.file_name().and_then(|name| parse(name.to_str()?)) {
            files.push(CopyFile { number, kind, path });
        }
    }
    files.sort_unstable_by_key(|file| file.number);
    Ok(files)
}

fn parse(name: &str) -> Option<(CopyKind, i64)> {
    let (kind, number) = name.strip_suffix(".copy")?.split_once('-')?;
    let kind = match kind {
        "base" => CopyKind::Base,
        "changes" => CopyKind::Changes,
        _ => return None,
    };
    Some((kind, number.parse().ok()?))
}

/// The header of the newest file.
pub(super) fn newest(dir: &Path) -> Result<Option<CopyHeader>, KeyringError> {
    list(dir)?.last().map(|file| CopyHeader::read(&file.path)).transpose()
}

/// Deletes the files before a base, and what an interrupted writer has left of one. They are under
/// roots that are erased soon, so that whoever has kept a copy of them opens nothing.
pub(super) fn delete_before(dir: &Path, base: i64) -> Result<(), KeyringError> {
    let entries = std::fs::read_dir(dir).map_err(|reason| failed(dir, reason))?;
    for entry in entries {
        let path = entry.map_err(|reason| failed(dir, reason))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let file = parse(name.strip_suffix(".part").unwrap_or(name));
        if file.is_some_and(|(_, number)| number < base) {
            match std::fs::remove_file(&path) {
                Err(reason) if reason.kind() != ErrorKind::NotFound => {
                    return Err(failed(&path, reason));
                }
                Ok(()) | Err(_) => {}
            }
        }
    }
    Ok(())
}
