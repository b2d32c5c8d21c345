//! Root keys in a folder: a file for each, which its owner alone can read.

use std::fs::{DirBuilder, File, Metadata};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::files::{Files, WITHIN};
use super::root_store::{RootErasure, RootFingerprint, RootId, RootStore, RootStoreError};
use super::secret::Secret;
use crate::durable;
use crate::paths::real;

/// A folder with a file for each root, which its owner alone can read.
#[derive(Clone, Debug)]
pub struct RootFolder {
    dir: PathBuf,
    files: Files,
    within: Duration,
}

impl RootFolder {
    /// A folder that is missing is created when the first root is written. `data`: the folder of the
    /// databases' files, if they are on this machine.
    pub fn open(dir: &Path, data: Option<&Path>) -> Result<Self, RootStoreError> {
        let resolved = std::path::absolute(dir).and_then(|dir| real(&dir));
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
        Ok(Self { dir, files: Files::new(), within: WITHIN })
    }

    /// With another limit for each operation.
    #[cfg(test)]
    #[must_use]
    pub fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> Result<T, RootStoreError> + Send + 'static,
    ) -> Result<T, RootStoreError> {
        let dir = self.dir.clone();
        let done = self.files.run(self.within, move || work(&dir)).await;
        done.map_err(|reason| file(&self.dir, reason))?
    }
}

fn key_name(id: RootId) -> String {
    format!("root-{id}.key")
}

/// Of the file that says that this root was erased in this folder. It holds the fingerprint.
fn mark_name(id: RootId) -> String {
    format!("root-{id}.erased")
}

fn id_of(name: &str) -> Option<RootId> {
    let name = name.strip_prefix("root-")?;
    let number = name.strip_suffix(".key").or_else(|| name.strip_suffix(".erased"))?;
    number.parse().ok().map(RootId)
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

fn create(dir: &Path, id: RootId) -> Result<Secret, RootStoreError> {
    let key = Secret::random()?;
    let path = dir.join(key_name(id));
    let mut text = Zeroizing::new([b'\n'; 65]);
    let (digits, _) = text.split_at_mut(64);
    let written = hex::encode_to_slice(key.expose(), digits)
        .map_err(std::io::Error::other)
        .and_then(|()| DirBuilder::new().recursive(true).mode(0o700).create(dir))
        .and_then(|()| durable::create(dir, &key_name(id), text.as_slice()));
    match written {
        Err(reason) if reason.kind() == ErrorKind::AlreadyExists => {
            Err(RootStoreError::Taken { path: path.display().to_string() })
        }
        Err(reason) => Err(file(dir, reason)),
        Ok(()) => Ok(key),
    }
}

fn erase(dir: &Path, id: RootId, key: RootFingerprint) -> Result<RootErasure, RootStoreError> {
    let begun = is_marked(&dir.join(mark_name(id)), key)?;
    match read_key(&dir.join(key_name(id))) {
        Ok(Some(found)) if RootFingerprint::of(&found) != key => return Ok(RootErasure::OtherKey),
        Ok(None) if !begun => return Ok(RootErasure::NotFound),
        // The zeros that a crash has left.
        Err(RootStoreError::NotAKey { .. }) if begun => {}
        found => drop(found?),
    }
    let erased = || {
        if !begun {
            // Before the key goes: after a crash this folder alone can say that it was here.
            durable::write(dir, &mark_name(id), hex::encode(key.as_bytes()).as_bytes())?;
        }
        durable::erase(dir, &key_name(id))
    };
    erased().map_err(|reason| file(dir, reason))?;
    Ok(RootErasure::Erased)
}

fn is_marked(mark: &Path, key: RootFingerprint) -> Result<bool, RootStoreError> {
    match std::fs::read(mark) {
        Err(reason) if reason.kind() == ErrorKind::NotFound => Ok(false),
        Err(reason) => Err(file(mark, reason)),
        Ok(found) => Ok(found == hex::encode(key.as_bytes()).as_bytes()),
    }
}

fn list(dir: &Path) -> std::io::Result<Vec<RootId>> {
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut ids = Vec::new();
    for entry in entries {
        ids.extend(entry?.file_name().to_str().and_then(id_of));
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

#[async_trait]
impl RootStore for RootFolder {
    async fn read(&self, id: RootId) -> Result<Option<Secret>, RootStoreError> {
        self.blocking(move |dir| read_key(&dir.join(key_name(id)))).await
    }

    async fn create(&self, id: RootId) -> Result<Secret, RootStoreError> {
        self.blocking(move |dir| create(dir, id)).await
    }

    async fn erase(&self, id: RootId, key: RootFingerprint) -> Result<RootErasure, RootStoreError> {
        self.blocking(move |dir| erase(dir, id, key)).await
    }

    async fn delete_mark(&self, id: RootId) -> Result<(), RootStoreError> {
        let deleted = move |dir: &Path| {
            let mark = dir.join(mark_name(id));
            match std::fs::remove_file(&mark) {
                Err(reason) if reason.kind() != ErrorKind::NotFound => Err(file(&mark, reason)),
                Ok(()) | Err(_) => Ok(()),
            }
        };
        self.blocking(deleted).await
    }

    async fn list(&self) -> Result<Vec<RootId>, RootStoreError> {
        self.blocking(|dir| list(dir).map_err(|reason| file(dir, reason))).await
    }

    fn place(&self) -> String {
        self.dir.display().to_string()
    }
}
