//! What is in the folder of a copy, without writing.

use crate::postgres::GenericClient;

use super::super::root_row::read_roots;
use super::super::{KeyringError, RootId};
use super::file::{self, CopyHeader, CopyKind};
use super::state::CopyState;
use super::{KeyringCopy, blocking, folder};

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

    /// Whether every file from the base to the newest is there. If not, a base is written next.
    async fn is_whole(&self, state: &CopyState) -> bool {
        let folder = self.folder(state.keyring);
        let is_whole = blocking(move || folder::chain(&folder)).await.is_ok();
        if !is_whole {
            self.know(None);
        }
        is_whole
    }

    /// The newest file, unless a base has to follow it in any case.
    pub(super) async fn newest(
        &self,
        state: &CopyState,
    ) -> Result<Option<CopyHeader>, KeyringError> {
        let dir = self.folder(state.keyring);
        let is_there = |header: &CopyHeader| {
            let base = file::name(CopyKind::Base, header.base);
            dir.join(header.name()).exists() && dir.join(base).exists()
        };
        if let Some(known) = self.known()
            && state.is_last(&known)
            && is_there(&known)
        {
            return Ok(Some(known));
        }
        let (folder, known) = (dir.clone(), state.number);
        let newest = blocking(move || folder::newest_or_later(&folder, known)).await?;
        let Some(newest) = newest else { return Ok(None) };
        if state.is_behind(&newest) {
            return Err(KeyringError::WentBack {
                known: state.number,
                found: newest.number,
                path: dir.join(newest.name()).display().to_string(),
                complete_at: newest.complete_at,
            });
        }
        Ok(Some(newest).filter(|newest| state.is_last(newest) && is_there(newest)))
    }
}
