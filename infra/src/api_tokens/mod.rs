//! Tokens that act for a member in one workspace: what the token of a request is looked up in.
//! Whether it still works, and what it may do, is the workspace's own state to say.

#[cfg(test)]
mod tests;

use chrono::{DateTime, TimeDelta, Utc};
use domain::privacy::Sealed;
use domain::{AccountId, ApiTokenId, WorkspaceId};
use tokio_postgres::Row;

use crate::bearer::{BearerToken, NoRandomness, TokenHash};
use crate::clock::Clock;
use crate::postgres::{PgError, Pool};
use crate::statement::{execute, query, query_opt};

/// By which people and scanners know what it is.
pub const PREFIX: &str = "lw_";
const TOUCHED_EVERY: TimeDelta = TimeDelta::minutes(1);
const INSERT: &str = include_str!("insert.sql");
const FIND: &str = include_str!("find.sql");
const TOUCH: &str = include_str!("touch.sql");
const LIST: &str = include_str!("list.sql");
const REMOVE: &str = include_str!("remove.sql");

#[derive(Clone)]
pub struct ApiTokens {
    pool: Pool,
    clock: Clock,
}

/// A token whose event is in the log.
#[derive(Clone, Debug)]
pub struct Issued {
    pub token: ApiTokenId,
    pub workspace: WorkspaceId,
    pub account: AccountId,
    /// Sealed under the workspace's key.
    pub name: Sealed,
    pub expires_at: DateTime<Utc>,
}

/// What a token that was shown is a token of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub token: ApiTokenId,
    pub workspace: WorkspaceId,
}

/// What is kept of a token beside its event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub token: ApiTokenId,
    pub name: Sealed,
    pub issued_at: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
}

impl ApiTokens {
    pub const fn new(pool: Pool, clock: Clock) -> Self {
        Self { pool, clock }
    }

    pub fn draw_token() -> Result<BearerToken, NoRandomness> {
        BearerToken::draw_checked(PREFIX)
    }

    /// Comes after the event: every token that opens anything is in the log. The same id again
    /// keeps the first hash: `false`.
    pub async fn insert(&self, issued: &Issued, hash: TokenHash) -> Result<bool, PgError> {
        let Issued { token, workspace, account, name, expires_at } = issued;
        let (hash, name, now) = (hash.as_bytes(), name.to_bytes(), self.clock.now());
        let inserted = execute(
            &self.pool,
            INSERT,
            &[&token.0, &hash, &workspace.0, &account.0, &name, &now, expires_at],
        )
        .await?;
        Ok(inserted == 1)
    }

    /// What a token is of, and writes down that it is used: once a minute at most. One that was
    /// mistyped is never looked up.
    pub async fn find(&self, token: &str) -> Result<Option<Found>, PgError> {
        let Some(hash) = TokenHash::read_checked(PREFIX, token) else { return Ok(None) };
        let now = self.clock.now();
        let row = query_opt(&self.pool, FIND, &[&hash.as_bytes(), &now]).await?;
        let Some(row) = row else { return Ok(None) };
        let (token, workspace) = (ApiTokenId(row.try_get(0)?), WorkspaceId(row.try_get(1)?));
        let used: Option<DateTime<Utc>> = row.try_get(2)?;
        let before = now - TOUCHED_EVERY;
        if used.is_none_or(|used| used <= before) {
            execute(&self.pool, TOUCH, &[&token.0, &now, &before]).await?;
        }
        Ok(Some(Found { token, workspace }))
    }

    pub async fn of_workspace(&self, workspace: WorkspaceId) -> Result<Vec<Kept>, PgError> {
        let rows = query(&self.pool, LIST, &[&workspace.0]).await?;
        rows.iter().map(kept).collect()
    }

    /// `false` when it was gone already.
    pub async fn remove(&self, token: ApiTokenId) -> Result<bool, PgError> {
        Ok(execute(&self.pool, REMOVE, &[&token.0]).await? == 1)
    }
}

fn kept(row: &Row) -> Result<Kept, PgError> {
    let damaged = || PgError::Database("the name of a token cannot be read".to_owned());
    Ok(Kept {
        token: ApiTokenId(row.try_get(0)?),
        name: Sealed::from_bytes(row.try_get(1)?).ok_or_else(damaged)?,
        issued_at: row.try_get(2)?,
        last_used_at: row.try_get(3)?,
    })
}
