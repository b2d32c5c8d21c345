//! Reservations of addresses, moved from one generation of the blind index to the next.

#[cfg(test)]
mod tests;

use uuid::Uuid;

use crate::postgres::{PgError, Pool};
use crate::statement::{query, query_opt};

const BEHIND: &str = include_str!("behind.sql");
const KINDS: &str = include_str!("kinds.sql");
const OF_OWNER: &str = "select kind, blind_index from event_log.reservations where owner = $1 \
    order by kind, blind_index";
const RESERVE_AGAIN: &str = "select event_log.reserve_again($1, $2, $3, $4, $5)";
const DELETE_AFTER: &str = "select event_log.delete_reservations_after($1, $2, $3)";
/// Appends wait while so many reservations are deleted: some milliseconds.
const DELETED_AT_ONCE: i32 = 1000;

/// The rows that keep an address to one owner.
#[derive(Clone)]
pub struct Reservations(Pool);

/// A reservation of a blind index: the kind of its key's generation, and the index under that key.
pub type Index = (String, Vec<u8>);

impl Reservations {
    /// `pool` leads to the log's database.
    pub const fn new(pool: Pool) -> Self {
        Self(pool)
    }

    /// Owners, in order, with fewer reservations of kind `new` than `old`.
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

    /// Every kind that has a reservation.
    pub async fn kinds(&self) -> Result<Vec<String>, PgError> {
        let rows = query(&self.0, KINDS, &[]).await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
    }

    /// The reservations of one owner, by kind and index.
    pub async fn of_owner(&self, owner: Uuid) -> Result<Vec<Index>, PgError> {
        let rows = query(&self.0, OF_OWNER, &[&owner]).await?;
        let reservations = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        reservations.collect()
    }

    /// Reserves `new` for an owner who still has `old`. `false`: the owner has not, or another owner
    /// has `new`.
    pub async fn reserve_again(
        &self,
        new: &Index,
        old: &Index,
        owner: Uuid,
    ) -> Result<bool, PgError> {
        let row =
            query_opt(&self.0, RESERVE_AGAIN, &[&new.0, &new.1, &old.0, &old.1, &owner]).await?;
        row.map_or(Ok(false), |row| Ok(row.try_get(0)?))
    }

    /// Deletes every reservation of a kind, a batch at a time. Appends go on between the batches.
    pub async fn delete_kind(&self, kind: &str) -> Result<(), PgError> {
        let mut after = Some(Vec::new());
        while let Some(last) = after {
            after = self.delete_after(kind, &last, DELETED_AT_ONCE).await?;
        }
        Ok(())
    }

    /// Deletes one batch. Returns its last index; `None`: there is nothing left after `after`.
    async fn delete_after(
        &self,
        kind: &str,
        after: &[u8],
        at_most: i32,
    ) -> Result<Option<Vec<u8>>, PgError> {
        let row = query_opt(&self.0, DELETE_AFTER, &[&kind, &after, &at_most]).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.flatten())
    }
}
