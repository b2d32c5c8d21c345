//! The rows of some streams as their events make them, without a look at a table.

mod compare;
mod error;
mod events;
mod json;
mod rows;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use tokio_postgres::Error;
use uuid::Uuid;

use super::any_projection::AnyProjection;
use super::reader::ReaderKind;
use super::{Feed, NewestVersion, Reader, generation, parked};
use crate::postgres::{Pool, Transaction};
pub use compare::RowDifference;
pub use error::FoldError;
use events::fold;
pub(super) use rows::{FoldedRows, StreamRows};

const SNAPSHOT: &str = "set transaction isolation level repeatable read, read only";
const EXISTS: &str = "select exists (select from event_log.streams where stream_id = $1)";
const POSITION_AS_OF: &str = include_str!("position_as_of.sql");
const CHECKPOINT: &str =
    "select position, generation from readers.checkpoints where name = $1 and version = $2";

/// Up to which event rows are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// The last event of the log.
    Now,
    /// The event at this position.
    Position(i64),
    /// The last event of the stream that was recorded at this time or before.
    Time(DateTime<Utc>),
}

/// The rows of a stream as its events make them.
#[derive(Clone, Debug)]
pub struct RowsAsOf {
    /// Up to here the stream's events were read; 0: none was recorded by then.
    pub through: i64,
    /// By the names of their columns. Bytes, such as those of sealed fields, are in base64.
    pub rows: Vec<serde_json::Value>,
    /// The first event that does not fit, and why: the rows are those of the events before it.
    pub ends_before: Option<(i64, String)>,
}

/// What the events of a stream make of its rows in a projection, up to `as_of`. Its table is not looked at. All rows are in
/// memory; events are not.
///
/// # Errors
/// [`FoldError`].
pub async fn rows_as_of(
    pool: &Pool,
    reader: &Reader,
    stream: Uuid,
    as_of: AsOf,
    newest_version: NewestVersion,
) -> Result<RowsAsOf, FoldError> {
    let projection = projection(reader)?;
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    tx.batch_execute(SNAPSHOT).await?;
    if !exists(&tx, stream).await? {
        return Err(FoldError::NoStream);
    }
    let through = position(&tx, stream, as_of).await?;
    let streams = [(stream, through)];
    let folded = fold(&tx, (reader, projection), &streams, newest_version).await?;
    tx.commit().await?;
    let ends_before = folded.poisoned.first().map(|it| (it.position, it.poison.to_string()));
    Ok(RowsAsOf { through, rows: folded.rows.to_json()?, ends_before })
}

/// In which of the rows that these streams have made the live table of a projection differs from their events, up to where
/// its reader stands; of a parked stream up to before its poisonous event. Rows in the table that no event of theirs has
/// made are not found.
///
/// # Errors
/// [`FoldError`]; `NotFollowed` where the projection has no table yet.
pub async fn compare_streams(
    pool: &Pool,
    reader: &Reader,
    streams: &[Uuid],
    newest_version: NewestVersion,
) -> Result<Vec<RowDifference>, FoldError> {
    let projection = projection(reader)?;
    let (name, version) = (reader.name(), reader.version());
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    tx.batch_execute(SNAPSHOT).await?;
    let checkpoint = tx.query_opt(CHECKPOINT, &[&name, &version]).await?;
    let checkpoint = checkpoint.ok_or(FoldError::NotFollowed)?;
    let (position, live): (i64, i32) = (checkpoint.try_get(0)?, checkpoint.try_get(1)?);
    if live == 0 {
        return Err(FoldError::NotFollowed);
    }
    let parked = parked::load(&tx, (name, version)).await?;
    let parked = parked.iter().filter(|row| row.generation == live);
    let parked: HashMap<Uuid, i64> = parked.map(|row| (row.stream, row.from_position)).collect();
    let end = |stream: &Uuid| parked.get(stream).map_or(position, |from| position.min(from - 1));
    let streams: Vec<_> = streams.iter().map(|stream| (*stream, end(stream))).collect();
    let folded = fold(&tx, (reader, projection), &streams, newest_version).await?;
    // Not the view: it may show by now what this snapshot does not have.
    let table = generation::table_of(name, version, live);
    let differences = folded.rows.compare(&tx, &table).await?;
    tx.commit().await?;
    Ok(differences)
}

/// Of a projection whose rows come from streams.
fn projection(reader: &Reader) -> Result<&dyn AnyProjection, FoldError> {
    match &reader.0 {
        ReaderKind::Worker(_) => Err(FoldError::Worker),
        ReaderKind::Projection(projection) if projection.append_only() => Err(FoldError::EachEvent),
        ReaderKind::Projection(projection) => Ok(projection.as_ref()),
    }
}

async fn exists(tx: &Transaction<'_>, stream: Uuid) -> Result<bool, Error> {
    let exists = tx.prepare_cached(EXISTS).await?;
    tx.query_one(&exists, &[&stream]).await?.try_get(0)
}

async fn position(tx: &Transaction<'_>, stream: Uuid, as_of: AsOf) -> Result<i64, FoldError> {
    match as_of {
        AsOf::Now => Ok(Feed::head(tx).await?),
        AsOf::Position(position) => {
            let head = Feed::head(tx).await?;
            if position > head { Err(FoldError::Beyond { head }) } else { Ok(position) }
        }
        AsOf::Time(time) => {
            let find = tx.prepare_cached(POSITION_AS_OF).await?;
            Ok(tx.query_one(&find, &[&stream, &time]).await?.try_get(0)?)
        }
    }
}
