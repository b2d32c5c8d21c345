//! Streams that wait, for one reader, from their poisonous event on.

use crate::postgres::{GenericClient, Transaction};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::work::Poisoned;
use super::{FeedError, Reader, Recorded};
use crate::postgres::{PgError, Pool};

const LIST: &str = include_str!("list.sql");
const RELEASE: &str = include_str!("release.sql");
const LOAD: &str = include_str!("load.sql");
const PARK: &str = include_str!("park.sql");
const DELETE: &str = "delete from readers.parked \
    where reader = $1 and version = $2 and generation = $3 and stream_id = $4";
const ADVANCE: &str = "update readers.parked set from_position = $5 \
    where reader = $1 and version = $2 and generation = $3 and stream_id = $4";
const DELETE_ALL: &str = include_str!("delete_all.sql");
const STREAM: &str = include_str!("stream.sql");

/// A stream that a reader has parked.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct Parked {
    pub reader: String,
    /// The reader's: another version of it reads the stream by itself.
    pub version: i16,
    pub stream: Uuid,
    /// Where its poisonous event stands.
    pub from_position: i64,
    /// Why the event could not be read. It holds no value of the event.
    pub error: String,
    /// Since when it waits: a release that fails leaves it as it is.
    pub parked_at: DateTime<Utc>,
    /// When an operator released it. It stays in the list until its events have been read again.
    pub released_at: Option<DateTime<Utc>>,
}

/// At most `limit` parked streams after `after`, by reader, version and stream.
///
/// # Errors
/// The database does not answer.
pub async fn parked(
    pool: &Pool,
    of: Option<&str>,
    after: Option<(&str, i16, Uuid)>,
    limit: i64,
) -> Result<Vec<Parked>, PgError> {
    let client = pool.get().await?;
    let list = client.prepare_cached(LIST).await?;
    let (reader, version, stream) = after.unwrap_or(("", 0, Uuid::nil()));
    let rows = client.query(&list, &[&reader, &version, &stream, &of, &limit]).await?;
    let parked = rows.into_iter().map(|row| {
        Ok(Parked {
            reader: row.try_get(0)?,
            version: row.try_get(1)?,
            stream: row.try_get(2)?,
            from_position: row.try_get(3)?,
            error: row.try_get(4)?,
            parked_at: row.try_get(5)?,
            released_at: row.try_get(6)?,
        })
    });
    parked.collect()
}

/// Releases a parked stream: the node that owns the reader reads the stream's events again, in order,
/// and then continues with it, for each generation for which it is parked. `false`: it is not, for the live one.
///
/// # Errors
/// The database does not answer.
pub async fn release(pool: &Pool, reader: &str, stream: Uuid) -> Result<bool, PgError> {
    let client = pool.get().await?;
    let release = client.prepare_cached(RELEASE).await?;
    Ok(client.execute(&release, &[&reader, &stream]).await? > 0)
}

/// What a reader needs to know of a stream that it has parked.
#[derive(Clone, Copy, Debug)]
pub(super) struct ParkedRow {
    /// The generation for which it waits; 0 for a worker.
    pub generation: i32,
    pub stream: Uuid,
    pub from_position: i64,
    pub released: bool,
}

/// Those of every generation.
pub(super) async fn load(
    client: &impl GenericClient,
    (name, version): (&str, i16),
) -> Result<Vec<ParkedRow>, tokio_postgres::Error> {
    let load = client.prepare_cached(LOAD).await?;
    let rows = client.query(&load, &[&name, &version]).await?;
    let parked = rows.into_iter().map(|row| {
        Ok(ParkedRow {
            stream: row.try_get(0)?,
            from_position: row.try_get(1)?,
            released: row.try_get(2)?,
            generation: row.try_get(3)?,
        })
    });
    parked.collect()
}

/// `generation`: of which the stream's rows are not written on; 0 for a worker.
pub(super) async fn park(
    tx: &Transaction<'_>,
    (name, version): (&str, i16),
    generation: i32,
    Poisoned { stream, position, poison }: &Poisoned,
) -> Result<(), tokio_postgres::Error> {
    tracing::error!(reader = name, %stream, position, error = %poison, generation, "stream parked");
    let park = tx.prepare_cached(PARK).await?;
    let error = poison.to_string();
    tx.execute(&park, &[&name, &version, &generation, stream, position, &error]).await?;
    Ok(())
}

/// A released stream has been read up to before `from_position`.
pub(super) async fn advance(
    tx: &Transaction<'_>,
    (name, version): (&str, i16),
    generation: i32,
    stream: Uuid,
    from_position: i64,
) -> Result<(), tokio_postgres::Error> {
    let advance = tx.prepare_cached(ADVANCE).await?;
    tx.execute(&advance, &[&name, &version, &generation, &stream, &from_position]).await?;
    Ok(())
}

pub(super) async fn delete(
    tx: &Transaction<'_>,
    (name, version): (&str, i16),
    generation: i32,
    stream: Uuid,
) -> Result<(), tokio_postgres::Error> {
    let delete = tx.prepare_cached(DELETE).await?;
    tx.execute(&delete, &[&name, &version, &generation, &stream]).await?;
    Ok(())
}

/// Deletes every parked stream of a reader that starts over, but for those of a replay.
pub(super) async fn delete_all(tx: &Transaction<'_>, reader: &Reader) -> Result<(), PgError> {
    tx.execute(DELETE_ALL, &[&reader.name(), &reader.version()]).await?;
    Ok(())
}

/// The events of a stream between two positions, both included.
pub(super) async fn stream(
    tx: &Transaction<'_>,
    stream: Uuid,
    (from, through): (i64, i64),
    limit: i64,
) -> Result<Vec<Recorded>, FeedError> {
    let events = tx.prepare_cached(STREAM).await?;
    let rows = tx.query(&events, &[&stream, &from, &through, &limit]).await?;
    Ok(rows.into_iter().map(Recorded::try_from).collect::<Result<_, _>>()?)
}
