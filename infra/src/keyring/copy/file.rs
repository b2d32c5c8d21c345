//! One file of the copy: a header in clear, then frames of rows, each encrypted and authenticated.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::{KeyringError, RootId, Secret, crypto};
use super::{damaged, failed};

const FORMAT: u32 = 1;
/// The snapshot names every transaction that runs.
const HEADER_BYTES_MAX: u64 = 1 << 20;
/// Many times a page of rows.
const FRAME_BYTES_MAX: u32 = 1 << 24;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum CopyKind {
    /// Every row.
    Base,
    /// The rows that have changed since the file before.
    Changes,
}

/// What stands in clear at the beginning of a file. The key of the file is bound to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CopyHeader {
    pub format: u32,
    pub kind: CopyKind,
    pub keyring: Uuid,
    pub number: i64,
    /// Random: no other file has the same key. The row of the database has that of its last file.
    pub token: Uuid,
    /// The file whose changes these follow; none of a base.
    pub after: Option<i64>,
    /// The base that these changes belong to: its own number for a base.
    pub base: i64,
    /// The root that the base is encrypted under.
    pub base_root: i64,
    /// The root that this file is encrypted under.
    pub root: i64,
    /// The newest migration of the keyring.
    pub schema: i32,
    /// The next file has what this snapshot does not show.
    pub snapshot: String,
    /// The copy has every change until then.
    pub complete_at: DateTime<Utc>,
    /// The size of the files of changes between the base and this one.
    pub bytes_before: u64,
}

impl CopyHeader {
    pub const FORMAT: u32 = FORMAT;

    pub fn root(&self) -> RootId {
        RootId(self.root)
    }

    pub fn name(&self) -> String {
        name(self.kind, self.number)
    }

    /// The number after that of the last transaction which the snapshot shows.
    pub fn next_transaction(&self) -> Option<i64> {
        self.snapshot.split(':').nth(1)?.parse().ok()
    }

    /// The header of a file, not authenticated.
    pub fn read(path: &Path) -> Result<Self, KeyringError> {
        let file = File::open(path).map_err(|reason| failed(path, reason))?;
        read_header(path, &mut BufReader::new(file)).map(|(header, _)| header)
    }
}

pub(super) fn name(kind: CopyKind, number: i64) -> String {
    match kind {
        CopyKind::Base => format!("base-{number}.copy"),
        CopyKind::Changes => format!("changes-{number}.copy"),
    }
}

fn read_header(
    path: &Path,
    from: &mut impl BufRead,
) -> Result<(CopyHeader, Vec<u8>), KeyringError> {
    let mut line = Vec::new();
    from.take(HEADER_BYTES_MAX)
        .read_until(b'\n', &mut line)
        .map_err(|reason| failed(path, reason))?;
    let header: CopyHeader = serde_json::from_slice(&line)
        .map_err(|_| damaged(path, "it does not begin with the header of a copy"))?;
    if header.format != FORMAT {
        return Err(damaged(path, "a newer programme wrote it: use that one"));
    }
    Ok((header, line))
}

/// A file under its temporary name. It is deleted unless it was finished.
struct PartialFile {
    path: PathBuf,
    is_finished: bool,
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.is_finished {
            // Whether this fails says nothing new: the next writer deletes it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Writes a file under a temporary name.
pub(super) struct FileWriter {
    file: BufWriter<File>,
    part: PartialFile,
    key: Secret,
    frames: u64,
    dir: PathBuf,
    name: String,
    bytes: u64,
}

impl FileWriter {
    pub fn create(dir: &Path, header: &CopyHeader, root: &Secret) -> Result<Self, KeyringError> {
        let mut line = serde_json::to_vec(header).map_err(|_| KeyringError::Value)?;
        line.push(b'\n');
        if line.len() as u64 > HEADER_BYTES_MAX {
            return Err(KeyringError::Value);
        }
        let key = crypto::file_key(root, &line)?;
        let name = header.name();
        let part = dir.join(format!("{name}.part"));
        let opened = DirBuilder::new().recursive(true).mode(0o700).create(dir).and_then(|()| {
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)
        });
        let mut file = BufWriter::new(opened.map_err(|reason| failed(&part, reason))?);
        let part = PartialFile { path: part, is_finished: false };
        file.write_all(&line).map_err(|reason| failed(&part.path, reason))?;
        let bytes = line.len() as u64;
        Ok(Self { file, part, key, frames: 0, dir: dir.to_owned(), name, bytes })
    }

    /// Adds rows of a table, each as JSON.
    pub fn push(&mut self, table: &str, rows: &[String]) -> Result<(), KeyringError> {
        self.frame(format!("{table}\n[{}]", rows.join(",")).into_bytes(), false)
    }

    fn frame(&mut self, mut text: Vec<u8>, is_last: bool) -> Result<(), KeyringError> {
        crypto::seal_frame(&self.key, (self.frames, is_last), &mut text)?;
        self.frames += 1;
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        if length > FRAME_BYTES_MAX {
            return Err(KeyringError::Value);
        }
        let written =
            self.file.write_all(&length.to_be_bytes()).and_then(|()| self.file.write_all(&text));
        self.bytes += 4 + u64::from(length);
        written.map_err(|reason| failed(&self.dir.join(&self.name), reason))
    }

    /// Returns the size of the file when it would survive a crash of the machine.
    pub fn finish(mut self) -> Result<u64, KeyringError> {
        self.frame(Vec::new(), true)?;
        let path = self.dir.join(&self.name);
        let finished = self
            .file
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)
            .and_then(|file| file.sync_all())
            .and_then(|()| std::fs::rename(&self.part.path, &path))
            .and_then(|()| self.dir.ancestors().take(2).try_for_each(sync));
        finished.map_err(|reason| failed(&path, reason))?;
        self.part.is_finished = true;
        Ok(self.bytes)
    }
}

fn sync(dir: &Path) -> std::io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Reads the frames of a file.
pub(super) struct FileReader {
    file: BufReader<File>,
    key: Secret,
    frames: u64,
    path: PathBuf,
}

impl FileReader {
    pub fn open(path: &Path, root: &Secret) -> Result<(Self, CopyHeader), KeyringError> {
        let file = File::open(path).map_err(|reason| failed(path, reason))?;
        let mut file = BufReader::new(file);
        let (header, line) = read_header(path, &mut file)?;
        let key = crypto::file_key(root, &line)?;
        Ok((Self { file, key, frames: 0, path: path.to_owned() }, header))
    }

    /// The next table and its rows as a JSON array. `None`: the file is complete.
    pub fn next(&mut self) -> Result<Option<(String, String)>, KeyringError> {
        let mut length = [0; 4];
        self.read(&mut length)?;
        let length = u32::from_be_bytes(length);
        if length > FRAME_BYTES_MAX {
            return Err(self.damaged());
        }
        let mut text = vec![0; usize::try_from(length).map_err(|_| self.damaged())?];
        self.read(&mut text)?;
        let number = self.frames;
        self.frames += 1;
        let mut last = text.clone();
        if crypto::open_frame(&self.key, (number, true), &mut last).is_some() {
            let rest = self.file.fill_buf().map_err(|reason| failed(&self.path, reason))?;
            return if rest.is_empty() { Ok(None) } else { Err(self.damaged()) };
        }
        crypto::open_frame(&self.key, (number, false), &mut text).ok_or_else(|| self.damaged())?;
        let text = String::from_utf8(text).map_err(|_| self.damaged())?;
        let (table, rows) = text.split_once('\n').ok_or_else(|| self.damaged())?;
        Ok(Some((table.to_owned(), rows.to_owned())))
    }

    /// Whether it goes on to its last frame. What the frames before that hold is not read.
    pub fn reaches_its_end(mut self) -> Result<bool, KeyringError> {
        let path = self.path.clone();
        let failed = |reason| failed(&path, reason);
        let end = self.file.get_ref().metadata().map_err(failed)?.len();
        let mut at = self.file.stream_position().map_err(failed)?;
        while at + 4 <= end {
            let mut length = [0; 4];
            self.read(&mut length)?;
            let length = u32::from_be_bytes(length);
            at += 4 + u64::from(length);
            if at > end || length > FRAME_BYTES_MAX {
                return Ok(false);
            }
            if at == end {
                return self.is_last(length);
            }
            self.file.seek_relative(length.into()).map_err(failed)?;
            self.frames += 1;
        }
        Ok(false)
    }

    fn is_last(&mut self, length: u32) -> Result<bool, KeyringError> {
        let mut text = vec![0; usize::try_from(length).map_err(|_| self.damaged())?];
        self.read(&mut text)?;
        Ok(crypto::open_frame(&self.key, (self.frames, true), &mut text).is_some())
    }

    fn read(&mut self, into: &mut [u8]) -> Result<(), KeyringError> {
        self.file.read_exact(into).map_err(|reason| {
            if reason.kind() == std::io::ErrorKind::UnexpectedEof {
                return damaged(&self.path, "it ends too early");
            }
            failed(&self.path, reason)
        })
    }

    fn damaged(&self) -> KeyringError {
        damaged(&self.path, "it was changed, or is under another root key")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 5,000 transactions were under way.
    #[test]
    fn a_long_snapshot_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let running: Vec<String> =
            (0..5_000).map(|nth| (9_000_000_000_u64 + nth).to_string()).collect();
        let header = CopyHeader {
            format: FORMAT,
            kind: CopyKind::Base,
            keyring: Uuid::nil(),
            number: 1,
            token: Uuid::nil(),
            after: None,
            base: 1,
            base_root: 1,
            root: 1,
            schema: 9,
            snapshot: format!("9000000000:9000005000:{}", running.join(",")),
            complete_at: DateTime::UNIX_EPOCH,
            bytes_before: 0,
        };
        let root = Secret::random().unwrap();
        FileWriter::create(folder.path(), &header, &root).unwrap().finish().unwrap();

        let path = folder.path().join(header.name());
        assert_eq!(CopyHeader::read(&path).unwrap(), header);
        let (mut file, found) = FileReader::open(&path, &root).unwrap();
        assert_eq!((file.next().unwrap(), found), (None, header));
    }
}
