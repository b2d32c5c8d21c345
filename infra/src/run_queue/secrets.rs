//! The secrets of runs: sealed, in rows of their own.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::privacy::Sealed;
use domain::{RunId, RunSecretsId, WorkspaceId};
use tokio_postgres::types::ToSql;

use super::RunQueue;
use crate::postgres::PgError;
use crate::statement::{execute, query, query_opt};
use crate::workspace_rows::{DeleteRows, WorkspaceRows};

const PUT: &str = include_str!("put_secrets.sql");
const FIND: &str =
    "select sealed from working.run_secrets where secrets_id = $1 and workspace_id = $2";
/// What an erasure deletes of a workspace.
pub const SECRETS_OF_WORKSPACE: WorkspaceRows = WorkspaceRows {
    table: "working.run_secrets",
    delete: DeleteRows::InBatches(include_str!("delete_secrets_of_workspace.sql")),
};
const LIST_UNUSED: &str = include_str!("list_unused_secrets.sql");
const DELETE: &str = include_str!("delete_secrets.sql");

/// Secrets that no task needs: their event was never appended, or has not been read yet.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct UnusedSecrets {
    pub secrets: RunSecretsId,
    pub run: RunId,
    pub workspace: WorkspaceId,
    pub written_at: DateTime<Utc>,
}

/// A part of all secrets, in the order in which they were written.
#[derive(Clone, Debug, Default)]
pub struct SecretsPage {
    /// Those of the page that no task needs.
    pub unused: Vec<UnusedSecrets>,
    /// What the next page comes after. `None`: this was the last one.
    pub last: Option<SecretsPlace>,
}

/// A place in the order of all secrets.
pub type SecretsPlace = (DateTime<Utc>, RunSecretsId);

/// Why the secrets of a run were not read.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The database did not answer.
    #[error(transparent)]
    Postgres(#[from] PgError),
    /// For good: the row does not hold what was written into it.
    #[error("the secrets of a run cannot be read: the row is damaged")]
    Damaged,
}

impl RunQueue {
    /// Writes the secrets. Call it before the event that names them is appended. There is already a row
    /// of this id: it counts as written now. Returns the database's time of writing. Of an erased workspace
    /// nothing is written.
    pub async fn put_secrets(
        &self,
        workspace: WorkspaceId,
        run: RunId,
        secrets: RunSecretsId,
        sealed: &Sealed,
    ) -> Result<DateTime<Utc>, PgError> {
        let sealed = sealed.to_bytes();
        let values: [&(dyn ToSql + Sync); 4] = [&secrets.0, &run.0, &workspace.0, &sealed];
        let client = self.pool.get().await?;
        let put = client.prepare_cached(PUT).await?;
        Ok(client.query_one(&put, &values).await?.try_get(0)?)
    }

    /// The sealed secrets, while a task needs them.
    ///
    /// # Errors
    /// [`SecretsError`].
    pub async fn secrets(
        &self,
        workspace: WorkspaceId,
        secrets: RunSecretsId,
    ) -> Result<Option<Sealed>, SecretsError> {
        let row = query_opt(&self.pool, FIND, &[&secrets.0, &workspace.0]).await?;
        let Some(row) = row else { return Ok(None) };
        let sealed = Sealed::from_bytes(row.try_get(0).map_err(PgError::from)?);
        sealed.map(Some).ok_or(SecretsError::Damaged)
    }

    /// Reads at most `limit` secrets that were written so long ago, the oldest first, and returns those
    /// that no task needs.
    pub async fn unused_secrets(
        &self,
        for_longer_than: Duration,
        limit: i64,
        after: Option<SecretsPlace>,
    ) -> Result<SecretsPage, PgError> {
        let seconds = for_longer_than.as_secs_f64();
        let (at, id) = (after.map(|(at, _)| at), after.map(|(_, id)| id.0));
        let rows = query(&self.pool, LIST_UNUSED, &[&seconds, &limit, &at, &id]).await?;
        let mut page = SecretsPage::default();
        for row in &rows {
            let secrets = RunSecretsId(row.try_get(0)?);
            let (run, workspace) = (RunId(row.try_get(1)?), WorkspaceId(row.try_get(2)?));
            let written_at = row.try_get(3)?;
            page.last = Some((written_at, secrets));
            if row.try_get(4)? {
                page.unused.push(UnusedSecrets { secrets, run, workspace, written_at });
            }
        }
        Ok(page)
    }

    /// Deletes secrets that were written at this time: not if a task needs them by now, or they were
    /// written again since.
    pub async fn delete_secrets(
        &self,
        secrets: RunSecretsId,
        written_at: DateTime<Utc>,
    ) -> Result<(), PgError> {
        execute(&self.pool, DELETE, &[&secrets.0, &written_at]).await.map(drop)
    }
}
