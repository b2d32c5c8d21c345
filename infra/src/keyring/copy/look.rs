//! What is in the folder of a copy, without writing.

use std::path::Path;

use crate::postgres::GenericClient;

use super::super::root_row::read_roots;
use super::super::{KeyringError, RootId};
use super::file::{self, CopyHeader, CopyKind, FileReader};
use super::state::CopyState;
use super::{KeyringCopy, folder};

impl KeyringCopy {
    /// Refuses a keyring that is behind its copy.
    pub(in super::super) async fn refuse_behind(&self) -> Result<(), KeyringError> {
        let state = CopyState::read(&self.pool.get().await?).await?;
        self.newest(&state).await.map(drop)
    }

    /// Whether the copy on this machine has everything, without writing.
    pub async fn is_complete(&self) -> Result<bool, KeyringError> {
        let client = self.pool.get().await?;
        let state = CopyState::read(&client).await?;
        let roots = read_roots(&client).await?;
        let newest = self.newest(&state).await?;
        if newest.is_some() && !self.is_whole(&state).await {
            return Ok(false);
        }
        Ok(self.needs(&client, &state, &roots, newest.as_ref()).await?.is_none())
    }

    /// Whether the folder has, now, a copy that holds the keys without this root.
    pub(in super::super) async fn replaces(
        &self,
        client: &impl GenericClient,
        old: RootId,
    ) -> Result<bool, KeyringError> {
        let state = CopyState::read(client).await?;
        let newest = self.newest(&state).await?;
        Ok(newest.is_some_and(|newest| newest.base_root > old.0) && self.is_whole(&state).await)
    }

    /// Whether every file from the base to the newest is there, to its end. If not, a base is written next.
    async fn is_whole(&self, state: &CopyState) -> bool {
        let is_whole = self.has_every_file(state).await.unwrap_or(false);
        if !is_whole {
            self.know(None);
        }
        is_whole
    }

    async fn has_every_file(&self, state: &CopyState) -> Result<bool, KeyringError> {
        let dir = self.folder(state.keyring);
        let folder = dir.clone();
        for header in self.disk.run(&dir, move || folder::chain(&folder)).await? {
            let Some(root) = self.roots.get(header.root()).await? else { return Ok(false) };
            let path = dir.join(header.name());
            let of = path.clone();
            let ends =
                move || FileReader::open(&of, &root).and_then(|(file, _)| file.reaches_its_end());
            if !self.disk.run(&path, ends).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The newest file, unless a base has to follow it in any case. Where a copy was written, a folder without
    /// any file is not that of the copy.
    pub(super) async fn newest(
        &self,
        state: &CopyState,
    ) -> Result<Option<CopyHeader>, KeyringError> {
        let dir = self.folder(state.keyring);
        if let Some(known) = self.known()
            && state.is_last(&known)
        {
            let (folder, header) = (dir.clone(), known.clone());
            if self.disk.run(&dir, move || Ok(is_there(&folder, &header))).await? {
                return Ok(Some(known));
            }
        }
        let (folder, known, written) = (dir.clone(), state.number, state.written);
        let look = move || {
            if written > 0 && folder::list(&folder)?.is_empty() {
                let path = folder.display().to_string();
                return Err(KeyringError::CopyMissing { path, written });
            }
            let newest = folder::newest_or_later(&folder, known)?;
            Ok(newest.map(|newest| (is_there(&folder, &newest), newest)))
        };
        let Some((is_there, newest)) = self.disk.run(&dir, look).await? else { return Ok(None) };
        if state.is_behind(&newest) {
            return Err(KeyringError::WentBack {
                known: state.number,
                found: newest.number,
                path: dir.join(newest.name()).display().to_string(),
                complete_at: newest.complete_at,
            });
        }
        Ok(Some(newest).filter(|newest| state.is_last(newest) && is_there))
    }
}

/// Whether a file and its base are there.
fn is_there(dir: &Path, header: &CopyHeader) -> bool {
    let base = file::name(CopyKind::Base, header.base);
    dir.join(header.name()).exists() && dir.join(base).exists()
}
