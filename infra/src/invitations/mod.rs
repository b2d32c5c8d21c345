//! Invitations that are open: each has a key of its own, to be forgotten when it ends.

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use domain::{InvitationId, WorkspaceId};
use tokio_postgres::{Row, Transaction};

use crate::postgres::{PgError, Pool};
use crate::statement::query;

const PUT: &str = include_str!("put.sql");
const END: &str = include_str!("end.sql");
const DUE: &str = include_str!("due.sql");
const OF_WORKSPACE: &str = include_str!("of_workspace.sql");

#[derive(Clone)]
pub struct Invitations {
    pool: Pool,
}

impl Invitations {
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// In the reader's transaction. The same one again changes nothing.
    pub async fn put(
        &self,
        tx: &Transaction<'_>,
        invitation: InvitationId,
        workspace: WorkspaceId,
        until: DateTime<Utc>,
    ) -> Result<(), PgError> {
        tx.execute(PUT, &[&invitation.0, &workspace.0, &until]).await?;
        Ok(())
    }

    /// Its key has been forgotten.
    pub async fn end(&self, invitation: InvitationId) -> Result<(), PgError> {
        query(&self.pool, END, &[&invitation.0]).await.map(drop)
    }

    /// Those whose time is over.
    pub async fn due(
        &self,
        now: DateTime<Utc>,
        limit: i64,
    ) -> Result<Vec<(InvitationId, WorkspaceId)>, PgError> {
        let rows = query(&self.pool, DUE, &[&now, &limit]).await?;
        rows.iter().map(read).collect()
    }

    pub async fn of_workspace(&self, workspace: WorkspaceId) -> Result<Vec<InvitationId>, PgError> {
        let rows = query(&self.pool, OF_WORKSPACE, &[&workspace.0]).await?;
        Ok(rows.iter().map(|row| row.try_get(0).map(InvitationId)).collect::<Result<_, _>>()?)
    }
}

fn read(row: &Row) -> Result<(InvitationId, WorkspaceId), PgError> {
    Ok((InvitationId(row.try_get(0)?), WorkspaceId(row.try_get(1)?)))
}
