//! The files of a copy in their folder.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::super::KeyringError;
use super::file::{CopyHeader, CopyKind, name};
use super::{damaged, failed};

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

/// The same. A file up to the number `known` says nothing of a later time: if it, or one that it
/// follows, cannot be read, there is no copy.
pub(super) fn newest_or_later(dir: &Path, known: i64) -> Result<Option<CopyHeader>, KeyringError> {
    match newest(dir) {
        Ok(Some(newest)) if newest.number > known => Ok(Some(newest)),
        Ok(newest) => Ok(newest.filter(|_| chain(dir).is_ok())),
        Err(error) => match list(dir)?.last() {
            Some(file) if file.number <= known => Ok(None),
            Some(_) | None => Err(error),
        },
    }
}

/// The newest file and those that it follows, from their base on.
pub(super) fn chain(dir: &Path) -> Result<Vec<CopyHeader>, KeyringError> {
    let mut chain = Vec::new();
    let mut next = newest(dir)?;
    while let Some(header) = next {
        next = match header.after {
            Some(after) if after < header.number => {
                let kind = if after == header.base { CopyKind::Base } else { CopyKind::Changes };
                let path = dir.join(name(kind, after));
                if !path.exists() {
                    return Err(damaged(&path, "it is missing"));
                }
                let header = CopyHeader::read(&path)?;
                if header.number != after {
                    return Err(damaged(&path, "it is another file"));
                }
                Some(header)
            }
            _ if header.kind == CopyKind::Base => None,
            _ => return Err(damaged(&dir.join(header.name()), "it has no base")),
        };
        chain.push(header);
    }
    chain.reverse();
    Ok(chain)
}

/// Deletes what writers have left that were interrupted: on a full disk it would keep what others need. Whoever
/// calls it is the only one that may write.
pub(super) fn delete_unfinished(dir: &Path) -> Result<(), KeyringError> {
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(|reason| failed(dir, reason))?,
    };
    for entry in entries {
        let path = entry.map_err(|reason| failed(dir, reason))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.strip_suffix(".part").is_some_and(|name| parse(name).is_some()) {
            delete(&path)?;
        }
    }
    Ok(())
}

fn delete(path: &Path) -> Result<(), KeyringError> {
    match std::fs::remove_file(path) {
        Err(reason) if reason.kind() != ErrorKind::NotFound => Err(failed(path, reason)),
        Ok(()) | Err(_) => Ok(()),
    }
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
            delete(&path)?;
        }
    }
    Ok(())
}
