//! Reservations of addresses, moved from one generation of the blind index to the next.

#[cfg(test)]
mod tests;

use std::time::Instant;

use uuid::Uuid;

use crate::postgres::{PgError, Pool};
use crate::statement::{Values, execute, query, query_opt};

const KINDS: &str = include_str!("kinds.sql");
const PAGE: &str = "select blind_index, owner from event_log.reservations \
    where kind = $1 and blind_index > $2 order by blind_index limit $3";
const OF_OWNER: &str = "select kind, blind_index from event_log.reservations where owner = $1 \
    order by kind, blind_index";
const OWNER: &str = "select owner from event_log.reservations where (kind, blind_index) = ($1, $2)";
const RESERVE_AGAIN: &str = "select event_log.reserve_again($1, $2, $3, $4, $5)";
const PROGRESS: &str = "select through, complete from event_log.reservation_move \
    where (kind_old, kind_new) = ($1, $2)";
const MOVE: &str = "select event_log.move_reservations($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const COUNT_UNREADABLE: &str = "select count(*) from (\
    select from event_log.reservations where kind = $1 limit 10000) marks";
const DELETE_UNREADABLE: &str = "select event_log.delete_unreadable_reservation($1, $2)";
const DELETE_AFTER: &str = "select event_log.delete_reservations_after($1, $2, $3)";
/// Appends wait while so many reservations are deleted: some milliseconds.
const DELETED_AT_ONCE: i32 = 1000;

/// Of an account that could not be read when the key of its reservation was replaced: a reservation of
/// this kind, in which the index is of a key that may be erased, remembers that its address is missing.
pub const UNREADABLE: &str = "account.email.unreadable";

/// The rows that keep an address to one owner.
#[derive(Clone)]
pub struct Reservations(Pool);

/// A reservation of a blind index: the kind of its key's generation, and the index under that key.
pub type Index = (String, Vec<u8>);

/// How far a move from one kind to the next has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveProgress {
    /// The last index of the old kind that has moved.
    pub through: Vec<u8>,
    /// Nothing is left to be moved.
    pub is_complete: bool,
}

impl MoveProgress {
    /// From 0 to 1. Indexes are MACs, so they are spread evenly.
    pub fn ratio(&self) -> f64 {
        let first = self.through.first_chunk().map_or(0, |first| u32::from_be_bytes(*first));
        if self.is_complete { 1.0 } else { f64::from(first) / f64::from(u32::MAX) }
    }
}

/// A part of a move, in the order of the old kind's indexes.
#[derive(Debug, Default)]
pub struct Batch {
    /// Where the batch before it ended; empty for the first one.
    pub after: Vec<u8>,
    /// The last index that was read for it.
    pub through: Vec<u8>,
    /// Nothing comes after it.
    pub is_last: bool,
    /// What is reserved.
    pub rows: Vec<MovedRow>,
}

/// A reservation under the next key.
#[derive(Debug)]
pub struct MovedRow {
    /// The index of the old kind, which `owner` must have still.
    pub old: Vec<u8>,
    /// What is reserved in addition.
    pub new: Index,
    /// Whose it is.
    pub owner: Uuid,
}

impl Reservations {
    /// `pool` leads to the log's database.
    pub const fn new(pool: Pool) -> Self {
        Self(pool)
    }

    /// The reservations of one kind after an index, in the order of their indexes, with their owners.
    pub async fn page(
        &self,
        kind: &str,
        after: &[u8],
        limit: i64,
    ) -> Result<Vec<(Vec<u8>, Uuid)>, PgError> {
        let rows = query(&self.0, PAGE, &[&kind, &after, &limit]).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
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

    /// Who has reserved this; `None` when it is free.
    pub async fn owner(&self, kind: &str, blind_index: &[u8]) -> Result<Option<Uuid>, PgError> {
        let row = query_opt(&self.0, OWNER, &[&kind, &blind_index]).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
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

    /// How far the move from `old` to `new` has come; `None`: no batch of it is committed.
    pub async fn progress(&self, old: &str, new: &str) -> Result<Option<MoveProgress>, PgError> {
        read_progress(query_opt(&self.0, PROGRESS, &[&old, &new]).await?)
    }

    /// Commits a batch of the move from `old` to `new`, with the progress, and waits for as long as that took: appends wait
    /// for the batch. `false`: another node has moved on since the progress was read.
    pub async fn move_batch(&self, old: &str, new: &str, batch: &Batch) -> Result<bool, PgError> {
        let Batch { after, through, is_last, rows } = batch;
        let olds: Vec<&[u8]> = rows.iter().map(|row| row.old.as_slice()).collect();
        let kinds: Vec<&str> = rows.iter().map(|row| row.new.0.as_str()).collect();
        let indexes: Vec<&[u8]> = rows.iter().map(|row| row.new.1.as_slice()).collect();
        let owners: Vec<Uuid> = rows.iter().map(|row| row.owner).collect();
        let values: Values<'_> =
            &[&old, &new, after, through, is_last, &olds, &kinds, &indexes, &owners];
        let since = Instant::now();
        let moved = query_opt(&self.0, MOVE, values).await?;
        tokio::time::sleep(since.elapsed()).await;
        moved.map_or(Ok(false), |row| Ok(row.try_get(0)?))
    }

    /// How many accounts are marked as [`UNREADABLE`]; at most 10,000 are counted.
    pub async fn count_unreadable(&self) -> Result<i64, PgError> {
        let row = query_opt(&self.0, COUNT_UNREADABLE, &[&UNREADABLE]).await?;
        row.map_or(Ok(0), |row| Ok(row.try_get(0)?))
    }

    /// Deletes the mark of an account that can be read again.
    pub async fn delete_unreadable(&self, index: &[u8], owner: Uuid) -> Result<(), PgError> {
        execute(&self.0, DELETE_UNREADABLE, &[&index, &owner]).await.map(drop)
    }

    /// Deletes every reservation of a kind, a batch at a time. Between the batches appends have as long as a batch takes.
    pub async fn delete_kind(&self, kind: &str) -> Result<(), PgError> {
        let mut after = Some(Vec::new());
        while let Some(last) = after {
            let since = Instant::now();
            after = self.delete_after(kind, &last, DELETED_AT_ONCE).await?;
            tokio::time::sleep(since.elapsed()).await;
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

fn read_progress(row: Option<tokio_postgres::Row>) -> Result<Option<MoveProgress>, PgError> {
    let Some(row) = row else { return Ok(None) };
    Ok(Some(MoveProgress { through: row.try_get(0)?, is_complete: row.try_get(1)? }))
}
