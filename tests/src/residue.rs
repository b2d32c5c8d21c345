//! Where personal data may have been left, how it is searched, and how a control is planted there.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use infra::postgres::{ConnectOptions, connect_one};
use infra::residue::{Canaries, Encoding, Report};

use crate::dump;

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

    pub async fn search(&self, canaries: &Canaries) -> Search {
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
            | Self::File { path, .. } => canaries.search_path(path, &mut report),
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

    /// Why the place is not clean: something was found, not read, or there was nothing to search. A
    /// file that the running server has removed meanwhile is not one that could not be read.
    pub fn trouble(&self) -> Option<String> {
        let Report { finds, files: _, bytes, unread } = &self.report;
        let unread: Vec<_> = unread.iter().filter(|path| path.exists()).collect();
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
