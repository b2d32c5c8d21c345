//! Private keys for servers, sealed and kept apart from the log: an event names one by its id.
//! No answer ever holds one.

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use domain::privacy::{Sealed, ServerPrivateKey};
use domain::{EventId, ServerCredentialId, ServerId, WorkspaceId};
use tokio_postgres::Row;
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::keyring::{Keyring, OpenError, SealError};
use crate::postgres::{PgError, Pool};
use crate::remote::{Identity, IdentityError};
use crate::statement::{execute, query, query_opt};

const INSERT: &str = include_str!("insert.sql");
const FIND: &str = include_str!("find.sql");
const NAME: &str = include_str!("name.sql");
const REMOVE: &str = include_str!("remove.sql");
const ERASE_SERVER: &str = include_str!("erase_server.sql");
const ERASE_WORKSPACE: &str = include_str!("erase_workspace.sql");
const UNNAMED: &str = include_str!("unnamed.sql");

#[derive(Debug, thiserror::Error)]
pub enum ServerCredentialsError {
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("a stored key: {0}")]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Unavailable(#[from] PgError),
}

/// A key whose event has not been seen: it may never have come.
#[derive(Clone, Copy, Debug)]
pub struct Unnamed {
    pub workspace: WorkspaceId,
    pub server: ServerId,
    pub credential: ServerCredentialId,
}

#[derive(Clone)]
pub struct ServerCredentials {
    pool: Pool,
    keyring: Keyring,
    clock: Clock,
}

impl ServerCredentials {
    pub const fn new(pool: Pool, keyring: Keyring, clock: Clock) -> Self {
        Self { pool, keyring, clock }
    }

    /// Comes before the event that names it. The same id again keeps the first key; a deleted
    /// workspace gets none.
    pub async fn insert(
        &self,
        workspace: WorkspaceId,
        server: ServerId,
        credential: ServerCredentialId,
        identity: &Identity,
    ) -> Result<(), ServerCredentialsError> {
        let pem = identity.to_pem().as_bytes().to_vec();
        let id = EventId(credential.0);
        let (tenant, subject) = (workspace.into(), workspace.into());
        let sealed = self.keyring.seal_bytes::<ServerPrivateKey>(tenant, subject, id, pem).await?;
        let (key, line, now) = (sealed.to_bytes(), identity.public_line(), self.clock.now());
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [&credential.0, &workspace.0, &server.0, &key, &line, &now];
        execute(&self.pool, INSERT, &values).await?;
        Ok(())
    }

    /// The key itself, to be offered to its server.
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
            self.keyring.open_bytes::<ServerPrivateKey>(tenant, subject, &sealed).await?;
        let pem = std::str::from_utf8(&pem).map_err(|_| OpenError::Damaged)?;
        Ok(Some(Identity::parse(pem, None)?))
    }

    /// The public half, as a line of `authorized_keys`.
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

    /// An event names this one: it stays, and those before it go.
    pub async fn name(
        &self,
        server: ServerId,
        credential: ServerCredentialId,
    ) -> Result<(), PgError> {
        execute(&self.pool, NAME, &[&server.0, &credential.0]).await.map(drop)
    }

    /// Keys made before `until` whose event has not been seen.
    pub async fn unnamed(&self, until: DateTime<Utc>, limit: i64) -> Result<Vec<Unnamed>, PgError> {
        let rows = query(&self.pool, UNNAMED, &[&until, &limit]).await?;
        let read = |row: &Row| {
            Ok(Unnamed {
                workspace: WorkspaceId(row.try_get(0)?),
                server: ServerId(row.try_get(1)?),
                credential: ServerCredentialId(row.try_get(2)?),
            })
        };
        rows.iter().map(read).collect()
    }

    pub async fn remove(&self, credential: ServerCredentialId) -> Result<(), PgError> {
        execute(&self.pool, REMOVE, &[&credential.0]).await.map(drop)
    }

    /// Destroys every key of a server.
    pub async fn erase_server(&self, server: ServerId) -> Result<u64, PgError> {
        execute(&self.pool, ERASE_SERVER, &[&server.0]).await
    }

    /// Destroys every key of a workspace.
    pub async fn erase_workspace(&self, workspace: WorkspaceId) -> Result<u64, PgError> {
        execute(&self.pool, ERASE_WORKSPACE, &[&workspace.0]).await
    }
}
