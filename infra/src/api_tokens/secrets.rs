//! The secrets of API tokens: another one is written before the event that names it. Until then the workspace knows no
//! such secret, and afterwards it says for how long the former one works.

use chrono::{DateTime, Utc};
use domain::{ApiTokenId, ApiTokenSecretId, WorkspaceId};
use tokio_postgres::Row;

use super::ApiTokens;
use crate::bearer::TokenHash;
use crate::postgres::PgError;
use crate::statement::{execute, query, query_opt};

const KEPT: &str = include_str!("kept.sql");
const INSERT: &str = include_str!("insert_secret.sql");
const NAME: &str = include_str!("name_secret.sql");
const TAKE_BACK: &str = "delete from working.api_token_secrets \
    where secret_id = $1 and written_at = $2 and version is null";
const UNNAMED: &str = include_str!("unnamed_secrets.sql");

/// Another secret of a token, which no event names yet.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct NewApiTokenSecret {
    pub secret: ApiTokenSecretId,
    pub token: ApiTokenId,
    pub hash: TokenHash,
    /// Until then the token is found, or longer, if it was before.
    pub expires_at: DateTime<Utc>,
}

/// What a secret is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptSecret {
    /// Of its text.
    pub hash: TokenHash,
    /// Its token was ended: it is found no more.
    pub is_ended: bool,
}

/// A secret that no event names yet, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct UnnamedApiTokenSecret {
    pub secret: ApiTokenSecretId,
    pub token: ApiTokenId,
    pub workspace: WorkspaceId,
    pub written_at: DateTime<Utc>,
}

impl ApiTokens {
    /// `None`: it has no row.
    pub async fn kept(&self, secret: ApiTokenSecretId) -> Result<Option<KeptSecret>, PgError> {
        let Some(row) = query_opt(&self.pool, KEPT, &[&secret.0]).await? else { return Ok(None) };
        let damaged = || PgError::Database("the hash of a token cannot be read".to_owned());
        let hash = TokenHash::from_bytes(row.try_get(0)?).ok_or_else(damaged)?;
        Ok(Some(KeptSecret { hash, is_ended: row.try_get(1)? }))
    }

    /// Writes the row of a secret. There is already one of this id: its hash stays, and unless it is named it
    /// counts as written now. The token was ended, or has no row: nothing is written. Returns the time of writing.
    pub async fn insert_secret(&self, new: &NewApiTokenSecret) -> Result<DateTime<Utc>, PgError> {
        let NewApiTokenSecret { secret, token, hash, expires_at } = new;
        let now = self.clock.now();
        let hash = hash.as_bytes();
        execute(&self.pool, INSERT, &[&secret.0, &token.0, &hash, &now, expires_at]).await?;
        Ok(now)
    }

    /// Records the version of the workspace that names it. What its token was shown by before the secret that it had
    /// then is deleted: it works no more.
    pub async fn name_secret(&self, secret: ApiTokenSecretId, version: i64) -> Result<(), PgError> {
        execute(&self.pool, NAME, &[&secret.0, &version]).await.map(drop)
    }

    /// Deletes a secret that was written at this time: not if it is named, or was written again since.
    pub async fn take_back_secret(
        &self,
        secret: ApiTokenSecretId,
        written_at: DateTime<Utc>,
    ) -> Result<(), PgError> {
        execute(&self.pool, TAKE_BACK, &[&secret.0, &written_at]).await.map(drop)
    }

    /// At most `limit` secrets that were written before `until` and that no event names yet, after the first
    /// `skip`.
    pub async fn unnamed_secrets(
        &self,
        until: DateTime<Utc>,
        limit: i64,
        skip: i64,
    ) -> Result<Vec<UnnamedApiTokenSecret>, PgError> {
        let rows = query(&self.pool, UNNAMED, &[&until, &limit, &skip]).await?;
        let read = |row: &Row| -> Result<UnnamedApiTokenSecret, PgError> {
            Ok(UnnamedApiTokenSecret {
                secret: ApiTokenSecretId(row.try_get(0)?),
                token: ApiTokenId(row.try_get(1)?),
                workspace: WorkspaceId(row.try_get(2)?),
                written_at: row.try_get(3)?,
            })
        };
        rows.iter().map(read).collect()
    }
}
