//! The store of the root keys: outside of the events' database and of the keyring's.

use std::fs::{DirBuilder, File, Metadata};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::durable;
use super::secret::Secret;

/// The number of a root key; a later root has a higher one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootId(pub i64);

impl std::fmt::Display for RootId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A root key was not read, written or erased. No text holds a key.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum RootStoreError {
    #[error(
        "the folder of root keys {path} is inside the data directory {data}, so a backup of the data would hold the keys: choose a folder outside"
    )]
    InsideData { path: String, data: String },
    #[error(
        "users other than the owner can access {path} (mode {mode:o}): use chmod go=, or chmod 0600 for a file"
    )]
    Exposed { path: String, mode: u32 },
    #[error("{path} does not hold a root key")]
    NotAKey { path: String },
    #[error("{path}: {reason}")]
    File { path: String, reason: std::io::Error },
}

/// Stores root keys. Every call may be repeated.
#[async_trait]
pub trait RootStore: Send + Sync {
    /// `None` when there is no such root.
    async fn read(&self, id: RootId) -> Result<Option<Secret>, RootStoreError>;
    /// Returns when the key would survive a crash of the machine.
    async fn write(&self, id: RootId, key: &Secret) -> Result<(), RootStoreError>;
    /// Returns when the key is erased. Succeeds if it does not exist.
    async fn erase(&self, id: RootId) -> Result<(), RootStoreError>;
    /// The roots that are stored, in any order.
    async fn list(&self) -> Result<Vec<RootId>, RootStoreError>;
    /// Where roots are stored, for an error.
    fn place(&self) -> String;
}

/// A folder with a file for each root, which its owner alone can read.
#[derive(Clone, Debug)]
pub struct RootFolder(PathBuf);

impl RootFolder {
    /// A folder that is missing is created when the first root is written. `data`: the folder of the
    /// databases' files, if they are on this machine.
    pub fn open(dir: &Path, data: Option<&Path>) -> Result<Self, RootStoreError> {
        let resolved = std::path::absolute(dir).and_then(|dir| resolved(&dir));
        resolved.map_err(|reason| file(dir, reason)).and_then(|dir| Self::checked(dir, data))
    }

    fn checked(dir: PathBuf, data: Option<&Path>) -> Result<Self, RootStoreError> {
        // If the data directory does not exist yet, its nearest existing parent is compared.
        let data = data.map(|data| data.canonicalize().unwrap_or_else(|_| data.to_owned()));
        if let Some(data) = data.filter(|data| dir.starts_with(data)) {
            let (path, data) = (dir.display().to_string(), data.display().to_string());
            return Err(RootStoreError::InsideData { path, data });
        }
        match dir.metadata() {
            Ok(found) => closed_to_others(&dir, &found, 0o022)?,
            Err(reason) if reason.kind() == ErrorKind::NotFound => {}
            Err(reason) => return Err(file(&dir, reason)),
        }
        Ok(Self(dir))
    }

    fn name(id: RootId) -> String {
        format!("root-{id}.key")
    }
}

/// The path without symbolic links; its last folders may be missing.
fn resolved(path: &Path) -> std::io::Result<PathBuf> {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Err(error), Some(parent), Some(name)) if error.kind() == ErrorKind::NotFound => {
            match path.read_link() {
                Ok(target) => resolved(&parent.join(target)),
                Err(_) => Ok(resolved(parent)?.join(name)),
            }
        }
        (resolved, _, _) => resolved,
    }
}

fn file(path: &Path, reason: std::io::Error) -> RootStoreError {
    RootStoreError::File { path: path.display().to_string(), reason }
}

fn closed_to_others(path: &Path, of: &Metadata, bits: u32) -> Result<(), RootStoreError> {
    let mode = of.permissions().mode() & 0o7777;
    if mode & bits == 0 {
        return Ok(());
    }
    Err(RootStoreError::Exposed { path: path.display().to_string(), mode })
}

fn read_key(path: &Path) -> Result<Option<Secret>, RootStoreError> {
    let mut opened = match File::open(path) {
        Err(reason) if reason.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|reason| file(path, reason))?,
    };
    let found = opened.metadata().map_err(|reason| file(path, reason))?;
    closed_to_others(path, &found, 0o077)?;
    let mut text = Zeroizing::new([0; 65]);
    let not_a_key = || RootStoreError::NotAKey { path: path.display().to_string() };
    opened.read_exact(text.as_mut_slice()).map_err(|_| not_a_key())?;
    let (digits, end) = text.split_at(64);
    let mut key = Zeroizing::new([0; 32]);
    hex::decode_to_slice(digits, key.as_mut_slice()).map_err(|_| not_a_key())?;
    if end != b"\n" || found.len() != 65 {
        return Err(not_a_key());
    }
    Ok(Some(Secret::from_bytes(*key)))
}

#[async_trait]
impl RootStore for RootFolder {
    async fn read(&self, id: RootId) -> Result<Option<Secret>, RootStoreError> {
        let path = self.0.join(Self::name(id));
        away(&self.0, move || Ok(read_key(&path))).await?
    }

    async fn write(&self, id: RootId, key: &Secret) -> Result<(), RootStoreError> {
        let (dir, key) = (self.0.clone(), key.clone());
        away(&self.0, move || {
            let mut text = Zeroizing::new([b'\n'; 65]);
            let (digits, _) = text.split_at_mut(64);
            hex::encode_to_slice(key.expose(), digits).map_err(std::io::Error::other)?;
            DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
            durable::write(&dir, &Self::name(id), text.as_slice())
        })
        .await
    }

    async fn erase(&self, id: RootId) -> Result<(), RootStoreError> {
        let dir = self.0.clone();
        away(&self.0, move || durable::erase(&dir, &Self::name(id))).await
    }

    async fn list(&self) -> Result<Vec<RootId>, RootStoreError> {
        let dir = self.0.clone();
        let names = move || {
            let entries = match std::fs::read_dir(&dir) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
                entries => entries?,
            };
            entries.map(|entry| Ok(entry?.file_name())).collect::<Result<Vec<_>, _>>()
        };
        let numbered = away(&self.0, names).await?.into_iter().filter_map(|name| {
            name.to_str()?.strip_prefix("root-")?.strip_suffix(".key")?.parse().ok().map(RootId)
        });
        Ok(numbered.collect())
    }

    fn place(&self) -> String {
        self.0.display().to_string()
    }
}

/// Runs file operations on a thread that may block.
async fn away<T: Send + 'static>(
    dir: &Path,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, RootStoreError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other);
    done.flatten().map_err(|reason| file(dir, reason))
}
