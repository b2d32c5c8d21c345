//! Open invitations: each has a key of its own in the keyring, which is erased when it ends.

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use domain::{InvitationId, WorkspaceId};
use tokio_postgres::Row;

use crate::postgres::{GenericClient, PgError, Pool, Transaction};
use crate::statement::query;
use crate::workspace_rows::{DeleteRows, WorkspaceRows};

const PUT: &str = include_str!("put.sql");
const PUT_OFF: &str = "update working.invitations set until = $2 where invitation_id = $1";
const DELETE: &str = "delete from working.invitations where invitation_id = $1";
/// What an erasure deletes of a workspace.
pub const OF_WORKSPACE: WorkspaceRows = WorkspaceRows {
    table: "working.invitations",
    delete: DeleteRows::AtOnce("delete from working.invitations where workspace_id = $1"),
};
const DUE: &str = "select invitation_id, workspace_id from working.invitations where until <= $1 \
    order by until, invitation_id limit $2 offset $3";
const LIST: &str = "select invitation_id from working.invitations where workspace_id = $1";

/// The rows of open invitations.
#[derive(Clone)]
pub struct Invitations {
    pool: Pool,
}

impl Invitations {
    /// `pool` leads to the log's database.
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Writes the row in the reader's transaction, unless it is there.
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

    /// Deletes the row. Call it once the invitation's key is erased.
    pub async fn delete(&self, invitation: InvitationId) -> Result<(), PgError> {
        query(&self.pool, DELETE, &[&invitation.0]).await.map(drop)
    }

    /// [`Self::due`] lists an invitation that has ended from then on: something of it is left to delete.
    pub async fn put_off(
        &self,
        client: &impl GenericClient,
        invitation: InvitationId,
        next: DateTime<Utc>,
    ) -> Result<(), PgError> {
        client.execute(PUT_OFF, &[&invitation.0, &next]).await?;
        Ok(())
    }

    /// At most `limit` invitations that have expired, after the first `skip`.
    pub async fn due(
        &self,
        now: DateTime<Utc>,
        limit: i64,
        skip: i64,
    ) -> Result<Vec<(InvitationId, WorkspaceId)>, PgError> {
        let rows = query(&self.pool, DUE, &[&now, &limit, &skip]).await?;
        rows.iter().map(read).collect()
    }

    /// The open invitations of a workspace.
    pub async fn of_workspace(&self, workspace: WorkspaceId) -> Result<Vec<InvitationId>, PgError> {
        let rows = query(&self.pool, LIST, &[&workspace.0]).await?;
        Ok(rows.iter().map(|row| row.try_get(0).map(InvitationId)).collect::<Result<_, _>>()?)
    }
}

fn read(row: &Row) -> Result<(InvitationId, WorkspaceId), PgError> {
    Ok((InvitationId(row.try_get(0)?), WorkspaceId(row.try_get(1)?)))
}
