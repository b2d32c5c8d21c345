//! Where personal data may have been left, how it is searched, and how a control is planted there.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use infra::postgres::{ConnectOptions, connect_one};
use infra::residue::{Canaries, Encoding, Report};

use crate::dump;

const SEARCHES_MAX: usize = 5;

/// A place to search.
pub enum Place {
    /// Searched as a dump.
    Database {
        name: &'static str,
        url: String,
    },
    /// Files that PostgreSQL writes.
    Cluster {
        name: &'static str,
        folder: PathBuf,
    },
    Folder {
        name: &'static str,
        path: PathBuf,
    },
    File {
        name: &'static str,
        path: PathBuf,
    },
    Bytes {
        name: &'static str,
        bytes: Vec<u8>,
    },
}

/// What a search of a place has found.
pub struct Search {
    name: &'static str,
    report: Report,
    /// Forms that this place cannot hold.
    impossible: &'static [Encoding],
}

impl Place {
    const fn name(&self) -> &'static str {
        match self {
            Self::Database { name, .. }
            | Self::Cluster { name, .. }
            | Self::Folder { name, .. }
            | Self::File { name, .. }
            | Self::Bytes { name, .. } => name,
        }
    }

    pub const fn is_on_disk(&self) -> bool {
        !matches!(self, Self::Database { .. } | Self::Bytes { .. })
    }

    /// Searches again where a file was renamed after it was written, while the folder was searched.
    pub async fn search(&self, canaries: &Canaries) -> Search {
        for _ in 1..SEARCHES_MAX {
            let search = self.search_once(canaries).await;
            if !search.report.unread.iter().any(|path| is_renamed(path)) {
                return search;
            }
        }
        self.search_once(canaries).await
    }

    async fn search_once(&self, canaries: &Canaries) -> Search {
        let mut report = Report::default();
        let mut impossible: &[Encoding] = &[];
        match self {
            Self::Database { url, .. } => {
                // As it is, and with the backslashes that COPY doubles as they were.
                let sql = dump(url, &[]).await;
                canaries.search(Path::new("dump"), sql.as_slice(), &mut report).unwrap();
                let sql = undoubled(&sql);
                canaries.search(Path::new("dump"), sql.as_slice(), &mut report).unwrap();
                // Text has no NUL in PostgreSQL, and bytes are dumped as hex.
                impossible = &[Encoding::Utf16];
            }
            Self::Cluster { folder: path, .. }
            | Self::Folder { path, .. }
            | Self::File { path, .. } => {
                canaries.search_path(path, &mut report);
                report.unread.retain(|unread| !is_deleted_by_postgres(path, unread));
            }
            Self::Bytes { bytes, .. } => {
                canaries.search(Path::new("bytes"), bytes.as_slice(), &mut report).unwrap();
            }
        }
        Search { name: self.name(), report, impossible }
    }

    /// Leaves every form of every canary here.
    pub async fn plant(&mut self, canaries: &Canaries) {
        let planted = canaries.planted();
        match self {
            Self::Database { url, .. } => plant_rows(url, &planted).await,
            Self::Cluster { folder, .. } => {
                let folder = folder.ancestors().find(|path| path.join("lethe.lock").is_file());
                let url = infra::postgres::running(folder.unwrap(), "lethe").unwrap();
                plant_rows(&url, &planted).await;
            }
            Self::Folder { path, .. } => append(&path.join("planted"), &planted),
            Self::File { path, .. } => append(path, &planted),
            Self::Bytes { bytes, .. } => bytes.extend(planted),
        }
    }
}

/// Whether the path is gone, and is one that a file has until it is complete.
fn is_renamed(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "part") && is_gone(path)
}

fn is_gone(path: &Path) -> bool {
    path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// Whether the path is gone, below a data folder of PostgreSQL: a running server deletes files. What
/// cannot be looked at for another reason was not searched, and neither was a place that is not
/// there.
fn is_deleted_by_postgres(place: &Path, path: &Path) -> bool {
    let above = path.ancestors().skip(1).take_while(|folder| folder.starts_with(place));
    is_gone(path) && above.into_iter().any(|folder| folder.join("PG_VERSION").is_file())
}

fn undoubled(sql: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(sql.len());
    let mut escaped = false;
    for byte in sql {
        escaped = *byte == b'\\' && !escaped;
        if !escaped {
            plain.push(*byte);
        }
    }
    plain
}

fn append(path: &Path, planted: &[u8]) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(planted).unwrap();
}

async fn plant_rows(url: &str, planted: &[u8]) {
    let client = connect_one(url, &ConnectOptions::default()).await.unwrap();
    client
        .batch_execute("create table if not exists planted (line text, bytes bytea)")
        .await
        .unwrap();
    // Three times: a page of the WAL may end in the middle of one.
    for _ in 0..3 {
        for bytes in planted.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line = std::str::from_utf8(bytes).ok().filter(|line| !line.contains('\0'));
            let insert = "insert into planted values ($1, $2)";
            client.execute(insert, &[&line, &bytes]).await.unwrap();
        }
    }
    client.batch_execute("checkpoint").await.unwrap();
}

impl Search {
    pub fn has(&self, form: Encoding) -> bool {
        self.report.finds.iter().any(|find| find.form == form)
    }

    /// Why the place is not clean: something was found, not read, or there was nothing to search.
    pub fn trouble(&self) -> Option<String> {
        let Report { finds, files: _, bytes, unread } = &self.report;
        if finds.is_empty() && unread.is_empty() && *bytes > 0 {
            return None;
        }
        Some(format!("{}: found {finds:?}, not searched {unread:?}, {bytes} bytes", self.name))
    }

    #[track_caller]
    pub fn is_clean(&self, when: &str) {
        if let Some(trouble) = self.trouble() {
            panic!("{when}, {trouble}");
        }
    }

    /// Canaries and forms that can be found here and were not, after they were planted.
    pub fn missed(&self, canaries: &Canaries) -> Vec<(usize, Encoding)> {
        let mut all = Report::default();
        let place = Path::new("all");
        canaries.search(place, canaries.planted().as_slice(), &mut all).unwrap();
        assert_eq!(all.finds.len(), canaries.forms());
        let pairs = |report: &Report| -> BTreeSet<(usize, Encoding)> {
            let possible = report.finds.iter().filter(|find| !self.impossible.contains(&find.form));
            possible.map(|find| (find.canary, find.form)).collect()
        };
        pairs(&all).difference(&pairs(&self.report)).copied().collect()
    }

    /// Every form that was planted was found.
    #[track_caller]
    pub fn is_complete(&self, canaries: &Canaries) {
        let missed = self.missed(canaries);
        assert!(missed.is_empty(), "planted in {} and not found: {missed:?}", self.name);
    }
}

impl Display for Search {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        let Report { bytes, files, finds, .. } = &self.report;
        write!(to, "{}: {bytes} bytes, {files} files, {} finds", self.name, finds.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_that_postgres_deleted_is_left_out() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        std::fs::create_dir(at("data")).unwrap();
        std::fs::write(at("data/PG_VERSION"), "18").unwrap();
        std::os::unix::fs::symlink("nowhere", at("data/link")).unwrap();
        let deleted = |path: PathBuf| is_deleted_by_postgres(place.path(), &path);

        assert!(deleted(at("data/gone")));
        assert!(deleted(at("data/gone/below")));

        assert!(!deleted(at("data/PG_VERSION/below")), "no folder");
        assert!(!deleted(at("data/link")), "a link to nowhere");
        assert!(!deleted(at(&format!("data/{}", "x".repeat(300)))), "a name that is too long");
        assert!(!deleted(at("mail/gone")), "outside of the data folder");
        let data = at("data");
        assert!(!is_deleted_by_postgres(&data.join("gone"), &data.join("gone")), "a place");
    }

    #[tokio::test]
    async fn a_place_that_could_not_be_read_is_not_clean() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "something").unwrap();
        let canaries = Canaries::new(&["ada.lovelace@example.org"]).unwrap();
        let search = async |path: PathBuf| {
            Place::Folder { name: "it", path }.search(&canaries).await.trouble()
        };

        assert_eq!(search(folder.path().to_owned()).await, None);
        assert!(search(path.join("below")).await.unwrap().contains("not searched"));
        assert!(search(folder.path().join("gone")).await.unwrap().contains("not searched"));

        std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
        let trouble = search(folder.path().to_owned()).await;
        assert!(trouble.unwrap().contains("link"), "a link is not followed");
    }
}
