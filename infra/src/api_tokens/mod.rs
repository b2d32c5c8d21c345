//! API tokens, each of which acts for a member in one workspace: found by the token of a request.
//! Whether a token still works, and what it may do, is decided on the workspace's state.

mod secrets;
#[cfg(test)]
mod tests;

use chrono::{DateTime, TimeDelta, Utc};
use domain::privacy::Sealed;
use domain::{AccountId, ApiTokenId, ApiTokenSecretId, EventId, WorkspaceId};
use tokio_postgres::Row;

pub use secrets::{KeptSecret, NewApiTokenSecret, UnnamedApiTokenSecret};

use crate::bearer::{BearerToken, TokenHash};
use crate::clock::Clock;
use crate::postgres::{PgError, Pool};
use crate::random::NoRandomness;
use crate::statement::{execute, query, query_opt};
use crate::workspace_rows::{DeleteRows, WorkspaceRows};

/// The prefix of a token, by which people and secret scanners recognise it.
pub const PREFIX: &str = "lw_";
const TOUCHED_EVERY: TimeDelta = TimeDelta::minutes(1);
const INSERT: &str = include_str!("insert.sql");
const NAME: &str = "update working.api_tokens set named = true where token_id = $1 and not named";
const TAKE_BACK: &str = "delete from working.api_tokens \
    where token_id = $1 and issued_at = $2 and not named";
const UNNAMED: &str = include_str!("unnamed.sql");
const FIND: &str = include_str!("find.sql");
const RENAME: &str = "update working.api_tokens set name = $2, name_version = $3 \
    where token_id = $1 and name_version < $3";
const TOUCH: &str = "update working.api_tokens set last_used_at = $2 \
    where token_id = $1 and (last_used_at is null or last_used_at <= $3)";
const LIST: &str = "select token_id, workspace_id, name, issued_at, last_used_at \
    from working.api_tokens where workspace_id = $1";
const END_ALL: &str = include_str!("end_all.sql");
const ENDED: &str = "select token_id, workspace_id from working.api_tokens \
    where account_id = $1 and ended_by is not null";
const LEFT: &str = include_str!("left.sql");
const OF_ACCOUNT: &str = include_str!("of_account.sql");
const DELETE: &str = "delete from working.api_tokens where token_id = $1";
/// What an erasure deletes of a workspace.
pub const OF_WORKSPACE: WorkspaceRows = WorkspaceRows {
    table: "working.api_tokens",
    delete: DeleteRows::AtOnce("delete from working.api_tokens where workspace_id = $1"),
};

/// The rows of API tokens.
#[derive(Clone)]
pub struct ApiTokens {
    pool: Pool,
    clock: Clock,
}

/// A token that no event names yet.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct NewApiToken {
    pub token: ApiTokenId,
    pub workspace: WorkspaceId,
    /// The member whose rights the token has.
    pub account: AccountId,
    /// The version that the account has: what ends its tokens later ends this one.
    pub account_version: i64,
    /// Sealed under the workspace's key.
    pub name: Sealed,
    /// The token is refused from then on.
    pub expires_at: DateTime<Utc>,
}

/// The row that a token was found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct ApiTokenRow {
    pub token: ApiTokenId,
    /// By which of its secrets.
    pub secret: ApiTokenSecretId,
    pub workspace: WorkspaceId,
}

/// A token that no event names yet, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct UnnamedApiToken {
    pub token: ApiTokenId,
    pub workspace: WorkspaceId,
    pub account: AccountId,
    /// As of [`NewApiToken`].
    pub account_version: i64,
    pub written_at: DateTime<Utc>,
}

/// The event that ends every token of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedBy {
    /// What is said to be the cause.
    pub event: EventId,
    /// Its version: tokens that were issued at it, or later, stay, however often it is handled.
    pub version: i64,
}

/// A token of an account that was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct EndedOfAccount {
    pub token: ApiTokenId,
    pub workspace: WorkspaceId,
}

/// A token that was ended, and whose revocation may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct EndedApiToken {
    pub token: ApiTokenId,
    pub workspace: WorkspaceId,
    pub account: AccountId,
    /// The event that ended it.
    pub by: EventId,
}

/// A token as it is listed, if its workspace knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct ListedApiToken {
    pub token: ApiTokenId,
    pub workspace: WorkspaceId,
    /// Sealed under the workspace's key.
    pub name: Sealed,
    pub issued_at: DateTime<Utc>,
    /// To the minute; `None`: it was never used.
    pub last_used_at: Option<DateTime<Utc>>,
}

impl ApiTokens {
    /// `pool` leads to the log's database.
    pub const fn new(pool: Pool, clock: Clock) -> Self {
        Self { pool, clock }
    }

    /// A new token.
    ///
    /// # Errors
    /// The system returned no random bytes.
    pub fn draw_token() -> Result<BearerToken, NoRandomness> {
        BearerToken::draw_checked(PREFIX)
    }

    /// The token of a request that may come again, of a secret that it then has again.
    pub fn token_of(secret: &[u8; 32]) -> BearerToken {
        BearerToken::of_secret_checked(PREFIX, secret)
    }

    /// Writes the row, and that of its first secret. Call it before the event that names it is appended: without that
    /// the workspace knows no such token. There is already a row of this id: its hash stays, and unless it is named it
    /// counts as written now. The workspace or the account is erased: nothing is written. Returns the time of writing.
    pub async fn insert(
        &self,
        issued: &NewApiToken,
        hash: TokenHash,
    ) -> Result<DateTime<Utc>, PgError> {
        let NewApiToken { token, workspace, account, account_version, name, expires_at } = issued;
        let (hash, name, now) = (hash.as_bytes(), name.to_bytes(), self.clock.now());
        execute(
            &self.pool,
            INSERT,
            &[&token.0, &hash, &workspace.0, &account.0, &name, &now, expires_at, account_version],
        )
        .await?;
        Ok(now)
    }

    /// Gives the token another name, by an event of the workspace of this version: a name that a later one gave
    /// stays.
    pub async fn rename(
        &self,
        token: ApiTokenId,
        name: &Sealed,
        version: i64,
    ) -> Result<(), PgError> {
        execute(&self.pool, RENAME, &[&token.0, &name.to_bytes(), &version]).await.map(drop)
    }

    /// Records that an event names it.
    pub async fn name(&self, token: ApiTokenId) -> Result<(), PgError> {
        execute(&self.pool, NAME, &[&token.0]).await.map(drop)
    }

    /// Deletes a token that was written at this time: not if it is named, or was written again since.
    pub async fn take_back(
        &self,
        token: ApiTokenId,
        written_at: DateTime<Utc>,
    ) -> Result<(), PgError> {
        execute(&self.pool, TAKE_BACK, &[&token.0, &written_at]).await.map(drop)
    }

    /// At most `limit` tokens that were written before `until` and that no event names yet, after the
    /// first `skip`.
    pub async fn unnamed(
        &self,
        until: DateTime<Utc>,
        limit: i64,
        skip: i64,
    ) -> Result<Vec<UnnamedApiToken>, PgError> {
        let rows = query(&self.pool, UNNAMED, &[&until, &limit, &skip]).await?;
        let read = |row: &Row| -> Result<UnnamedApiToken, PgError> {
            Ok(UnnamedApiToken {
                token: ApiTokenId(row.try_get(0)?),
                workspace: WorkspaceId(row.try_get(1)?),
                account: AccountId(row.try_get(2)?),
                account_version: row.try_get(3)?,
                written_at: row.try_get(4)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Finds a token by one of its secrets, and records that it is used, at most once a minute. One with a wrong
    /// checksum is not looked up.
    pub async fn find(&self, token: &str) -> Result<Option<ApiTokenRow>, PgError> {
        let Some(hash) = TokenHash::read_checked(PREFIX, token) else { return Ok(None) };
        let now = self.clock.now();
        let row = query_opt(&self.pool, FIND, &[&hash.as_bytes(), &now]).await?;
        let Some(row) = row else { return Ok(None) };
        let (token, secret) = (ApiTokenId(row.try_get(0)?), ApiTokenSecretId(row.try_get(1)?));
        let workspace = WorkspaceId(row.try_get(2)?);
        let used: Option<DateTime<Utc>> = row.try_get(3)?;
        let before = now - TOUCHED_EVERY;
        if used.is_none_or(|used| used <= before) {
            execute(&self.pool, TOUCH, &[&token.0, &now, &before]).await?;
        }
        Ok(Some(ApiTokenRow { token, secret, workspace }))
    }

    /// Every token of a workspace that has a row.
    pub async fn of_workspace(
        &self,
        workspace: WorkspaceId,
    ) -> Result<Vec<ListedApiToken>, PgError> {
        let rows = query(&self.pool, LIST, &[&workspace.0]).await?;
        rows.iter().map(listed).collect()
    }

    /// The tokens of an account are found no more, on any node. Their rows stay until the revocations
    /// are in the log: [`Self::ended`] lists them.
    pub async fn end_all(&self, account: AccountId, by: EndedBy) -> Result<(), PgError> {
        let EndedBy { event, version } = by;
        execute(&self.pool, END_ALL, &[&account.0, &event.0, &version]).await.map(drop)
    }

    /// Tokens of the account that were ended and whose revocation may be missing.
    pub async fn ended(&self, account: AccountId) -> Result<Vec<EndedOfAccount>, PgError> {
        let rows = query(&self.pool, ENDED, &[&account.0]).await?;
        let read = |row: &Row| -> Result<EndedOfAccount, PgError> {
            let (token, workspace) = (ApiTokenId(row.try_get(0)?), WorkspaceId(row.try_get(1)?));
            Ok(EndedOfAccount { token, workspace })
        };
        rows.iter().map(read).collect()
    }

    /// The same of every account, `limit` of them after the first `skip`.
    pub async fn left(&self, limit: i64, skip: i64) -> Result<Vec<EndedApiToken>, PgError> {
        let rows = query(&self.pool, LEFT, &[&limit, &skip]).await?;
        let read = |row: &Row| -> Result<EndedApiToken, PgError> {
            Ok(EndedApiToken {
                token: ApiTokenId(row.try_get(0)?),
                workspace: WorkspaceId(row.try_get(1)?),
                account: AccountId(row.try_get(2)?),
                by: EventId(row.try_get(3)?),
            })
        };
        rows.iter().map(read).collect()
    }

    /// The tokens that act for an account, the oldest first.
    pub async fn of_account(&self, account: AccountId) -> Result<Vec<ListedApiToken>, PgError> {
        let rows = query(&self.pool, OF_ACCOUNT, &[&account.0, &self.clock.now()]).await?;
        rows.iter().map(listed).collect()
    }

    /// With its secrets. `false`: there was no row.
    pub async fn delete(&self, token: ApiTokenId) -> Result<bool, PgError> {
        Ok(execute(&self.pool, DELETE, &[&token.0]).await? == 1)
    }
}

fn listed(row: &Row) -> Result<ListedApiToken, PgError> {
    let damaged = || PgError::Database("the name of a token cannot be read".to_owned());
    Ok(ListedApiToken {
        token: ApiTokenId(row.try_get(0)?),
        workspace: WorkspaceId(row.try_get(1)?),
        name: Sealed::from_bytes(row.try_get(2)?).ok_or_else(damaged)?,
        issued_at: row.try_get(3)?,
        last_used_at: row.try_get(4)?,
    })
}
