//! Tokens of operators: created on the command line, shown once.

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use domain::TokenId;
use domain::operator::Scope;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::bearer::{BearerToken, TokenHash};
use crate::clock::Clock;
use crate::postgres::{PgError, Pool, TimeOrder, TimePlace};
use crate::random::NoRandomness;
use crate::statement::{execute, query, query_opt};

const PREFIX: &str = "lo_";
const INSERT: &str = include_str!("insert.sql");
const FIND: &str = "select token_id, scope, expires_at from working.operator_tokens \
    where token_hash = $1 and expires_at > $2 and revoked_at is null";
const LIST_NEWEST: &str =
    concat!(include_str!("list.sql"), "order by issued_at desc, token_id desc limit $7");
const LIST_OLDEST: &str =
    concat!(include_str!("list.sql"), "order by issued_at, token_id limit $7");
const REVOKE: &str =
    "update working.operator_tokens set revoked_at = $2 where token_id = $1 and revoked_at is null";

/// The rows of operators' tokens.
#[derive(Clone)]
pub struct Operators {
    pool: Pool,
    clock: Clock,
}

/// A token that is neither revoked nor expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct OperatorToken {
    pub id: TokenId,
    pub scope: Scope,
    pub expires_at: DateTime<Utc>,
}

/// A token as it is listed, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedOperatorToken {
    /// Its id.
    pub id: TokenId,
    /// What it is for, as whoever created it wrote.
    pub name: Option<String>,
    /// What it may do.
    pub scope: Scope,
    /// When it was created.
    pub issued_at: DateTime<Utc>,
    /// When it stops working.
    pub expires_at: DateTime<Utc>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl OperatorToken {
    /// Whether it may do what needs this scope: `admin` may do everything.
    pub fn may(&self, needed: Scope) -> bool {
        self.scope.may(needed)
    }
}

impl Operators {
    /// `pool` leads to the log's database.
    pub const fn new(pool: Pool, clock: Clock) -> Self {
        Self { pool, clock }
    }

    /// A new token.
    ///
    /// # Errors
    /// The system returned no random bytes.
    pub fn draw_token() -> Result<BearerToken, NoRandomness> {
        BearerToken::draw(PREFIX)
    }

    /// Writes the row. Call it after the event is appended, so that every token that works is in the
    /// log. `name` says what it is for, and names no person. `false`: there is a row of this id; its hash
    /// stays.
    pub async fn insert(
        &self,
        token: &OperatorToken,
        hash: TokenHash,
        name: Option<&str>,
    ) -> Result<bool, PgError> {
        let OperatorToken { id, scope, expires_at } = token;
        let (scope, now, hash) = (scope.as_str(), self.clock.now(), hash.as_bytes());
        let values: [&(dyn ToSql + Sync); 6] = [&id.0, &hash, &scope, &now, expires_at, &name];
        Ok(execute(&self.pool, INSERT, &values).await? == 1)
    }

    /// The token, unless it is unknown, expired or revoked.
    ///
    /// # Errors
    /// The database is unreachable, or the row holds a scope that this version does not know.
    pub async fn find(&self, token: &str) -> Result<Option<OperatorToken>, PgError> {
        let Some(hash) = TokenHash::read(PREFIX, token) else { return Ok(None) };
        let now = self.clock.now();
        let found = query_opt(&self.pool, FIND, &[&hash.as_bytes(), &now]).await?;
        let Some(row) = found else { return Ok(None) };
        let scope = scope_named(row.try_get("scope")?)?;
        let id = TokenId(row.try_get("token_id")?);
        Ok(Some(OperatorToken { id, scope, expires_at: row.try_get("expires_at")? }))
    }

    /// At most `limit` tokens after `last`, by when they were created: all, or those that are `live`, `expired`
    /// or `revoked`.
    ///
    /// # Errors
    /// The database is unreachable, or a row holds a scope that this version does not know.
    pub async fn list(
        &self,
        state: Option<&str>,
        (order, last): (TimeOrder, Option<TimePlace>),
        limit: i64,
    ) -> Result<Vec<ListedOperatorToken>, PgError> {
        let ((from, to), now) = (order.between(last), self.clock.now());
        let values: [&(dyn ToSql + Sync); 7] =
            [&from.0, &from.1, &to.0, &to.1, &state, &now, &limit];
        let rows = query(&self.pool, order.of(LIST_NEWEST, LIST_OLDEST), &values).await?;
        rows.iter().map(listed).collect()
    }

    /// Revokes the token. Call it before the event is appended. `false`: it was revoked already.
    pub async fn revoke(&self, token: TokenId) -> Result<bool, PgError> {
        Ok(execute(&self.pool, REVOKE, &[&token.0, &self.clock.now()]).await? == 1)
    }
}

fn listed(row: &Row) -> Result<ListedOperatorToken, PgError> {
    Ok(ListedOperatorToken {
        id: TokenId(row.try_get("token_id")?),
        name: row.try_get("name")?,
        scope: scope_named(row.try_get("scope")?)?,
        issued_at: row.try_get("issued_at")?,
        expires_at: row.try_get("expires_at")?,
        revoked_at: row.try_get("revoked_at")?,
    })
}

fn scope_named(name: &str) -> Result<Scope, PgError> {
    let damaged = || PgError::Database("the scope of an operator's token is damaged".to_owned());
    Scope::parse(name).ok_or_else(damaged)
}
