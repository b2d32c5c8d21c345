//! Operators' tokens: made on the command line, shown once.

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use domain::TokenId;
use domain::operator::Scope;

use crate::bearer::{BearerToken, NoRandomness, TokenHash};
use crate::clock::Clock;
use crate::postgres::{PgError, Pool};
use crate::statement::{execute, query_opt};

const PREFIX: &str = "lo_";
const INSERT: &str = include_str!("insert.sql");
const FIND: &str = include_str!("find.sql");
const REVOKE: &str = include_str!("revoke.sql");

#[derive(Clone)]
pub struct Operators {
    pool: Pool,
    clock: Clock,
}

/// A token that is neither revoked nor past its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub id: TokenId,
    pub scope: Scope,
    pub expires_at: DateTime<Utc>,
}

impl Token {
    /// Whether it may do what `needed` names: an admin's may do everything.
    pub fn may(&self, needed: Scope) -> bool {
        self.scope == Scope::Admin || self.scope == needed
    }
}

impl Operators {
    pub const fn new(pool: Pool, clock: Clock) -> Self {
        Self { pool, clock }
    }

    pub fn draw_token() -> Result<BearerToken, NoRandomness> {
        BearerToken::draw(PREFIX)
    }

    /// Comes after the event: every token that opens anything is in the log. The same id again
    /// keeps the first hash: `false`.
    pub async fn insert(&self, token: &Token, hash: TokenHash) -> Result<bool, PgError> {
        let (scope, now) = (scope_name(token.scope), self.clock.now());
        let expires_at = token.expires_at;
        let hash = hash.as_bytes();
        let inserted =
            execute(&self.pool, INSERT, &[&token.id.0, &hash, &scope, &now, &expires_at]).await?;
        Ok(inserted == 1)
    }

    pub async fn find(&self, token: &str) -> Result<Option<Token>, PgError> {
        let Some(hash) = TokenHash::read(PREFIX, token) else { return Ok(None) };
        let now = self.clock.now();
        let found = query_opt(&self.pool, FIND, &[&hash.as_bytes(), &now]).await?;
        let Some(row) = found else { return Ok(None) };
        let scope = match row.try_get("scope")? {
            "admin" => Scope::Admin,
            _ => Scope::Audit,
        };
        let id = TokenId(row.try_get("token_id")?);
        Ok(Some(Token { id, scope, expires_at: row.try_get("expires_at")? }))
    }

    /// Comes before the event; `false` when it was revoked already.
    pub async fn revoke(&self, token: TokenId) -> Result<bool, PgError> {
        Ok(execute(&self.pool, REVOKE, &[&token.0, &self.clock.now()]).await? == 1)
    }
}

const fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Admin => "admin",
        Scope::Audit => "audit",
    }
}
