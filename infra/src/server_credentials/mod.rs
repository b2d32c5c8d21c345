//! Private keys for servers, sealed, in rows of their own: an event names a key by its id. The API
//! never returns one.

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use domain::privacy::{Sealed, ServerPrivateKey};
use domain::{ServerCredentialId, ServerId, WorkspaceId};
use tokio_postgres::Row;
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::keyring::{OpenError, SealError, Sealer};
use crate::postgres::{PgError, Pool};
use crate::remote::{Identity, IdentityError};
use crate::statement::{execute, query, query_opt};
use crate::workspace_rows::{DeleteRows, WorkspaceRows};

const INSERT: &str = include_str!("insert.sql");
const FIND: &str = "select private_key, public_line from working.server_credentials \
    where credential_id = $1 and workspace_id = $2";
const NAME: &str = include_str!("name.sql");
const DELETE: &str = "delete from working.server_credentials where credential_id = $1";
const TAKE_BACK: &str = "delete from working.server_credentials \
    where credential_id = $1 and created_at = $2 and not named";
const DELETE_OF_SERVER: &str = "delete from working.server_credentials where server_id = $1";
const DELETE_OF_WORKSPACE: &str = "delete from working.server_credentials where workspace_id = $1";
/// What an erasure deletes of a workspace.
pub const OF_WORKSPACE: WorkspaceRows = WorkspaceRows {
    table: "working.server_credentials",
    delete: DeleteRows::AtOnce(DELETE_OF_WORKSPACE),
};
const UNNAMED: &str = include_str!("unnamed.sql");

/// A private key was not stored or not read.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum ServerCredentialsError {
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("a stored private key cannot be read: {0}")]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Unavailable(#[from] PgError),
}

/// A private key that no event names yet, as far as is known.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct UnnamedServerKey {
    pub workspace: WorkspaceId,
    pub server: ServerId,
    pub credential: ServerCredentialId,
    pub written_at: DateTime<Utc>,
}

/// The private keys for servers.
#[derive(Clone)]
pub struct ServerCredentials {
    pool: Pool,
    sealer: Sealer,
    clock: Clock,
}

impl ServerCredentials {
    /// `pool` leads to the log's database. The keys stand there, sealed by `sealer`.
    pub const fn new(pool: Pool, sealer: Sealer, clock: Clock) -> Self {
        Self { pool, sealer, clock }
    }

    /// Seals and writes a key. Call it before the event that names it is appended. There is already a
    /// row of this id: its key stays, and unless it is named it counts as written now. The workspace is
    /// deleted: nothing is written. Returns the time of writing.
    pub async fn insert(
        &self,
        workspace: WorkspaceId,
        server: ServerId,
        credential: ServerCredentialId,
        identity: &Identity,
    ) -> Result<DateTime<Utc>, ServerCredentialsError> {
        let pem = identity.to_pem().as_bytes().to_vec();
        let id = credential.into();
        let (tenant, subject) = (workspace.into(), workspace.into());
        let sealed = self.sealer.seal_bytes::<ServerPrivateKey>(tenant, subject, id, pem).await?;
        let (key, line, now) = (sealed.to_bytes(), identity.public_line(), self.clock.now());
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [&credential.0, &workspace.0, &server.0, &key, &line, &now];
        execute(&self.pool, INSERT, &values).await?;
        Ok(now)
    }

    /// The private key, to authenticate to its server.
    pub async fn identity(
        &self,
        workspace: WorkspaceId,
        credential: ServerCredentialId,
    ) -> Result<Option<Identity>, ServerCredentialsError> {
        let Some(row) = self.find(workspace, credential).await? else { return Ok(None) };
        let sealed = row.try_get(0).map_err(PgError::from)?;
        let sealed = Sealed::from_bytes(sealed).ok_or(OpenError::Damaged)?;
        let (tenant, subject) = (workspace.into(), workspace.into());
        let pem: Zeroizing<Vec<u8>> =
            self.sealer.open_bytes::<ServerPrivateKey>(tenant, subject, &sealed).await?;
        let pem = std::str::from_utf8(&pem).map_err(|_| OpenError::Damaged)?;
        Ok(Some(Identity::parse(pem, None)?))
    }

    /// The public key, as a line of `authorized_keys`.
    pub async fn public_line(
        &self,
        workspace: WorkspaceId,
        credential: ServerCredentialId,
    ) -> Result<Option<String>, PgError> {
        let row = self.find(workspace, credential).await?;
        Ok(row.map(|row| row.try_get(1)).transpose()?)
    }

    async fn find(
        &self,
        workspace: WorkspaceId,
        credential: ServerCredentialId,
    ) -> Result<Option<Row>, PgError> {
        query_opt(&self.pool, FIND, &[&credential.0, &workspace.0]).await
    }

    /// Records that the server's newest event names this key, and deletes those that earlier ones named.
    pub async fn name(
        &self,
        server: ServerId,
        credential: ServerCredentialId,
    ) -> Result<(), PgError> {
        execute(&self.pool, NAME, &[&server.0, &credential.0]).await.map(drop)
    }

    /// At most `limit` keys that were made before `until` and that no event names yet,
    /// after the first `skip`.
    pub async fn unnamed(
        &self,
        until: DateTime<Utc>,
        limit: i64,
        skip: i64,
    ) -> Result<Vec<UnnamedServerKey>, PgError> {
        let rows = query(&self.pool, UNNAMED, &[&until, &limit, &skip]).await?;
        let read = |row: &Row| {
            Ok(UnnamedServerKey {
                workspace: WorkspaceId(row.try_get(0)?),
                server: ServerId(row.try_get(1)?),
                credential: ServerCredentialId(row.try_get(2)?),
                written_at: row.try_get(3)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Deletes a key that was written at this time: not if it is named, or was written again since.
    pub async fn take_back(
        &self,
        credential: ServerCredentialId,
        written_at: DateTime<Utc>,
    ) -> Result<(), PgError> {
        execute(&self.pool, TAKE_BACK, &[&credential.0, &written_at]).await.map(drop)
    }

    /// Deletes one key, which a later event has replaced.
    pub async fn delete(&self, credential: ServerCredentialId) -> Result<(), PgError> {
        execute(&self.pool, DELETE, &[&credential.0]).await.map(drop)
    }

    /// Deletes every key of a server; returns how many.
    pub async fn delete_of_server(&self, server: ServerId) -> Result<u64, PgError> {
        execute(&self.pool, DELETE_OF_SERVER, &[&server.0]).await
    }

    /// Deletes every key of a workspace; returns how many.
    pub async fn delete_of_workspace(&self, workspace: WorkspaceId) -> Result<u64, PgError> {
        execute(&self.pool, DELETE_OF_WORKSPACE, &[&workspace.0]).await
    }
}
