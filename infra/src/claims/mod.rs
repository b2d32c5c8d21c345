//! Claims on addresses, moved from one generation of the blind index to the next.

#[cfg(test)]
mod tests;

use uuid::Uuid;

use crate::postgres::{PgError, Pool};
use crate::statement::{execute, query, query_opt};

const BEHIND: &str = include_str!("behind.sql");
const KINDS: &str = include_str!("kinds.sql");
const OF_OWNER: &str = include_str!("of_owner.sql");
const RECLAIM: &str = include_str!("reclaim.sql");
const RELEASE: &str = include_str!("release.sql");

#[derive(Clone)]
pub struct Claims(Pool);

/// What a blind index is claimed as: a generation's kind, and the index under its key.
pub type Index = (String, Vec<u8>);

impl Claims {
    pub const fn new(pool: Pool) -> Self {
        Self(pool)
    }

    /// Owners, in order, with fewer claims of kind `new` than of kind `old`.
    pub async fn behind(
        &self,
        old: &str,
        new: &str,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Uuid>, PgError> {
        let rows = query(&self.0, BEHIND, &[&old, &new, &after, &limit]).await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
    }

    /// Every kind that there is a claim of.
    pub async fn kinds(&self) -> Result<Vec<String>, PgError> {
        let rows = query(&self.0, KINDS, &[]).await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
    }

    pub async fn of_owner(&self, owner: Uuid) -> Result<Vec<Index>, PgError> {
        let rows = query(&self.0, OF_OWNER, &[&owner]).await?;
        let claims = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        claims.collect()
    }

    /// Claims `new` for an owner who holds `old` still; `false` when it does not, or `new` is
    /// another's.
    pub async fn reclaim(&self, new: &Index, old: &Index, owner: Uuid) -> Result<bool, PgError> {
        let row = query_opt(&self.0, RECLAIM, &[&new.0, &new.1, &old.0, &old.1, &owner]).await?;
        row.map_or(Ok(false), |row| Ok(row.try_get(0)?))
    }

    /// Deletes every claim of a kind.
    pub async fn release(&self, kind: &str) -> Result<(), PgError> {
        execute(&self.0, RELEASE, &[&kind]).await.map(drop)
    }
}
